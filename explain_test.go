package bitgpu_test

import (
	"image"
	"math"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// TestExplain adds maps up to logits, for classes that are named and for the most probable ones.
func TestExplain(t *testing.T) {
	img := open(photo)
	for _, o := range []bitgpu.Options{{Precision: bitgpu.FP32}, {Precision: bitgpu.FP16, Preprocess: bitgpu.Override{Size: 96}}, {Head: demoHead(t, 5, 3)}} {
		m := demo(t, o)
		last := m.Info().Config.Classes - 1
		e, err := m.Explain(t.Context(), img, last, -1, 0, -2)
		if err != nil {
			t.Fatal(err)
		}
		top := m.Top(e.Logits, 2)
		if want := []int{last, top[0].Index, 0, top[1].Index}; !slices.Equal(e.Classes, want) {
			t.Errorf("classes %v, want %v", e.Classes, want)
		}
		size := m.Info().Preprocess.Size / 32
		if want := []int{4, size, size}; !slices.Equal(e.Maps.Shape, want) || e.Stride != 32 {
			t.Errorf("shape %v, stride %d; want %v and 32", e.Maps.Shape, e.Stride, want)
		}
		bound := 1e-5
		if m.Info().Precision == bitgpu.FP16 {
			bound = 5e-3
		}
		for i, class := range e.Classes {
			mean := 0.0
			for _, v := range e.Maps.Data[i*size*size : (i+1)*size*size] {
				mean += float64(v) / float64(size*size)
			}
			if d := math.Abs(mean + float64(e.Bias[i]-e.Logits[class])); !(d <= bound) {
				t.Errorf("class %d: %g from its logit", class, d)
			}
		}
	}
	m := demo(t, bitgpu.Options{})
	e, err := m.Explain(t.Context(), img)
	if err != nil || !slices.Equal(e.Classes, []int{3}) {
		t.Errorf("without classes: %+v, %v", e, err)
	}
	for _, class := range []int{10, -11} {
		if _, err := m.Explain(t.Context(), img, class); err == nil {
			t.Errorf("class %d is explained", class)
		}
	}
}

// TestCrop has the pixels of the network's input at its size, and more of the same at another.
func TestCrop(t *testing.T) {
	m := demo(t, bitgpu.Options{Preprocess: bitgpu.Override{CropPct: 0.75}})
	img := open(photo)
	e, err := m.Explain(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Info().Preprocess.Apply(loader.FromGoImage(img))
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []int{0, 256} {
		crop, err := e.Crop(side)
		if err != nil {
			t.Fatal(err)
		}
		n := crop.Bounds().Dx() / want.Width // pixels of the crop for one of the input
		worst := 0.0
		for y := range want.Height {
			for x := range want.Width {
				for c := range 3 {
					mean := 0.0
					for v := range n {
						for u := range n {
							mean += float64(crop.Pix[crop.PixOffset(x*n+u, y*n+v)+c]) / float64(n*n)
						}
					}
					worst = max(worst, math.Abs(mean-float64(want.Pix[3*(y*want.Width+x)+c])))
				}
			}
		}
		// The filters are not the same; half a pixel of shift would cost 50.
		if limit := 12.0; worst > limit {
			t.Errorf("side %d: up to %.1f from the network's input, want at most %v", side, worst, limit)
		}
	}
}

// TestOverlay leaves a picture as it is where nothing is seen, and colours the highest place.
func TestOverlay(t *testing.T) {
	m := demo(t, bitgpu.Options{Preprocess: bitgpu.Override{Size: 96}})
	e, err := m.Explain(t.Context(), open(photo), 3)
	if err != nil {
		t.Fatal(err)
	}
	e.Maps.Data = []float32{0, 0, 0, 0, 0, 8, 0, 0, 0}
	crop, _ := e.Crop(192)
	over, err := e.Overlay(0, bitgpu.MapStyle{Side: 192, Opacity: 1, Colormap: bitgpu.Magma})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := e.Map(0, bitgpu.MapStyle{Side: 192, Colormap: bitgpu.Magma})
	if err != nil {
		t.Fatal(err)
	}
	// Cell 1, 2 is about pixel 64, 32 of 96, which is where 129, 65 of 192 is.
	peak := image.Pt(129, 65)
	if got, want := over.At(peak.X, peak.Y), bitgpu.Magma.At(1); got != want || alone.At(peak.X, peak.Y) != want {
		t.Errorf("%v and %v where the map is highest, want %v", got, alone.At(peak.X, peak.Y), want)
	}
	for _, p := range []image.Point{{1, 1}, {65, 129}, {1, 65}, {190, 190}} {
		if over.At(p.X, p.Y) != crop.At(p.X, p.Y) || alone.At(p.X, p.Y) != bitgpu.Magma.At(0) {
			t.Errorf("%v: %v, want the picture's %v", p, over.At(p.X, p.Y), crop.At(p.X, p.Y))
		}
	}
	for _, s := range []bitgpu.MapStyle{{Side: -1}, {Side: 1 << 20}, {Opacity: 1.5}, {Opacity: math.NaN()}, {Low: 2, High: 1}, {Low: math.NaN(), High: 1}} {
		if _, err := e.Overlay(0, s); err == nil {
			t.Errorf("%+v is drawn", s)
		}
	}
	if _, err := e.Map(1, bitgpu.MapStyle{}); err == nil {
		t.Error("a map that is not there is drawn")
	}
}

// TestFieldOfView looks for the pixels that a cell of the final features depends on: the middle of what moves it most is where
// pictures of maps have the cell.
func TestFieldOfView(t *testing.T) {
	const side, block, cells = 96, 16, 3
	m := demo(t, bitgpu.Options{Precision: bitgpu.FP32})
	x := noise(1, side, side)
	all := &bitgpu.Tensor{Shape: []int{1 + side/block*side/block, 3, side, side}}
	all.Data = append(all.Data, x.Data...)
	for at := range side / block * side / block {
		changed := slices.Clone(x.Data)
		for i := range changed {
			if row, column := i/side%side, i%side; row/block == at/(side/block) && column/block == at%(side/block) {
				changed[i] = -changed[i]
			}
		}
		all.Data = append(all.Data, changed...)
	}
	out, err := m.Forward(t.Context(), all, bitgpu.Outputs{Unpooled: true})
	if err != nil {
		t.Fatal(err)
	}
	n := len(out.Unpooled.Data) / all.Shape[0]
	moved := func(picture int) (square float64) { // of the cell in the middle
		for i := cells + 1; i < n; i += cells * cells {
			d := float64(out.Unpooled.Data[picture*n+i] - out.Unpooled.Data[i])
			square += d * d
		}
		return square
	}
	most := 0.0
	for i := range all.Shape[0] {
		most = max(most, moved(i))
	}
	var sum, sx, sy float64
	for at := range all.Shape[0] - 1 {
		if w := moved(at + 1); w > 0.1*most { // less comes with the normalization, from everywhere
			sum += w
			sx += w * (float64(at%(side/block)) + 0.5) * block
			sy += w * (float64(at/(side/block)) + 0.5) * block
		}
	}
	t.Logf("the middle is at %.1f, %.1f", sx/sum, sy/sum)
	if math.Hypot(sx/sum-32, sy/sum-32) > 6 {
		t.Errorf("the middle of what cell 1, 1 sees is at %.1f, %.1f, want about 32, 32", sx/sum, sy/sum)
	}
}

// TestColormaps have the ends that are published, and grow lighter from one to the other.
func TestColormaps(t *testing.T) {
	for name, ends := range map[string][2][3]uint8{
		"viridis": {{0x44, 0x01, 0x54}, {0xfd, 0xe7, 0x25}}, "magma": {{0, 0, 4}, {0xfc, 0xfd, 0xbf}}, "inferno": {{0, 0, 4}, {0xfc, 0xff, 0xa4}},
	} {
		c, err := bitgpu.ParseColormap(name)
		if err != nil || c.String() != name {
			t.Fatal(name, c, err)
		}
		for i, x := range []float64{math.Inf(-1), 1.5} {
			if got := c.At(x); got.R != ends[i][0] || got.G != ends[i][1] || got.B != ends[i][2] {
				t.Errorf("%s at %v: %v, want %v", name, x, got, ends[i])
			}
		}
		before := -1.0
		for i := range 256 {
			p := c.At(float64(i) / 255)
			light := 0.2126*math.Pow(float64(p.R)/255, 2.2) + 0.7152*math.Pow(float64(p.G)/255, 2.2) + 0.0722*math.Pow(float64(p.B)/255, 2.2)
			if light < before-1e-3 {
				t.Errorf("%s gets darker at %d", name, i)
			}
			before = light
		}
		if c.At(math.NaN()) != c.At(0) {
			t.Errorf("%s of NaN: %v", name, c.At(math.NaN()))
		}
	}
	if _, err := bitgpu.ParseColormap("jet"); err == nil {
		t.Error("jet is taken")
	}
}
