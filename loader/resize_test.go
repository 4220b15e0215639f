package loader

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// resizeWhole is the resize as Pillow states it: each pass over the whole
// picture, in int64.
func resizeWhole(src *Image, width, height int, filter Interpolation) *Image {
	sample := func(n int, at func(i int) uint8, w window) uint8 {
		s := int64(1) << (coeffBits - 1)
		for j, k := range w.coeffs {
			if w.first+j >= n {
				panic("window outside the picture")
			}
			s += int64(at(w.first+j)) * int64(k)
		}
		return uint8(min(max(s>>coeffBits, 0), 255))
	}
	if width != src.Width {
		dst := newImage(width, src.Height)
		for x, w := range filter.windows(src.Width, width, 0, width) {
			for y := range src.Height {
				for c := range 3 {
					dst.row(y)[x*3+c] = sample(src.Width, func(i int) uint8 { return src.row(y)[i*3+c] }, w)
				}
			}
		}
		src = dst
	}
	if height != src.Height {
		dst := newImage(width, height)
		for y, w := range filter.windows(src.Height, height, 0, height) {
			for i := range dst.row(y) {
				dst.row(y)[i] = sample(src.Height, func(j int) uint8 { return src.row(j)[i] }, w)
			}
		}
		src = dst
	}
	return src
}

// noise is a picture of extreme values, where sums leave 0..255 most.
func noise(rng *rand.Rand, width, height int) *Image {
	m := newImage(width, height)
	for i := range m.Pix {
		m.Pix[i] = uint8(255 * rng.IntN(2))
	}
	return m
}

func TestResizeCropEqualsCropOfResize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		src := noise(rng, 1+rng.IntN(60), 1+rng.IntN(60))
		width, height := 1+rng.IntN(60), 1+rng.IntN(60)
		if rng.IntN(4) == 0 {
			width = src.Width
		}
		if rng.IntN(4) == 0 {
			height = src.Height
		}
		filter := Interpolation(rng.IntN(2))
		r := rect{left: rng.IntN(width), top: rng.IntN(height)}
		r.width, r.height = 1+rng.IntN(width-r.left), 1+rng.IntN(height-r.top)

		whole := resizeWhole(src, width, height, filter)
		var want []uint8
		for y := range r.height {
			want = append(want, whole.row(r.top + y)[r.left*3:(r.left+r.width)*3]...)
		}
		got := make([]uint8, r.width*r.height*3)
		resizeCrop(got, src, width, height, r, filter)
		if !bytes.Equal(got, want) {
			t.Errorf("%d x %d to %d x %d, %+v, %v: differs", src.Width, src.Height, width, height, r, filter)
		}
	}
}

func TestWindows(t *testing.T) {
	for _, filter := range []Interpolation{Bilinear, Bicubic} {
		for _, size := range [][2]int{{1, 1}, {1, 50}, {50, 1}, {2, 3}, {3, 2}, {100, 37}, {37, 100}, {4000, 3}, {13377, 384}} {
			in, out := size[0], size[1]
			t.Run(fmt.Sprintf("%v %d to %d", filter, in, out), func(t *testing.T) {
				all := filter.windows(in, out, 0, out)
				previous := window{}
				for i, w := range all {
					sum, absolute := int64(0), int64(0)
					for _, k := range w.coeffs {
						sum += int64(k)
						absolute += max(int64(k), -int64(k))
					}
					if len(w.coeffs) == 0 || w.first < 0 || w.end() > in {
						t.Errorf("%d: samples %d to %d of %d", i, w.first, w.end(), in)
					}
					if w.first < previous.first || w.end() < previous.end() {
						t.Errorf("%d: runs backwards", i)
					}
					if d := sum - 1<<coeffBits; max(d, -d) > int64(len(w.coeffs)) {
						t.Errorf("%d: coefficients add up to %d", i, sum)
					}
					if absolute*255+roundHalf > 1<<31-1 {
						t.Errorf("%d: absolute coefficients add up to %d: sums may overflow", i, absolute)
					}
					previous = w
				}
				// A part of the table is the same table.
				start := out / 3
				for i, w := range filter.windows(in, out, start, out-start) {
					if fmt.Sprint(w) != fmt.Sprint(all[start+i]) {
						t.Errorf("%d: %v, in the whole table %v", start+i, w, all[start+i])
					}
				}
			})
		}
	}
}

func TestFixedPointRoundsHalfAwayFromZero(t *testing.T) {
	const unit = 1.0 / (1 << coeffBits)
	for w, want := range map[float64]int32{0: 0, 0.5 * unit: 1, 0.49 * unit: 0, 1.5 * unit: 2, 2.5 * unit: 3, -0.5 * unit: -1, -0.49 * unit: 0, -2.5 * unit: -3, 1: 1 << coeffBits} {
		if got := fixedPoint(w); got != want {
			t.Errorf("%v units: %d, want %d", w/unit, got, want)
		}
	}
}

func TestHalfToEven(t *testing.T) {
	for n, want := range []int{0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6} {
		if got := halfToEven(n); got != want {
			t.Errorf("%d/2: %d, want %d", n, got, want)
		}
	}
}
