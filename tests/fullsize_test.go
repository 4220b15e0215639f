package tests

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// boundFP16Full is the relative L2 error that fp16 may have on the published networks.
const boundFP16Full = 1e-2

// TestFullSize runs two published networks with the golden weights and input.
func TestFullSize(t *testing.T) {
	for _, c := range []struct {
		model, golden string
		size          int
		inputCRC      uint32
	}{
		{"resnetv2_50x1_bit.goog_distilled_in1k", "50x1_224", 224, 0x2c0afdc7},
		{bitgpu.DefaultModel, "152x2_384", 384, 0x112f0799},
	} {
		x := &bitgpu.Tensor{Shape: []int{1, 3, c.size, c.size}, Data: loader.GeneratedInput(c.size, c.size)}
		if got := checksum(x.Data); got != c.inputCRC {
			t.Fatalf("golden input %d: CRC-32 %08x, want %08x", c.size, got, c.inputCRC)
		}
		g, _ := readGolden(t, "testdata/fullsize/"+c.golden+".safetensors")
		for _, p := range precisions {
			t.Run(fmt.Sprintf("%s/%v", c.golden, p), func(t *testing.T) {
				start := time.Now()
				m := modeltest.Open(t, c.model, bitgpu.Options{Precision: p, Weights: bitgpu.RandomGolden})
				loaded := time.Now()
				out, err := m.Forward(context.Background(), x, everything(m))
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("loaded in %v, ran in %v", loaded.Sub(start), time.Since(loaded))
				compareFull(t, p, out, g)
			})
		}
	}
}

func checksum(values []float32) uint32 {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return crc32.ChecksumIEEE(raw)
}

func compareFull(t *testing.T, p bitgpu.Precision, out *bitgpu.Output, g golden) {
	t.Helper()
	for name, tensor := range named(out) {
		if want, ok := g[name+".f64"]; ok {
			worst, l2 := errors(tensor.Data, want)
			check(t, p, name, worst, l2)
			continue
		}
		// A map: single values, means over the pixels and means over the channels, all judged by
		// the map's own root mean square.
		var samples []float32
		for _, i := range g[name+".sample_idx"] {
			samples = append(samples, tensor.Data[int(i)])
		}
		worst, l2 := errors(samples, g[name+".samples.f64"])
		check(t, p, name+" samples", worst, l2)
		rms := rms(g[name+".samples.f64"])
		channels, pixels := means(tensor)
		check(t, p, name+" channel means", largest(channels, g[name+".channel_mean.f64"])/rms, 0)
		check(t, p, name+" spatial means", largest(pixels, g[name+".spatial_mean.f64"])/rms, 0)
	}
	sameTop1(t, "full size", out.Logits, g["logits.f64"])
}

func check(t *testing.T, p bitgpu.Precision, name string, worst, l2 float64) {
	t.Helper()
	t.Logf("%s: max error / rms %.2g, relative L2 %.2g", name, worst, l2)
	if p == bitgpu.FP32 && !(worst <= boundFP32) {
		t.Errorf("%s: max error / rms %.3g, want at most %g", name, worst, boundFP32)
	}
	if p == bitgpu.FP16 && !(l2 <= boundFP16Full) {
		t.Errorf("%s: relative L2 %.3g, want at most %g", name, l2, boundFP16Full)
	}
}

func rms(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s / float64(len(v)))
}

// means averages a map [1, C, H, W] over its pixels and over its channels.
func means(m *bitgpu.Tensor) (channels, pixels []float64) {
	c, n := m.Shape[1], m.Shape[2]*m.Shape[3]
	channels, pixels = make([]float64, c), make([]float64, n)
	for i, v := range m.Data {
		channels[i/n] += float64(v) / float64(n)
		pixels[i%n] += float64(v) / float64(c)
	}
	return channels, pixels
}

// largest is the largest difference; infinite if the lengths differ.
func largest(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(got[i]-want[i]))
	}
	return worst
}
