// This file owns the description of what Apply computes, for those who compute it by other means: the
// windows that make a crop out of a picture of a given size.

package loader

import "fmt"

// Resample is how Apply makes the crop of a picture of a certain size: in two passes, Columns first, with
// uint8 between them. The coordinates of the passes are those of a part of the picture, which is all that
// the crop depends on.
type Resample struct {
	Left, Top, Width, Height int // the part
	Columns                  Axis
	Rows                     Axis
}

// Axis is how the samples of one direction of a crop are made. Sample i is the sum of Taps samples of the
// part from First[i] on with the weights Coeffs[i*Taps:], plus 1<<21, shifted right by 22 bits and clamped
// to 0..255. The absolute weights of a sample add up to less than 1.6 * 2^22, so that no sum leaves 32 bits.
// Weights past the end of a sample's window are zero, and may lie past the end of the part.
type Axis struct {
	Taps   int
	First  []int32
	Coeffs []int32
}

// Resample describes what Apply does to a picture of w x h pixels.
func (p Preprocess) Resample(w, h int) (*Resample, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if w < 1 || h < 1 {
		return nil, fmt.Errorf("loader: preprocess: a picture of %d x %d pixels", w, h)
	}
	rw, rh, left, top := p.Geometry(w, h)
	r := &Resample{}
	r.Columns, r.Left, r.Width = p.Interpolation.axis(w, rw, left, p.Size)
	r.Rows, r.Top, r.Height = p.Interpolation.axis(h, rh, top, p.Size)
	return r, nil
}

// axis returns the samples start to start+n of a resize from in to out samples, and the part of the input
// that they depend on.
func (i Interpolation) axis(in, out, start, n int) (a Axis, from, size int) {
	windows := i.windows(in, out, start, n)
	if in == out { // resizeCrop copies; one weight of 1 gives the same
		for k := range windows {
			windows[k] = window{start + k, []int32{1 << coeffBits}}
		}
	}
	from, size = windows[0].first, windows[n-1].end()-windows[0].first
	for _, w := range windows {
		a.Taps = max(a.Taps, len(w.coeffs))
	}
	a.First, a.Coeffs = make([]int32, n), make([]int32, n*a.Taps)
	for k, w := range windows {
		a.First[k] = int32(w.first - from)
		copy(a.Coeffs[k*a.Taps:], w.coeffs)
	}
	return a, from, size
}
