//go:build desktop

package view

import (
	"context"
	"image"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// filled is a gallery of n pictures with the demo network open.
func filled(n int) *gallery {
	g := newGallery(Model{Name: "demo"}, func() {})
	g.open = &g.want
	for range n {
		g.items = append(g.items, &item{picture: &picture{}, answers: map[Model]*answer{}})
	}
	return g
}

func TestOrderOfWork(t *testing.T) {
	g := filled(5)
	g.index = 3
	var order []int
	for {
		j, ok := g.toRun()
		if !ok {
			break
		}
		for i, it := range g.items {
			if it == j.item {
				order = append(order, i)
			}
		}
		j.item.answers[g.want] = &answer{}
	}
	want := []int{3, 4, 0, 1, 2}
	for i := range want {
		if len(order) != len(want) || order[i] != want[i] {
			t.Fatalf("pictures in the order %v, want %v", order, want)
		}
	}
	g.mode, g.mapIndex = features, 2
	if j, ok := g.toRun(); !ok || j.item != g.items[3] || j.grid != 2 {
		t.Errorf("%+v, %v, want the feature map of the current picture", j, ok)
	}
}

// Whoever goes on gets its picture at once: other work is given up, and what is far away is dropped.
func TestMoving(t *testing.T) {
	g := filled(10)
	cancelled := false
	g.running, g.cancel = g.items[0], func() { cancelled = true }
	g.items[9].answers[g.want] = &answer{heat: &image.NRGBA{}}
	g.move(-1)
	if g.index != 9 {
		t.Errorf("before the first comes %d, want the last", g.index)
	}
	if cancelled {
		t.Error("work was given up for a picture that has its answer")
	}
	for _, it := range g.items {
		it.picture = &picture{}
	}
	g.move(5)
	if g.index != 4 || !cancelled {
		t.Errorf("at %d, cancelled %v", g.index, cancelled)
	}
	for i, it := range g.items {
		if kept := it.picture != nil; kept != (g.distance(i) <= near) {
			t.Errorf("picture %d is kept: %v", i, kept)
		}
	}
	if g.items[9].answers[g.want].heat != nil {
		t.Error("a map far away is kept")
	}
	if newGallery(Model{}, func() {}).current() != nil {
		t.Error("an empty gallery has a current picture")
	}
	newGallery(Model{}, func() {}).move(1)
}

func TestDecodesAhead(t *testing.T) {
	g := filled(6)
	for _, it := range g.items {
		it.picture = nil
	}
	var order []*item
	for it := g.toRead(); it != nil; it = g.toRead() {
		it.picture = &picture{}
		order = append(order, it)
	}
	want := []*item{g.items[0], g.items[1], g.items[5]}
	for i := range want {
		if len(order) != len(want) || order[i] != want[i] {
			t.Fatalf("%d pictures, or in another order", len(order))
		}
	}
}

func TestLevels(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {3, 5}, {64, 1}, {maxShown + 1, 7}, {5000, 3000}} {
		img := image.NewNRGBA(image.Rect(0, 0, size.X, size.Y))
		for i := range img.Pix {
			img.Pix[i] = 200
		}
		all := levels(img)
		last := all[len(all)-1].Rect
		if max(all[0].Rect.Dx(), all[0].Rect.Dy()) > maxShown || last.Dx() != 1 || last.Dy() != 1 {
			t.Errorf("%v: from %v to %v", size, all[0].Rect, last)
		}
		for i, l := range all {
			if w, h := max(all[0].Rect.Dx()>>i, 1), max(all[0].Rect.Dy()>>i, 1); l.Rect.Dx() != w || l.Rect.Dy() != h {
				t.Errorf("%v: level %d is %v, want %dx%d", size, i, l.Rect, w, h)
			}
			for _, v := range l.Pix {
				if v != 200 {
					t.Fatalf("%v: level %d has %d", size, i, v)
				}
			}
		}
	}
}

// A cell's colour is centred on the pixel of the crop that it is about.
func TestHeatmap(t *testing.T) {
	const n, stride, size = 8, 32, 256
	cells := make([]float32, n*n)
	cells[3*n+5] = 2
	img := heatmap(cells, n, n, size, stride)
	best, at := uint8(0), image.Point{}
	for y := range mapSide {
		for x := range mapSide {
			if a := img.NRGBAAt(x, y).A; a > best {
				best, at = a, image.Pt(x, y)
			}
		}
	}
	k := mapSide / size
	if want := image.Pt(5*stride*k, 3*stride*k); max(at.X-want.X, want.X-at.X, at.Y-want.Y, want.Y-at.Y) > 12 {
		t.Errorf("the map is highest at %v, want about %v", at, want)
	}
	if a := img.NRGBAAt(0, mapSide-1).A; a > 3 {
		t.Errorf("opacity %d where nothing is", a)
	}
}

func TestDrawGrid(t *testing.T) {
	m := &bitgpu.Tensor{Shape: []int{1, 3, 2, 2}, Data: []float32{1, 1, 1, 1, 0, 0, 0, 9, 0, 1, 0, 1}}
	g := drawGrid(2, m)
	if g.channels != 3 || g.all != 3 || g.index != 2 {
		t.Errorf("%+v", g)
	}
	// The liveliest channel comes first: dark, but for its last cell.
	if dark, light := bitgpu.Viridis.At(0), bitgpu.Viridis.At(1); g.img.NRGBAAt(0, 0).B != dark.B || g.img.NRGBAAt(g.side-1, g.side-1).R != light.R {
		t.Error("the channels are in another order")
	}
}

// What the fonts lack is seen to be there all the same.
func TestUnknownGlyphs(t *testing.T) {
	g, err := newGlyphs()
	if err != nil {
		t.Fatal(err)
	}
	_, f := g.face(body, 1)
	var drawn []rune
	width := g.each(f, "a図", func(r rune, _ float32) { drawn = append(drawn, r) })
	if string(drawn) != "a"+string(unknown) || width <= g.each(f, "a", nil) {
		t.Errorf("%q, %v wide", string(drawn), width)
	}
}

func TestCropOf(t *testing.T) {
	p := loader.Preprocess{Size: 224, CropPct: 0.875}
	if got := cropOf(image.Rect(0, 0, 512, 256), p); got != image.Rect(144, 16, 368, 240) {
		t.Errorf("%v", got)
	}
}

// A picture's decoding ends with its context.
func TestDecodePassesItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := decode(ctx, Item{Decode: func(ctx context.Context) (*loader.Image, error) { return nil, ctx.Err() }})
	if err == nil {
		t.Error("no error")
	}
}
