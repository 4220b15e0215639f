package peak_test

import (
	"context"
	"errors"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/gpu/peak"
)

// TestMeasure wants every peak once, with a rate that a device can have, and all memory back.
func TestMeasure(t *testing.T) {
	dev := gputest.Open(t)
	before := dev.Memory().Used
	peaks, err := peak.Measure(t.Context(), dev)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name, unit  string
		least, most float64
	}{
		{peak.FMA, peak.FLOPs, 1e9, 1e15},
		{peak.Copy, peak.Bytes, 1e8, 1e14},
	}
	if len(peaks) < len(want) {
		t.Fatalf("%+v", peaks)
	}
	seen := map[string]bool{}
	for _, p := range peaks {
		if seen[p.Name] || !(p.Rate > 0) {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = true
		t.Logf("%s: %.4g %s", p.Name, p.Rate, p.Unit)
	}
	for i, w := range want {
		if p := peaks[i]; p.Name != w.name || p.Unit != w.unit || p.Rate < w.least || p.Rate > w.most {
			t.Errorf("%+v, want %+v", p, w)
		}
	}
	if after := dev.Memory().Used; after != before {
		t.Errorf("%d bytes are in use, %d before", after, before)
	}
}

func TestMeasureFails(t *testing.T) {
	t.Run("ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if peaks, err := peak.Measure(ctx, gputest.Open(t)); !errors.Is(err, context.Canceled) || peaks != nil {
			t.Errorf("%v, %v", peaks, err)
		}
	})
	t.Run("out of memory", func(t *testing.T) {
		dev := gputest.OpenOptions(t, gpu.Options{MemoryBudget: 4096})
		if peaks, err := peak.Measure(t.Context(), dev); !errors.Is(err, gpu.ErrOutOfMemory) || peaks != nil {
			t.Errorf("%v, %v", peaks, err)
		}
	})
}

func TestBest(t *testing.T) {
	peaks := []peak.Peak{{Name: "a", Unit: peak.FLOPs, Rate: 3}, {Name: "b", Unit: peak.Bytes, Rate: 9}, {Name: "c", Unit: peak.FLOPs, Rate: 5}}
	for unit, want := range map[string]float64{peak.FLOPs: 5, peak.Bytes: 9, "": 0} {
		if got := peak.Best(peaks, unit); got != want {
			t.Errorf("%q: %g, want %g", unit, got, want)
		}
	}
}
