package net

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
)

// tinyConfig has few layers, because CPU drivers take a second to compile one, and fills no block.
func tinyConfig() Config {
	return Config{
		Layers: []int{2, 1}, Channels: []int{24, 36}, Mid: []int{8, 12}, Stem: 12,
		Classes: 11, Groups: 4, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
}

// testNetworkRun compares every output with float64, on sizes that are odd and not square.
func testNetworkRun(t *testing.T, dev *gpu.Device) {
	for _, s := range storages {
		c := tinyConfig()
		if s == shaders.F16 {
			c = oneStage()
		}
		m := randomWeights(c, 1)
		n := load(t, dev, c, m, Options{Storage: s})
		for _, spec := range []BatchSpec{
			tensors(3, 37, 51, everything(c)), tensors(2, 37, 51, Outputs{Logits: true}),
			tensors(1, 37, 51, Outputs{Maps: 2}), tensors(1, 37, 51, Outputs{Embedding: true, Maps: 1}),
		} {
			x := randomInput(spec, 2)
			out, err := n.Run(context.Background(), spec, x)
			if err != nil {
				t.Fatal(err)
			}
			checkReference(t, n, m, spec, x, out)
		}
	}
}

// testNetworkSplitWeights runs a network as on a device that binds less than a layer's weights.
func testNetworkSplitWeights(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	c.Channels, c.Classes = []int{24, 640}, 300
	m := randomWeights(c, 3)
	n := load(t, dev, c, m, Options{})
	n.target.MaxRange = 200_000 // bytes; the classifier has 778,240
	spec := tensors(2, 37, 51, Outputs{Logits: true, Maps: 4})
	plan, err := n.Plan(spec)
	if err != nil {
		t.Fatal(err)
	}
	if text := plan.String(); strings.Count(text, "head.fc") < 2 {
		t.Fatal("the classifier is not split:\n" + text)
	}
	x := randomInput(spec, 4)
	out, err := n.Run(context.Background(), spec, x)
	if err != nil {
		t.Fatal(err)
	}
	checkReference(t, n, m, spec, x, out)
}

// testNetworkPixels: bytes go through the table of their channel.
func testNetworkPixels(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	m := randomWeights(c, 5)
	o := Options{}
	for ch := range o.Normalize {
		for u := range 256 {
			o.Normalize[ch][u] = (float32(u)/255 - 0.5) * float32(ch+1)
		}
	}
	n := load(t, dev, c, m, o)
	spec := tensors(2, 37, 51, Outputs{Logits: true})
	spec.Input = Pixels
	b, err := n.Begin(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	rng := random(6)
	x := make([]float32, spec.Images*3*spec.Height*spec.Width)
	if len(b.Input()) != len(x) {
		t.Fatalf("input of %d bytes, want %d", len(b.Input()), len(x))
	}
	for i := range b.Input() {
		u := byte(rng.Uint32())
		b.Input()[i] = u
		pixels := spec.Height * spec.Width
		image, p, ch := i/3/pixels, i/3%pixels, i%3
		x[(image*3+ch)*pixels+p] = o.Normalize[ch][u]
	}
	if err := b.Submit(); err != nil {
		t.Fatal(err)
	}
	out, err := b.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	checkReference(t, n, m, spec, x, out)
}

func logits(t *testing.T, b *Batch) []float32 {
	t.Helper()
	out, err := b.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits.Data
}

// testNetworkCrops: what another job of the device has left, with four bytes a pixel, gives what pixels do.
func testNetworkCrops(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	o := Options{}
	for ch := range o.Normalize {
		for u := range 256 {
			o.Normalize[ch][u] = (float32(u)/255 - 0.5) * float32(ch+1)
		}
	}
	n := load(t, dev, c, randomWeights(c, 5), o)
	spec := tensors(3, 35, 33, Outputs{Logits: true})
	spec.Input = Pixels
	pixels := make([]byte, 3*35*33*3)
	rng := random(9)
	for i := range pixels {
		pixels[i] = byte(rng.Uint32())
	}
	b, err := n.Start(t.Context(), spec, func(input []byte) { copy(input, pixels) })
	if err != nil {
		t.Fatal(err)
	}
	if b.Crops() != nil {
		t.Error("pixels have crops")
	}
	want := logits(t, b)
	spec.Input = Crops
	if _, err := n.Start(t.Context(), spec, func([]byte) {}); err == nil {
		t.Error("Start with crops: no error")
	}
	if b, err = n.Begin(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if b.Input() != nil || b.Crops().Size() != 3*35*33*4 {
		t.Fatalf("%d bytes of input, %d of crops", len(b.Input()), b.Crops().Size())
	}
	staging, err := dev.NewBuffer(b.Crops().Size(), gpu.Upload)
	if err != nil {
		t.Fatal(err)
	}
	defer staging.Release()
	for i := range len(pixels) / 3 {
		copy(staging.Bytes()[4*i:], append(pixels[3*i:3*i+3:3*i+3], 0x7b))
	}
	fill, err := copyCommands(dev, b.Crops(), staging)
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Release()
	if _, err := dev.Submit(gpu.Job{Compute: fill}); err != nil {
		t.Fatal(err)
	}
	if err := b.Submit(); err != nil {
		t.Fatal(err)
	}
	if got := logits(t, b); !slices.Equal(got, want) {
		t.Errorf("%v, of pixels %v", got, want)
	}
}

// testNetworkProfile: the times are those of the plan's steps, parts of one step as one.
func testNetworkProfile(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	n := load(t, dev, c, randomWeights(c, 7), Options{})
	spec := tensors(1, 37, 51, Outputs{Logits: true})
	spec.Profile = true
	out, err := n.Run(context.Background(), spec, randomInput(spec, 8))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := n.Plan(spec)
	if err != nil {
		t.Fatal(err)
	}
	if n.dev.Info().Limits.TimestampPeriod == 0 {
		t.Skip("the device has no clock")
	}
	var names []string
	for _, s := range plan.Steps {
		if len(names) == 0 || names[len(names)-1] != s.Name {
			names = append(names, s.Name)
		}
	}
	for i, step := range out.Times {
		if i >= len(names) || step.Name != names[i] || step.Duration < 0 {
			t.Errorf("step %d is %s in %v", i, step.Name, step.Duration)
		}
	}
	if len(out.Times) != len(names) {
		t.Errorf("%d times, want %d", len(out.Times), len(names))
	}
}

func TestFitBatch(t *testing.T) {
	dev := gputest.OpenOptions(t, gpu.Options{MemoryBudget: 128 << 20}) // of which loading takes 112 MiB
	c := tinyConfig()
	n := load(t, dev, c, randomWeights(c, 9), Options{Storage: shaders.F16})
	for _, side := range []int{32, 64, 256} {
		spec := tensors(64, side, side, Outputs{Logits: true})
		images, err := n.FitBatch(spec)
		if err != nil {
			t.Fatal(err)
		}
		need := func(images int) int64 {
			s := spec
			s.Images = images
			p, err := n.Plan(s)
			if err != nil {
				t.Fatal(err)
			}
			return p.ArenaSize + slots*(p.InputSize+p.OutputSize)
		}
		free := dev.Memory().Budget
		if need(images) > free || images < 64 && need(2*images) <= free {
			t.Errorf("%d images of %d fit in %d bytes: one batch takes %d, twice as many %d", images, side, free, need(images), need(2*images))
		}
		if side == 256 && images == 64 {
			t.Error("the budget does not bind")
		}
	}
	// The arena that is there is used again, so it counts as free.
	spec := BatchSpec{Images: 64, Height: 256, Width: 256, Outputs: Outputs{Logits: true}}
	most, err := n.FitBatch(spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Images = most
	b, err := n.Begin(context.Background(), spec)
	if err != nil {
		t.Fatalf("a batch that fits: %v", err)
	}
	b.Discard()
	spec.Images = most * 3 / 4
	if images, err := n.FitBatch(spec); images != spec.Images {
		t.Errorf("with an arena for %d images, %d of %d fit: %v", most, images, spec.Images, err)
	}
	if _, err := n.FitBatch(tensors(1, 3000, 3000, Outputs{Logits: true})); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one image of 3000x3000: error %v", err)
	}
	if _, err := n.FitBatch(tensors(1, 16, 16, Outputs{Logits: true})); err == nil || errors.Is(err, ErrTooLarge) {
		t.Errorf("one image of 16x16: error %v", err)
	}
}

func testNetworkRunErrors(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	n := load(t, dev, c, randomWeights(c, 10), Options{})
	spec := tensors(1, 32, 32, Outputs{Logits: true})
	pixels := spec
	pixels.Input = Pixels
	for name, k := range map[string]struct {
		spec   BatchSpec
		values int
		want   string
	}{
		"few":    {spec, 3*32*32 - 1, "3071 float32 values for a batch of 1 at 32x32, want 3072"},
		"many":   {spec, 2 * 3 * 32 * 32, "6144 float32 values"},
		"pixels": {pixels, 3 * 32 * 32, "float32 values"},
		"small":  {tensors(1, 8, 8, Outputs{Logits: true}), 3 * 8 * 8, "at least 32x32"},
		"no out": {tensors(1, 32, 32, Outputs{}), 3 * 32 * 32, "no output wanted"},
		"batch":  {tensors(0, 32, 32, Outputs{Logits: true}), 0, "batch of 0 images"},
	} {
		for range slots + 1 { // a failed batch keeps no room
			if _, err := n.Run(context.Background(), k.spec, make([]float32, k.values)); err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("%s: error %v, want %q", name, err, k.want)
			}
		}
	}
	if _, err := Load(context.Background(), n.dev, Config{}, memory{}, Options{}); err == nil || !strings.Contains(fmt.Sprint(err), "same stages") {
		t.Errorf("a network without stages: error %v", err)
	}
}
