package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
)

// TestEmbed writes arrays and lines and compares them with what the library says.
func TestEmbed(t *testing.T) {
	m := openModel(t, bitgpu.Demo)
	want := outputs(t, m, bitgpu.Outputs{Embedding: true, Unpooled: true}, cat, rocket)
	files := []string{cat, "missing.png", rocket}
	dir := t.TempDir()
	embed := func(args ...string) outcome {
		return bitgpuRun(t, exitFailed, demoArgs("embed", append(args, files...)...)...)
	}

	t.Run("npy", func(t *testing.T) {
		file := filepath.Join(dir, "e.npy")
		out := embed("--out", file)
		if w := "bitgpu: missing.png: no such file or directory\nbitgpu: 1 of 3 inputs failed\n"; out.stderr != w || out.stdout != "" {
			t.Errorf("stdout %q, stderr %q, want %q", out.stdout, out.stderr, w)
		}
		got := array(t, file)
		if !slices.Equal(got.Shape, []int{3, m.Info().Config.Features()}) {
			t.Fatal(got.Shape)
		}
		same(t, cat, rowOf(got, 0), want[0].Embedding.Data)
		allNaN(t, "missing", rowOf(got, 1))
		same(t, rocket, rowOf(got, 2), want[1].Embedding.Data)
	})
	t.Run("unpooled", func(t *testing.T) {
		file := filepath.Join(dir, "u.npy")
		embed("--unpooled", "--out", file)
		got, shape := array(t, file), slices.Clone(want[0].Unpooled.Shape)
		shape[0] = 3
		if !slices.Equal(got.Shape, shape) {
			t.Fatal(got.Shape)
		}
		same(t, cat, rowOf(got, 0), want[0].Unpooled.Data)
		allNaN(t, "missing", rowOf(got, 1))
		same(t, rocket, rowOf(got, 2), want[1].Unpooled.Data)
	})
	t.Run("jsonl", func(t *testing.T) {
		file := filepath.Join(dir, "e.jsonl")
		embed("--out", file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stdout := embed().stdout
		if stdout != string(text) {
			t.Error("the file and standard output are not the same")
		}
		got := lines(t, stdout)
		if len(got) != 3 || got[0].File != cat || got[1].File != "missing.png" || got[1].Error == "" || got[2].File != rocket {
			t.Fatal(stdout)
		}
		same(t, cat, got[0].Embedding, want[0].Embedding.Data)
		same(t, rocket, got[2].Embedding, want[1].Embedding.Data)
	})
	onlyFiles(t, dir, "e.jsonl", "e.npy", "u.npy")
}

// TestFeatures compares feature maps with the library's; the first input fails, before the shape of
// the rows is known.
func TestFeatures(t *testing.T) {
	m, dir := openModel(t, bitgpu.Demo), t.TempDir()
	bitgpuRun(t, exitFailed, demoArgs("features", "--indices", "3,1,3", "--out", dir, "missing.png", cat, rocket)...)
	onlyFiles(t, dir, "feat1.npy", "feat3.npy")
	want := outputs(t, m, bitgpu.Outputs{Maps: 1<<1 | 1<<3}, cat, rocket)
	for i, name := range map[int]string{1: "feat1.npy", 3: "feat3.npy"} {
		got, shape := array(t, filepath.Join(dir, name)), slices.Clone(want[0].Maps[i].Shape)
		shape[0] = 3
		if !slices.Equal(got.Shape, shape) {
			t.Fatal(name, got.Shape)
		}
		allNaN(t, name, rowOf(got, 0))
		same(t, name, rowOf(got, 1), want[0].Maps[i].Data)
		same(t, name, rowOf(got, 2), want[1].Maps[i].Data)
	}
}
