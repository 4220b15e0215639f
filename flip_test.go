package bitgpu_test

import (
	"image"
	"iter"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// mirror returns a picture with left and right exchanged.
func mirror(img image.Image) image.Image {
	b := img.Bounds()
	m := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			m.Set(b.Max.X-1-x+b.Min.X, y, img.At(x, y))
		}
	}
	return m
}

func stream(t *testing.T, m *bitgpu.Model, want bitgpu.Outputs, images ...image.Image) []*bitgpu.Output {
	t.Helper()
	var inputs iter.Seq[bitgpu.Input] = func(yield func(bitgpu.Input) bool) {
		for _, img := range images {
			if !yield(bitgpu.Input{Image: img}) {
				return
			}
		}
	}
	var all []*bitgpu.Output
	for r := range m.Stream(t.Context(), inputs, want) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		all = append(all, r.Output)
	}
	return all
}

// square cuts a picture that the demo network's preprocessing leaves as it is, so that mirroring it comes to the
// same before and after.
func square(img image.Image, x, y int) image.Image {
	s := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		s.Set(i%64, i/64, img.At(x+i%64, y+i/64))
	}
	return s
}

// TestFlipAverages: in batches of any size, and however the picture comes, the answer is the mean of the answers to
// the picture and its mirror image.
func TestFlipAverages(t *testing.T) {
	photo := open(photo)
	a, b, c := square(photo, 100, 50), square(photo, 180, 90), square(photo, 150, 100)
	want := bitgpu.Outputs{Logits: true, Embedding: true}
	plain := stream(t, demo(t, bitgpu.Options{Precision: bitgpu.FP32}), want, a, mirror(a), b, mirror(b), c, mirror(c))
	mean := func(x, y []float32) []float32 {
		z := slices.Clone(x)
		for i := range z {
			z[i] = (x[i] + y[i]) / 2
		}
		return z
	}
	crop := loader.FromGoImage(a)
	for _, batch := range []int{0, 1, 2, 3} {
		m := demo(t, bitgpu.Options{Precision: bitgpu.FP32, Batch: batch, Flip: true})
		got := stream(t, m, want, a, b, c)
		for i, o := range got {
			first, second := plain[2*i], plain[2*i+1]
			if slices.Equal(first.Logits.Data, second.Logits.Data) {
				t.Fatal("the mirror image has the same logits: nothing is tested")
			}
			close32(t, "logits", o.Logits.Data, mean(first.Logits.Data, second.Logits.Data))
			close32(t, "embedding", o.Embedding.Data, mean(first.Embedding.Data, second.Embedding.Data))
		}
		one, err := m.Embed(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		close32(t, "Embed", one, got[0].Embedding.Data)
		x := &bitgpu.Tensor{Shape: []int{1, 3, 64, 64}, Data: make([]float32, 3*64*64)}
		if err := m.Info().Preprocess.Normalize(x.Data, crop.Pix); err != nil {
			t.Fatal(err)
		}
		forward, err := m.Forward(t.Context(), x, want)
		if err != nil {
			t.Fatal(err)
		}
		close32(t, "Forward", forward.Logits.Data, got[0].Logits.Data)
	}
}

// close32 allows for the rounding that another size of batch may bring.
func close32(t *testing.T, what string, got, want []float32) {
	t.Helper()
	var scale, worst float32
	for i := range want {
		scale = max(scale, want[i], -want[i])
		worst = max(worst, got[i]-want[i], want[i]-got[i])
	}
	if len(got) != len(want) || !(worst <= 1e-5*scale) {
		t.Errorf("%s: %d values differ by %g of %g", what, len(got), worst, scale)
	}
}

func TestFlipRefusesMaps(t *testing.T) {
	m := demo(t, bitgpu.Options{Flip: true})
	if _, err := m.Features(t.Context(), open(photo), 1); err == nil {
		t.Error("Features: no error")
	}
	for r := range m.Stream(t.Context(), slices.Values([]bitgpu.Input{{Path: photo}}), bitgpu.Outputs{Unpooled: true}) {
		if r.Err == nil {
			t.Error("Stream: no error")
		}
	}
}

// TestOverrideTakesThePlaceOfTheConfig: the model answers as one whose config has these values.
func TestOverrideTakesThePlaceOfTheConfig(t *testing.T) {
	img := open(photo)
	o := bitgpu.Override{Size: 48, CropPct: 0.75, Interpolation: "bilinear", Mean: &[3]float32{0.4, 0.5, 0.6}, Std: &[3]float32{0.2, 0.3, 0.4}}
	m := demo(t, bitgpu.Options{Precision: bitgpu.FP32, Preprocess: o})
	p := m.Info().Preprocess
	if p != (loader.Preprocess{Size: 48, CropPct: 0.75, Interpolation: loader.Bilinear, Mean: *o.Mean, Std: *o.Std}) {
		t.Errorf("%+v", p)
	}
	crop, err := p.Apply(loader.FromGoImage(img))
	if err != nil {
		t.Fatal(err)
	}
	x := &bitgpu.Tensor{Shape: []int{1, 3, 48, 48}, Data: make([]float32, 3*48*48)}
	if err := p.Normalize(x.Data, crop.Pix); err != nil {
		t.Fatal(err)
	}
	want, err := demo(t, bitgpu.Options{Precision: bitgpu.FP32}).Forward(t.Context(), x, logits)
	if err != nil {
		t.Fatal(err)
	}
	close32(t, "logits", stream(t, m, logits, img)[0].Logits.Data, want.Logits.Data)
}

func TestOverrideRefused(t *testing.T) {
	for name, o := range map[string]bitgpu.Override{
		"small": {Size: 31}, "negative": {Size: -1}, "huge": {Size: 1 << 20}, "crop": {CropPct: 2}, "filter": {Interpolation: "cubic"},
		"std": {Std: &[3]float32{1, 0, 1}},
	} {
		if m, err := bitgpu.Open(t.Context(), bitgpu.Demo, bitgpu.Options{Preprocess: o}); err == nil {
			t.Errorf("%s: no error", name)
			m.Close()
		}
	}
}
