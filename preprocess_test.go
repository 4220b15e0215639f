package bitgpu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// picture is w x h pixels of noise.
func picture(rng *rand.Rand, w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.Uint32())
	}
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return m
}

// mixed are pictures of many sizes.
func mixed(rng *rand.Rand) []bitgpu.Input {
	var inputs []bitgpu.Input
	for _, s := range [][2]int{{1, 1}, {640, 480}, {1, 300}, {64, 64}, {300, 2}, {97, 1201}, {63, 65}} {
		inputs = append(inputs, bitgpu.Input{Name: fmt.Sprint(s), Image: picture(rng, s[0], s[1])})
	}
	return append(inputs, bitgpu.Input{Path: photo}, bitgpu.Input{Path: "missing.png"}, bitgpu.Input{Path: photo})
}

// streamed are the logits of each input; nil of those that fail.
func streamed(t *testing.T, m *bitgpu.Model, inputs []bitgpu.Input) [][]float32 {
	t.Helper()
	var all [][]float32
	for r := range m.Stream(t.Context(), slices.Values(inputs), logits) {
		switch {
		case r.Err == nil:
			all = append(all, r.Output.Logits.Data)
		case r.Input.Path == "missing.png":
			all = append(all, nil)
		default:
			t.Error(r.Err)
		}
	}
	return all
}

// TestPreprocessOnDevice: who preprocesses makes no difference, to the bit; in streams, single pictures, and where
// memory is so short that the processor has to.
func TestPreprocessOnDevice(t *testing.T) {
	inputs := mixed(rand.New(rand.NewPCG(11, 12)))
	for _, precision := range []bitgpu.Precision{bitgpu.FP32, bitgpu.FP16} {
		cpu := demo(t, bitgpu.Options{Batch: 4, Precision: precision})
		want := streamed(t, cpu, inputs)
		gpu := demo(t, bitgpu.Options{Batch: 4, Precision: precision, Preprocessor: bitgpu.PreprocessGPU})
		if got := streamed(t, gpu, inputs); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%v: logits of the stream differ", precision)
		}
		for i, in := range inputs[:4] {
			a, err1 := cpu.Embed(t.Context(), in.Image)
			b, err2 := gpu.Embed(t.Context(), in.Image)
			if err1 != nil || err2 != nil || !slices.Equal(a, b) {
				t.Errorf("%v: embedding %d differs; %v, %v", precision, i, err1, err2)
			}
		}
		if _, err := gpu.Embed(t.Context(), image.NewGray(image.Rect(0, 0, 0, 3))); err == nil {
			t.Error("an empty picture: no error")
		}
	}
}

// TestPreprocessFlipped: the mirror image of a crop is made on the device too, or of one that the processor made.
func TestPreprocessFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	inputs := append(mixed(rng), bitgpu.Input{Image: picture(rng, 5000, 4000)})
	want := streamed(t, demo(t, bitgpu.Options{Batch: 4, Flip: true}), inputs)
	got := streamed(t, demo(t, bitgpu.Options{Batch: 4, Flip: true, Preprocessor: bitgpu.PreprocessGPU, MemoryBudget: 56 << 20}), inputs)
	if len(got) != len(inputs) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Error("logits differ")
	}
}

// TestPreprocessWithoutMemory: a picture that the device has no room for is resized by the processor.
func TestPreprocessWithoutMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	large := []bitgpu.Input{{Image: picture(rng, 5000, 4000)}, {Image: picture(rng, 30, 20)}, {Image: picture(rng, 4500, 4600)}}
	want := streamed(t, demo(t, bitgpu.Options{Batch: 2}), large)
	m := demo(t, bitgpu.Options{Batch: 2, Preprocessor: bitgpu.PreprocessGPU, MemoryBudget: 56 << 20})
	if got := streamed(t, m, large); len(got) != len(want) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Error("logits differ")
	}
}

func TestCropper(t *testing.T) {
	p := loader.Preprocess{Size: 97, CropPct: 0.875, Interpolation: loader.Bicubic}
	c, err := bitgpu.OpenCropper(p, bitgpu.Options{Validation: true, CacheDir: "none"})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(15, 16))
	var pictures []*loader.Image
	for _, in := range mixed(rng)[:7] {
		pictures = append(pictures, loader.FromGoImage(in.Image))
	}
	crops, err := c.Crop(t.Context(), pictures...)
	if err != nil || len(crops) != len(pictures) {
		t.Fatalf("%d crops, %v", len(crops), err)
	}
	for i, m := range pictures {
		want, err := p.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		if crops[i].Width != 97 || crops[i].Height != 97 || !bytes.Equal(crops[i].Pix, want.Pix) {
			t.Errorf("crop of %d x %d differs", m.Width, m.Height)
		}
	}
	if crops, err := c.Crop(t.Context()); crops != nil || err != nil {
		t.Errorf("of nothing: %v, %v", crops, err)
	}
	if _, err := c.Crop(t.Context(), &loader.Image{Width: 0, Height: 1}); err == nil {
		t.Error("of an empty picture: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Crop(ctx, pictures...); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := bitgpu.OpenCropper(loader.Preprocess{}, bitgpu.Options{}); err == nil {
		t.Error("no size: no error")
	}
	if _, err := bitgpu.OpenCropper(p, bitgpu.Options{Device: "none such"}); err == nil {
		t.Error("no device: no error")
	}
}

func TestPreprocessorNames(t *testing.T) {
	for _, p := range []bitgpu.Preprocessor{bitgpu.PreprocessCPU, bitgpu.PreprocessGPU} {
		if got, err := bitgpu.ParsePreprocessor(p.String()); err != nil || got != p {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}
	if _, err := bitgpu.ParsePreprocessor("tpu"); err == nil {
		t.Error("tpu: no error")
	}
}
