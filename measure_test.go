package bitgpu_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/peak"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

func TestMeasure(t *testing.T) {
	m, ctx := demo(t, bitgpu.Options{Batch: 3}), t.Context()
	r, err := m.Measure(ctx, bitgpu.MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Batch != 3 || r.Size != 64 || r.Time <= 0 || r.FLOPs <= 0 || r.Steps != nil {
		t.Errorf("%+v", r)
	}
	small, err := m.Measure(ctx, bitgpu.MeasureOptions{Batch: 1, Size: 33, Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	if small.Batch != 1 || small.Size != 33 || small.FLOPs >= r.FLOPs/3 {
		t.Errorf("%+v", small)
	}
	if least := 2 * m.Info().Parameters; small.DeviceBytes < least || r.DeviceBytes <= small.DeviceBytes {
		t.Errorf("%d bytes for one, %d for three of them; the weights take %d", small.DeviceBytes, r.DeviceBytes, least)
	}
	var took time.Duration
	names := map[string]bool{}
	for _, s := range small.Steps {
		if names[s.Name] || s.Kernel == "" || s.Time < 0 || s.Read <= 0 || s.Written <= 0 || s.FLOPs < 0 {
			t.Errorf("step %+v", s)
		}
		names[s.Name] = true
		took += s.Time
	}
	if !names["stem.conv"] || !names["head.fc"] {
		t.Errorf("steps %v", names)
	}
	flops := small.FLOPs
	for _, k := range small.Kinds {
		took -= k.Time
		flops -= k.FLOPs
		if (k.Kind == net.Convolution) != (k.FLOPs > small.FLOPs/2) {
			t.Errorf("%+v of %d FLOPs", k, small.FLOPs)
		}
	}
	if len(small.Kinds) != 3 || took != 0 || flops != 0 {
		t.Errorf("%+v leave %v and %d FLOPs out", small.Kinds, took, flops)
	}
	if _, err := m.Measure(ctx, bitgpu.MeasureOptions{Batch: 1 << 30}); !errors.Is(err, net.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	if _, err := m.Measure(ctx, bitgpu.MeasureOptions{Batch: -1}); err == nil {
		t.Error("a batch of -1 was measured")
	}
	if _, err := m.Measure(ctx, bitgpu.MeasureOptions{Size: 8}); err == nil {
		t.Error("a size of 8 was measured")
	}
}

func TestMeasurePeak(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	peaks, err := m.MeasurePeak(t.Context(), 0)
	if err != nil || !(peak.Best(peaks, peak.FLOPs) > 1e9) || !(peak.Best(peaks, peak.Bytes) > 1e8) {
		t.Errorf("%+v, %v", peaks, err)
	}
	for _, device := range []int{-1, 1} {
		if _, err := m.MeasurePeak(t.Context(), device); err == nil {
			t.Errorf("the peak of device %d of 1", device)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.MeasurePeak(t.Context(), 0); !errors.Is(err, bitgpu.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

func TestBatchSize(t *testing.T) {
	if n, err := demo(t, bitgpu.Options{Batch: 3}).BatchSize(64, 80, logits); n != 3 || err != nil {
		t.Errorf("%d, %v, want Options.Batch", n, err)
	}
	m := demo(t, bitgpu.Options{})
	small, err := m.BatchSize(32, 32, logits)
	if err != nil || small < 1 || small > 64 {
		t.Errorf("%d, %v", small, err)
	}
	if large, err := m.BatchSize(320, 320, logits); err != nil || large < 1 || large > small {
		t.Errorf("%d at 320x320, %d at 32x32, %v", large, small, err)
	}
	if _, err := m.BatchSize(1<<20, 1<<20, logits); !errors.Is(err, net.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	if _, err := m.BatchSize(32, 31, logits); err == nil {
		t.Error("32x31 has a batch size")
	}
}

func TestFindPreprocess(t *testing.T) {
	t.Setenv("BITGPU_MODELS", t.TempDir())
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	half := [3]float32{0.5, 0.5, 0.5}
	for _, test := range []struct {
		name string
		want loader.Preprocess
	}{
		{bitgpu.Demo, loader.Preprocess{Size: 64, CropPct: 1, Interpolation: loader.Bicubic, Mean: half, Std: half}},
		{bitgpu.DefaultModel, loader.Preprocess{Size: 384, CropPct: 1, Interpolation: loader.Bicubic, Mean: half, Std: half}},
		{"resnetv2_101x1_bit", loader.Preprocess{Size: 448, CropPct: 1, Interpolation: loader.Bilinear, Mean: half, Std: half}},
	} {
		if got, err := bitgpu.FindPreprocess(test.name); got != test.want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	for _, name := range []string{"no-such-model", "./none.safetensors", t.TempDir()} {
		if _, err := bitgpu.FindPreprocess(name); !errors.Is(err, bitgpu.ErrNoModel) {
			t.Errorf("%s: %v, want ErrNoModel", name, err)
		}
	}
}

func TestPrecisionString(t *testing.T) {
	for _, p := range []bitgpu.Precision{bitgpu.Auto, bitgpu.FP32, bitgpu.FP16} {
		if got, err := bitgpu.ParsePrecision(p.String()); got != p || err != nil {
			t.Errorf("%v becomes %v, %v", p, got, err)
		}
	}
}
