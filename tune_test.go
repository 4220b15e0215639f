package bitgpu

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/net"
)

// TestTune: what Tune finds is kept, a second Tune adds to it, Open and NewPlan's device use it, and a file
// that is damaged or of other kernels is as good as none.
func TestTune(t *testing.T) {
	dir := t.TempDir()
	o := Options{CacheDir: dir, Validation: true}
	first, err := Tune(t.Context(), Demo, o, TuneOptions{Size: 32, Budget: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(first.File) != dir || len(first.Convs) == 0 {
		t.Fatalf("%d convolutions in %s", len(first.Convs), first.File)
	}
	second, err := Tune(t.Context(), Demo, o, TuneOptions{Size: 32, Batch: 3, Budget: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	kept := readTuning(dir, first.Device)
	if kept == nil || len(kept.Convs) <= len(second.Convs) {
		t.Fatalf("kept %+v, want both", kept)
	}

	// A choice that nobody would make by default shows in the plan of an opened model.
	for i := range kept.Convs {
		kept.Convs[i].Kernel, kept.Convs[i].Constants = "conv_tile_f16", nil
	}
	if err := writeTuning(first.File, kept); err != nil {
		t.Fatal(err)
	}
	if n := kernelSteps(t, o, "conv_tile_f16"); n == 0 {
		t.Error("an opened model does not use what was tuned")
	}
	text, err := os.ReadFile(first.File)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"half":          text[:len(text)/2],
		"other kernels": bytes.Replace(text, []byte(fingerprint()), []byte("0123"), 1),
	} {
		if err := os.WriteFile(first.File, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if n := kernelSteps(t, o, "conv_tile_f16"); n != 0 {
			t.Errorf("%s: a model uses it for %d steps", name, n)
		}
	}
	if _, err := Tune(t.Context(), Demo, Options{CacheDir: "none"}, TuneOptions{}); err == nil {
		t.Error("tuning without a place to keep it worked")
	}
}

// kernelSteps counts the steps of an opened demo network that run a kernel.
func kernelSteps(t *testing.T, o Options, kernel string) (n int) {
	t.Helper()
	m, err := Open(t.Context(), Demo, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	spec := net.BatchSpec{Images: 1, Height: 64, Width: 64, Input: net.Pixels}
	spec.Outputs.Logits = true
	plan, err := m.engines[0].net.Plan(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		if s.Kernel.Name == kernel {
			n++
		}
	}
	return n
}
