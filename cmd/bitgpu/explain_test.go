package main

import (
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readPNG decodes a picture.
func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(path, err)
	}
	return img
}

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	one, three, maps := filepath.Join(dir, "one.png"), filepath.Join(dir, "three.png"), filepath.Join(dir, "maps.npy")
	out := bitgpuRun(t, exitOK, demoArgs("explain", "-o", one, cat)...)
	wants(t, out.stdout, "  66.4", "%  cat: logit 2.43", ", map ", "maps of 2 x 2")
	if b := readPNG(t, one).Bounds(); b.Dx() != 448 || b.Dy() != 448 {
		t.Errorf("%v", b)
	}
	out = bitgpuRun(t, exitOK, demoArgs("explain", "--json", "--size", "96", "--side", "100", "--class", "top2", "--class", "Frog", "-o", three, "--npy", maps, cat)...)
	var r struct {
		Shape   []int
		Classes []struct {
			Label             string
			Logit, Bias, Prob float64
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		t.Fatal(err)
	}
	x := array(t, maps)
	if !slices.Equal(x.Shape, []int{3, 3, 3}) || !slices.Equal(r.Shape, x.Shape) || len(r.Classes) != 3 || r.Classes[2].Label != "frog" {
		t.Fatalf("%v, %+v", x.Shape, r)
	}
	for i, c := range r.Classes {
		mean := 0.0
		for _, v := range rowOf(x, i) {
			mean += float64(v) / 9
		}
		if math.Abs(mean+c.Bias-c.Logit) > 1e-4 {
			t.Errorf("%s: the map's mean and the bias give %v, the logit is %v", c.Label, mean+c.Bias, c.Logit)
		}
	}
	if b := readPNG(t, three).Bounds(); b.Dx() < 400 || b.Dy() < 100 || b.Dy() > 130 {
		t.Errorf("%v, want four pictures of 100 beside each other", b)
	}
	onlyFiles(t, dir, "maps.npy", "one.png", "three.png")
}

// TestExplainPipe reads a picture from standard input and writes one to standard output.
func TestExplainPipe(t *testing.T) {
	data, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	out := run{args: demoArgs("explain", "--map-only", "-o", "-", "-i", "-"), stdin: string(data)}.do(t)
	out.exited(t, exitOK, nil)
	if _, err := png.Decode(strings.NewReader(out.stdout)); err != nil {
		t.Errorf("%v in %q", err, out.stdout[:min(len(out.stdout), 80)])
	}
}

func TestExplainMistakes(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "x.png")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{cat}, exitUsage, "--out FILE.png is missing"},
		{[]string{"-o", target}, exitUsage, "no PATH"},
		{[]string{"-o", target, "-i", cat, cat}, exitUsage, "one picture at a time"},
		{[]string{"-o", target, "--class", "lion", cat}, exitUsage, `"lion" is not among the model's labels`},
		{[]string{"-o", target, "--class", "10", cat}, exitUsage, "0 to 9"},
		{[]string{"-o", target, "--class", "top11", cat}, exitUsage, "10 classes"},
		{[]string{"-o", target, "--colormap", "jet", cat}, exitUsage, "--colormap"},
		{[]string{"-o", target, "--opacity", "0", cat}, exitUsage, "--opacity"},
		{[]string{"-o", target, "--side", "8", cat}, exitUsage, "--side"},
		{[]string{"-o", target, filepath.Join(dir, "none.png")}, exitFailed, "none.png: no such file"},
		{[]string{"-o", target, photos}, exitFailed, "more than one picture"},
		{[]string{"-o", filepath.Join(dir, "none", "x.png"), cat}, exitFailed, "--out"},
	} {
		wants(t, bitgpuRun(t, test.code, demoArgs("explain", test.args...)...).stderr, test.want)
	}
	onlyFiles(t, dir)
}
