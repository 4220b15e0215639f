package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const checkpoints = "../../tests/testdata/checkpoints/"

// TestConvertAndRun converts Google's file and classifies with the result.
func TestConvertAndRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	out := bitgpuRun(t, exitOK, "convert", "--dtype", "f16", checkpoints+"google.npz", dir)
	wants(t, out.stdout, filepath.Join(dir, "model.safetensors")+": 63 tensors, 389322 parameters, 760.4 KiB\n", filepath.Join(dir, "config.json")+"\n")
	if out.stderr != "" {
		t.Error(out.stderr)
	}
	onlyFiles(t, dir, "config.json", "model.safetensors")
	converted := bitgpuRun(t, exitOK, "run", "--model", dir, "--precision", "fp32", "--format", "json", cat).stdout
	if original := bitgpuRun(t, exitOK, "run", "--model", checkpoints+"google_fortran_f16.npz", "--precision", "fp32", "--format", "json", cat).stdout; converted != original {
		t.Errorf("converted:\n%soriginal:\n%s", converted, original)
	}
}

// TestConvertFails leaves nothing behind, and what was there alone.
func TestConvertFails(t *testing.T) {
	dir := t.TempDir()
	object := "../../loader/testdata/torch/object.pth"
	old := filepath.Join(dir, "old.safetensors")
	if err := os.WriteFile(old, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, want string }{
		{object + " " + filepath.Join(dir, "x"), `"__main__.Plain"`},
		{object + " " + old, `"__main__.Plain"`},
		{"nonesuch " + old, "model not found"},
		{checkpoints + "google.npz " + cat, "not a directory"},
	} {
		out := bitgpuRun(t, exitFailed, append([]string{"convert"}, strings.Fields(test.args)...)...)
		wants(t, out.stderr, test.want)
		if out.stdout != "" {
			t.Error(out.stdout)
		}
	}
	onlyFiles(t, dir, "old.safetensors")
	if data, err := os.ReadFile(old); err != nil || string(data) != "old" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestInspect(t *testing.T) {
	out := bitgpuRun(t, exitOK, "inspect", "--size", "96", checkpoints+"transformers")
	wants(t, out.stdout, "PyTorch, transformers names\n", "389322\n", "at 96x96 ", "GMAC", "channels [128 128 256 256]", "crop 0.8767123287671232, bilinear",
		"stages.3.blocks.0.conv2.weight", " 64x64x3x3\n")

	var i inspection
	if err := json.Unmarshal([]byte(bitgpuRun(t, exitOK, "inspect", "--json", "demo").stdout), &i); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, x := range i.Tensors {
		sum += x.Bytes
	}
	if n := i.Network; n == nil || n.Parameters != 2017578 || n.Size != 64 || n.Activations == 0 || sum != i.Bytes || i.Names != "timm" || i.Path != "" {
		t.Errorf("%+v", i)
	}
	wants(t, bitgpuRun(t, exitOK, "inspect", "../../loader/testdata/torch/tensors.pth").stdout, "no network", "stem.conv.weight", "channels_last")
	wants(t, bitgpuRun(t, exitOpen, "inspect", "../../loader/testdata/torch/object.pth").stderr, "__main__.Plain")
	wants(t, bitgpuRun(t, exitOpen, "inspect", "nonesuch").stderr, "model not found")
}
