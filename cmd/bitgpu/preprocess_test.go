package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// TestPreprocessGolden compares the crops of a whole directory with Pillow's, by their SHA-256. The
// 16-bit grey picture is left out: Pillow saturates it, and bitgpu scales it.
func TestPreprocessGolden(t *testing.T) {
	data, err := os.ReadFile(golden + "/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var pictures []struct {
		File  string
		Crops map[string]struct{ SHA256 string }
	}
	if err := json.Unmarshal(data, &pictures); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		size int
		args []string
	}{
		{"384", 384, nil}, // the default model's
		{"224", 224, []string{"--model", "resnetv2_50x1_bit"}},
		{"224bl", 224, []string{"--size", "224", "--crop-pct", "0.875", "--interpolation", "bilinear"}},
		{"448bl", 448, []string{"--preprocess", "gpu", "--validate", "--size", "448", "--interpolation", "bilinear"}},
		{"224", 224, []string{"--preprocess", "gpu", "--validate", "--model", "resnetv2_50x1_bit"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "crops.npy")
			out := bitgpuRun(t, exitOK, slices.Concat([]string{"preprocess", "--uint8", "--out", file, golden + "/src"}, test.args)...)
			if out.stdout+out.stderr != "" {
				t.Errorf("printed %s%s", out.stdout, out.stderr)
			}
			r, err := loader.OpenNPY(file)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.DType() != loader.U8 || !slices.Equal(r.Shape(), []int{len(pictures), test.size, test.size, 3}) {
				t.Fatal(r.DType(), r.Shape())
			}
			compared := 0
			for i, p := range pictures {
				want, ok := p.Crops[test.name]
				if !ok || p.File == "gray16.png" {
					continue
				}
				crop := make([]byte, r.RowLen())
				if err := r.ReadRows(crop, i); err != nil {
					t.Fatal(err)
				}
				compared++
				if sum := sha256.Sum256(crop); hex.EncodeToString(sum[:]) != want.SHA256 {
					t.Errorf("%s: the crop is not Pillow's", p.File)
				}
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// TestPreprocessIsWhatRunSees: the array, run as a tensor, gives the logits of the pictures.
func TestPreprocessIsWhatRunSees(t *testing.T) {
	dir := t.TempDir()
	array1, logits1, logits2 := filepath.Join(dir, "x.npy"), filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.npy")
	out := bitgpuRun(t, exitFailed, "preprocess", "--model", "demo", "--out", array1, cat, "missing.png", rocket)
	wants(t, out.stderr, "missing.png: no such file", "1 of 3 inputs failed")
	bitgpuRun(t, exitFailed, demoArgs("run", "--tensor", "--logits", logits1, array1)...)
	bitgpuRun(t, exitFailed, demoArgs("run", "--logits", logits2, cat, "missing.png", rocket)...)
	x, a, b := array(t, array1), array(t, logits1), array(t, logits2)
	if !slices.Equal(x.Shape, []int{3, 3, 64, 64}) || !slices.Equal(a.Shape, b.Shape) {
		t.Fatal(x.Shape, a.Shape, b.Shape)
	}
	allNaN(t, "missing", rowOf(x, 1))
	allNaN(t, "missing", rowOf(a, 1))
	for _, i := range []int{0, 2} {
		same(t, "logits", rowOf(a, i), rowOf(b, i))
	}
}

// TestPreprocessBlankBytes: bytes have no NaN, so that the row of an input that failed is zero.
func TestPreprocessBlankBytes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.npy")
	bitgpuRun(t, exitFailed, "preprocess", "--model", "demo", "--uint8", "--out", file, "missing.png", cat)
	x := array(t, file)
	if x.Shape[0] != 2 || slices.Max(rowOf(x, 0)) != 0 || slices.Max(rowOf(x, 1)) == 0 {
		t.Error(x.Shape)
	}
}

// TestPreprocessOnDevice: float32 too is the same to the bit, and a picture that fails does not stop the others.
func TestPreprocessOnDevice(t *testing.T) {
	dir := t.TempDir()
	cpu, gpu := filepath.Join(dir, "cpu.npy"), filepath.Join(dir, "gpu.npy")
	bitgpuRun(t, exitFailed, "preprocess", "--model", "demo", "--out", cpu, cat, "missing.png", rocket)
	bitgpuRun(t, exitFailed, "preprocess", "--model", "demo", "--preprocess", "gpu", "--validate", "--out", gpu, cat, "missing.png", rocket)
	a, b := array(t, cpu), array(t, gpu)
	allNaN(t, "missing", rowOf(b, 1))
	for _, i := range []int{0, 2} {
		if !slices.Equal(rowOf(a, i), rowOf(b, i)) {
			t.Errorf("row %d differs", i)
		}
	}
	out := bitgpuRun(t, exitOpen, "preprocess", "--model", "demo", "--preprocess", "gpu", "--device", "none such", "--out", gpu, cat)
	wants(t, out.stderr, "none such")
}
