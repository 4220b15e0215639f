package resample_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net/resample"
)

// configurations are those of the BiT models.
var configurations = []loader.Preprocess{
	{Size: 384, CropPct: 1, Interpolation: loader.Bicubic},
	{Size: 224, CropPct: 0.875, Interpolation: loader.Bicubic},
	{Size: 448, CropPct: 1, Interpolation: loader.Bilinear},
	{Size: 224, CropPct: 0.875, Interpolation: loader.Bilinear},
}

// picture describes the crop of an image.
func picture(t testing.TB, p loader.Preprocess, m *loader.Image) resample.Picture {
	t.Helper()
	r, err := p.Resample(m.Width, m.Height)
	if err != nil {
		t.Fatal(err)
	}
	return resample.Picture{
		Width: r.Width, Height: r.Height, Pix: m.Pix[3*(r.Top*m.Width+r.Left):], Stride: 3 * m.Width,
		Columns: resample.Axis(r.Columns), Rows: resample.Axis(r.Rows),
	}
}

// crops resizes images on the device, as one call.
func crops(t *testing.T, dev *gpu.Device, r *resample.Resizer, p loader.Preprocess, images ...*loader.Image) []byte {
	t.Helper()
	var pictures []resample.Picture
	for _, m := range images {
		pictures = append(pictures, picture(t, p, m))
	}
	out, err := dev.NewBuffer(int64(len(images)*p.Size*p.Size*4), gpu.Readback)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	for i := range out.Bytes() {
		out.Bytes()[i] = 0xa5
	}
	last, err := r.Resize(t.Context(), pictures, out.All())
	if err != nil {
		t.Fatal(err)
	}
	if err := last.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(out.Bytes())
}

// check compares with what the processor makes.
func check(t *testing.T, p loader.Preprocess, got []byte, images ...*loader.Image) {
	t.Helper()
	for i, m := range images {
		want, err := p.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		crop := got[i*p.Size*p.Size*4:]
		for j := range p.Size * p.Size {
			if !bytes.Equal(crop[4*j:4*j+3], want.Pix[3*j:3*j+3]) || crop[4*j+3] != 0 {
				t.Errorf("picture %d, %d x %d, %+v: pixel %d,%d is %v, want %v", i, m.Width, m.Height, p, j%p.Size, j/p.Size, crop[4*j:4*j+4], want.Pix[3*j:3*j+3])
				break
			}
		}
	}
}

func noise(rng *rand.Rand, w, h int) *loader.Image {
	m := &loader.Image{Width: w, Height: h, Pix: make([]uint8, w*h*3)}
	for i := range m.Pix {
		m.Pix[i] = []uint8{0, 255, uint8(rng.Uint32())}[rng.IntN(3)]
	}
	return m
}

func resizer(t *testing.T, dev *gpu.Device) *resample.Resizer {
	t.Helper()
	r, err := resample.New(dev)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// All golden pictures in one call: sizes differ within a batch.
func TestResizeEqualsLoader(t *testing.T) {
	const folder = "../../loader/testdata/preproc/"
	text, err := os.ReadFile(folder + "manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var files []struct{ File string }
	if err := json.Unmarshal(text, &files); err != nil || len(files) != 29 {
		t.Fatalf("%d pictures, %v", len(files), err)
	}
	var images []*loader.Image
	for _, f := range files {
		m, err := loader.DecodeFile(folder+"src/"+f.File, loader.DecodeLimits{})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, m)
	}
	dev := gputest.Open(t)
	r := resizer(t, dev)
	for _, p := range configurations {
		check(t, p, crops(t, dev, r, p, images...), images...)
	}
}

// Odd sizes, single columns and rows, larger and smaller than the crop; crops whose bytes are not a multiple of any
// device's alignment.
func TestResizeOddSizes(t *testing.T) {
	dev, rng := gputest.Open(t), rand.New(rand.NewPCG(1, 2))
	r := resizer(t, dev)
	var images []*loader.Image
	for _, s := range [][2]int{{1, 1}, {1, 400}, {400, 1}, {2, 3}, {33, 33}, {57, 33}, {33, 64}, {131, 257}, {700, 5}, {5, 4099}, {640, 480}} {
		images = append(images, noise(rng, s[0], s[1]))
	}
	for _, p := range []loader.Preprocess{
		{Size: 33, CropPct: 0.875, Interpolation: loader.Bicubic}, {Size: 1, Interpolation: loader.Bilinear},
		{Size: 64, CropPct: 0.5, Interpolation: loader.Bilinear}, {Size: 131, Interpolation: loader.Bicubic},
		{Size: 48, Interpolation: loader.Lanczos}, {Size: 48, Interpolation: loader.Nearest},
		{Size: 48, Interpolation: loader.Box}, {Size: 48, Interpolation: loader.Hamming},
	} {
		check(t, p, crops(t, dev, r, p, images...), images...)
	}
}

// More than a group, and pictures that are larger than one; then small ones in the same memory.
func TestResizeGroups(t *testing.T) {
	dev, rng := gputest.Open(t), rand.New(rand.NewPCG(3, 4))
	r := resizer(t, dev)
	p := loader.Preprocess{Size: 32, Interpolation: loader.Bilinear}
	large, small := noise(rng, 5000, 5000), noise(rng, 2600, 2700)
	images := []*loader.Image{small, large, small, small, small, small}
	check(t, p, crops(t, dev, r, p, images...), images...)
	tiny := noise(rng, 9, 9)
	check(t, p, crops(t, dev, r, p, tiny), tiny)
	before := dev.Memory().Used
	r.Trim()
	if after := dev.Memory().Used; after >= before || after > 1<<20 {
		t.Errorf("%d bytes in use after Trim, %d before", after, before)
	}
	check(t, p, crops(t, dev, r, p, tiny), tiny)
}

// On devices with memory of their own pictures are copied there.
func TestResizeCopies(t *testing.T) {
	dev, rng := gputest.Open(t), rand.New(rand.NewPCG(7, 8))
	r := resizer(t, dev)
	r.CopyToDevice()
	p := loader.Preprocess{Size: 48, CropPct: 0.875, Interpolation: loader.Bicubic}
	for range 3 {
		images := []*loader.Image{noise(rng, 301, 200), noise(rng, 20, 97), noise(rng, 640, 480)}
		check(t, p, crops(t, dev, r, p, images...), images...)
	}
	r.Trim()
	tiny := noise(rng, 5, 7)
	check(t, p, crops(t, dev, r, p, tiny), tiny)
}

func TestResizeConcurrently(t *testing.T) {
	dev, rng := gputest.Open(t), rand.New(rand.NewPCG(5, 6))
	r := resizer(t, dev)
	p := loader.Preprocess{Size: 40, CropPct: 0.9, Interpolation: loader.Bicubic}
	var wg sync.WaitGroup
	for i := range 12 {
		a, b := noise(rng, 50+37*i, 300-20*i), noise(rng, 64, 40+i)
		wg.Go(func() { check(t, p, crops(t, dev, r, p, a, b), a, b) })
	}
	wg.Wait()
}

func TestResizeErrors(t *testing.T) {
	dev := gputest.OpenOptions(t, gpu.Options{MemoryBudget: 8 << 20})
	r := resizer(t, dev)
	p := loader.Preprocess{Size: 8, Interpolation: loader.Bicubic}
	good := picture(t, p, noise(rand.New(rand.NewPCG(1, 1)), 20, 30))
	out, err := dev.NewBuffer(8*8*4, gpu.Readback)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*resample.Picture)) []resample.Picture {
		c := good
		f(&c)
		return []resample.Picture{c}
	}
	rows := int(dev.Info().Limits.MaxStorageBufferRange/60) + 1
	for name, c := range map[string]struct {
		pictures []resample.Picture
		dst      gpu.Range
		want     error
	}{
		"none":        {nil, out.All(), nil},
		"destination": {[]resample.Picture{good}, out.Slice(0, 8*8*4-4), nil},
		"two crops": {[]resample.Picture{good, {Width: 1, Height: 1, Pix: make([]uint8, 3), Stride: 3,
			Columns: resample.Axis{Taps: 1, First: []int32{0}, Coeffs: []int32{1}}, Rows: good.Rows}}, out.All(), nil},
		"no pixels": {change(func(p *resample.Picture) { p.Pix = p.Pix[:100] }), out.All(), nil},
		"stride":    {change(func(p *resample.Picture) { p.Stride = 5 }), out.All(), nil},
		"no taps":   {change(func(p *resample.Picture) { p.Columns.Taps = 0 }), out.All(), nil},
		"weights":   {change(func(p *resample.Picture) { p.Rows.Coeffs = p.Rows.Coeffs[1:] }), out.All(), nil},
		"window":    {change(func(p *resample.Picture) { p.Height = 3 }), out.All(), nil},
		"large":     {change(func(p *resample.Picture) { p.Height, p.Pix = rows, make([]uint8, 60*rows) }), out.All(), resample.ErrTooLarge},
		"no memory": {change(func(p *resample.Picture) {
			p.Width, p.Height, p.Stride, p.Pix = 2000, 2000, 6000, make([]uint8, 12000000)
		}), out.All(), gpu.ErrOutOfMemory},
		"many taps": {change(func(p *resample.Picture) {
			p.Rows = resample.Axis{Taps: 9000, First: make([]int32, 8), Coeffs: make([]int32, 8*9000)}
		}), out.All(), resample.ErrTooLarge},
		"wrong dest": {[]resample.Picture{good}, gpu.Range{Size: 8 * 8 * 4}, nil},
	} {
		_, err := r.Resize(t.Context(), c.pictures, c.dst)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a frame may be free, too
		if _, err := r.Resize(ctx, []resample.Picture{good}, out.All()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if last, err := r.Resize(t.Context(), []resample.Picture{good}, out.All()); err != nil || last.Wait(t.Context()) != nil {
		t.Errorf("after the errors: %v", err)
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resize(t.Context(), []resample.Picture{good}, out.All()); !errors.Is(err, gpu.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
