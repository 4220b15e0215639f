package tests

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// TestCheckpointForms runs one network from every form of checkpoint: the logits must be those of the
// safetensors file with the same values, bit for bit.
func TestCheckpointForms(t *testing.T) {
	g, shapes := readGolden(t, "testdata/nets/tiny/io_64x64.safetensors")
	// The kernels are chosen for the size of pictures, of which only some of the forms have a config that says it.
	sameSize := loader.Override{Size: 64}
	logits := func(path string) []float32 {
		m := modeltest.Open(t, path, bitgpu.Options{Precision: bitgpu.FP32, Preprocess: sameSize})
		out, err := m.Forward(context.Background(), g.input(shapes), bitgpu.Outputs{Logits: true})
		if err != nil {
			t.Fatal(path, err)
		}
		return out.Logits.Data
	}
	for as, files := range map[string][]string{
		"model":      {"google.npz"},
		"model_fp16": {"zip_f16.pth", "transformers", "google_fortran_f16.npz"},
		"model_bf16": {"legacy_nested_bf16.pth"},
	} {
		want := logits("testdata/nets/tiny/" + as + ".safetensors")
		for _, file := range files {
			if got := logits(filepath.Join("testdata", "checkpoints", file)); !slices.Equal(got, want) {
				t.Errorf("%s: logits %v, want %v", file, got, want)
			}
		}
	}
}
