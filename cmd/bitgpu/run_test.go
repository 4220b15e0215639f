package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
)

const cat, coffee, rocket = photos + "/chelsea.png", photos + "/coffee.png", photos + "/rocket.jpg"

// TestRunJSON compares the lines with what the library says, and one with PyTorch's answer.
func TestRunJSON(t *testing.T) {
	dir := t.TempDir()
	logits := filepath.Join(dir, "logits.npy")
	out := bitgpuRun(t, exitOK, demoArgs("run", "--format", "json", "--topk", "3", "--logits", logits, cat, rocket)...)
	if out.stderr != "" {
		t.Errorf("stderr: %s", out.stderr)
	}
	if prefix := `{"file":"` + cat + `","top":[{"index":3,"label":"cat","prob":0.664`; !strings.HasPrefix(out.stdout, prefix) {
		t.Errorf("%s\nwant it to begin with %s", out.stdout, prefix)
	}
	m := openModel(t, bitgpu.Demo)
	want := outputs(t, m, bitgpu.Outputs{Logits: true}, cat, rocket)
	got, written := lines(t, out.stdout), array(t, logits)
	if len(got) != 2 || !slices.Equal(written.Shape, []int{2, 10}) {
		t.Fatalf("%d lines, logits %v", len(got), written.Shape)
	}
	for i, file := range []string{cat, rocket} {
		same(t, "logits of "+file, rowOf(written, i), want[i].Logits.Data)
		if got[i].File != file || len(got[i].Top) != 3 || got[i].Error != "" {
			t.Errorf("line %+v for %s", got[i], file)
		}
		for k, p := range m.Top(want[i].Logits.Data, 3) {
			if g := got[i].Top[k]; g.Index != p.Index || g.Label != p.Label || max(g.Prob-p.Prob, p.Prob-g.Prob) > 1e-5 {
				t.Errorf("%s: class %d is %v, want %v", file, k, g, p)
			}
		}
	}
	onlyFiles(t, dir, "logits.npy")
}

func TestRunCSV(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "answers.csv")
	out := bitgpuRun(t, exitFailed, demoArgs("run", "--format", "csv", "--topk", "2", "--out", file, cat, "missing, too.png", coffee)...)
	if out.stdout != "" {
		t.Errorf("stdout: %s", out.stdout)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(all) != 6 {
		t.Fatalf("%v\n%s", err, text)
	}
	for i, want := range [][]string{
		{"file", "rank", "index", "label", "prob", "error"},
		{cat, "1", "3", "cat", "0.66", ""},
		{cat, "2", "6", "frog", "0.25", ""},
		{"missing, too.png", "", "", "", "", "missing, too.png: no such file or directory"},
		{coffee, "1", "1", "automobile", "0.65", ""},
		{coffee, "2", "6", "frog", "0.18", ""},
	} {
		got := all[i]
		if i > 0 && got[4] != "" {
			got[4] = got[4][:4]
		}
		if !slices.Equal(got, want) {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	onlyFiles(t, dir, "answers.csv")
}

func TestRunTable(t *testing.T) {
	out := bitgpuRun(t, exitFailed, demoArgs("run", "--topk", "2", cat, "missing.png")...)
	want := cat + "\n   66.42%  cat\n   25.02%  frog\nmissing.png\n        -  failed\n"
	if out.stdout != want {
		t.Errorf("%q, want %q", out.stdout, want)
	}
	if want := "bitgpu: missing.png: no such file or directory\nbitgpu: 1 of 2 inputs failed\n"; out.stderr != want {
		t.Errorf("stderr %q, want %q", out.stderr, want)
	}
}

// hostile writes files that are no pictures, in the order of their names.
func hostile(t *testing.T, dir string) (files, errors []string) {
	t.Helper()
	whole, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name, content, err string
	}{
		{"empty.png", "", "not a PNG, JPEG, GIF, BMP, WebP or TIFF image"},
		{"huge.png", "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00\x0f\xb0\xe2\x15", "image too large"},
		{"text.jpg", "this is no picture", "not a PNG, JPEG, GIF, BMP, WebP or TIFF image"},
		{"truncated.png", string(whole[:len(whole)/2]), "truncated.png"},
	} {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, []byte(f.content), 0o666); err != nil {
			t.Fatal(err)
		}
		files, errors = append(files, path), append(errors, f.err)
	}
	return files, errors
}

// TestRunHostilePictures has broken files between good ones: all are answered, in order.
func TestRunHostilePictures(t *testing.T) {
	dir := t.TempDir()
	bad, errors := hostile(t, dir)
	var files []string
	for _, f := range bad {
		files = append(files, f, cat)
	}
	files = append(files, "missing.png", dir+"/*.none")
	errors = append(errors, "missing.png: no such file", "no file matches")
	logits := filepath.Join(t.TempDir(), "logits.npy")
	out := run{args: demoArgs("run", "--format", "json", "--logits", logits, "--batch", "3", "-", dir+"/*.none"),
		stdin: strings.Join(files[:len(files)-1], "\n")}.do(t)
	out.exited(t, exitFailed, nil)
	if want := "bitgpu: 6 of 10 inputs failed\n"; out.stderr != want {
		t.Errorf("stderr %q, want %q", out.stderr, want)
	}
	got, rows := lines(t, out.stdout), array(t, logits)
	if len(got) != len(files) || rows.Shape[0] != len(files) {
		t.Fatalf("%d lines, logits %v for %d files", len(got), rows.Shape, len(files))
	}
	for i, file := range files {
		switch l := got[i]; {
		case l.File != file:
			t.Errorf("line %d is about %s, want %s", i, l.File, file)
		case file == cat:
			if len(l.Top) != 5 || l.Top[0].Label != "cat" {
				t.Errorf("%+v", l)
			}
			same(t, "logits", rowOf(rows, i), rowOf(rows, 1))
		default:
			wants(t, l.Error, errors[0])
			errors = errors[1:]
			allNaN(t, file, rowOf(rows, i))
		}
	}
}

// TestRunAllFailed has no answer at all: the device stays idle, and no array is written.
func TestRunAllFailed(t *testing.T) {
	dir := t.TempDir()
	out := bitgpuRun(t, exitFailed, demoArgs("run", "--format", "json", "--logits", filepath.Join(dir, "logits.npy"), dir, "*.none")...)
	got := lines(t, out.stdout)
	if len(got) != 2 {
		t.Fatal(out.stdout)
	}
	wants(t, got[0].Error, "no .png, .jpg")
	wants(t, got[1].Error, "no file matches")
	onlyFiles(t, dir)
}

// TestRunNothing has an empty list: no inputs, none of which failed.
func TestRunNothing(t *testing.T) {
	out := run{args: demoArgs("run", "-"), stdin: "\n\r\n"}.do(t)
	if out.code != exitOK || out.stdout+out.stderr != "" {
		t.Errorf("%+v", out)
	}
}

// TestRunOut keeps an old file until the new one is complete.
func TestRunOut(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "answers.txt")
	if err := os.WriteFile(file, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	bitgpuRun(t, exitOpen, "run", "--model", "no-such-model", "--out", file, cat)
	if text, _ := os.ReadFile(file); string(text) != "old" {
		t.Errorf("after a failure the file holds %q", text)
	}
	bitgpuRun(t, exitOK, demoArgs("run", "--topk", "1", "--out", file, cat)...)
	if text, _ := os.ReadFile(file); string(text) != cat+"\n   66.42%  cat\n" {
		t.Errorf("the file holds %q", text)
	}
	onlyFiles(t, dir, "answers.txt")
}

// TestRunPreprocessOnDevice: the crops are the same, and so are the logits.
func TestRunPreprocessOnDevice(t *testing.T) {
	dir := t.TempDir()
	cpu, gpu := filepath.Join(dir, "cpu.npy"), filepath.Join(dir, "gpu.npy")
	bitgpuRun(t, exitFailed, demoArgs("run", "--logits", cpu, cat, coffee, "missing.png", rocket)...)
	bitgpuRun(t, exitFailed, demoArgs("run", "--preprocess", "gpu", "--logits", gpu, cat, coffee, "missing.png", rocket)...)
	a, b := array(t, cpu), array(t, gpu)
	for _, i := range []int{0, 1, 3} {
		if !slices.Equal(rowOf(a, i), rowOf(b, i)) {
			t.Errorf("row %d differs", i)
		}
	}
}
