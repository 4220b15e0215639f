// This file owns the resampling filters and their tables: Pillow's
// (src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc), to
// the last bit. The tables are computed in float64 with every product rounded
// by an explicit conversion: without it the compiler may fuse a multiplication
// and an addition on some architectures, and tables would differ between them.

package loader

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Interpolation is a resampling filter. The zero value is Bilinear.
type Interpolation int

// The filters of the BiT models. Both widen with the reduction, so that
// shrinking averages (Pillow's and torchvision's antialias).
const (
	Bilinear Interpolation = iota
	Bicubic                // a = -0.5
)

// String is the name that timm's configurations use.
func (i Interpolation) String() string {
	if names := Interpolations(); i >= 0 && int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("Interpolation(%d)", int(i))
}

// Interpolations lists the names of all filters, by their values.
func Interpolations() []string { return []string{Bilinear: "bilinear", Bicubic: "bicubic"} }

// ParseInterpolation is the inverse of String.
func ParseInterpolation(name string) (Interpolation, error) {
	names := Interpolations()
	if i := slices.Index(names, name); i >= 0 {
		return Interpolation(i), nil
	}
	return 0, fmt.Errorf("loader: interpolation %q, want one of %s", name, strings.Join(names, ", "))
}

// support is half the width of the filter in input pixels, for enlarging.
func (i Interpolation) support() float64 {
	if i == Bicubic {
		return 2
	}
	return 1
}

// weight is the filter at distance x.
func (i Interpolation) weight(x float64) float64 {
	x = math.Abs(x)
	if i == Bilinear {
		return max(1-x, 0)
	}
	const a = -0.5
	switch {
	case x < 1:
		return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}

// coeffBits is the number of fractional bits of a coefficient.
const coeffBits = 32 - 8 - 2

// window is the part of the input that makes one output sample: input
// first+j has weight coeffs[j] / 2^coeffBits.
type window struct {
	first  int
	coeffs []int32
}

// end is the input sample after the last of w.
func (w window) end() int { return w.first + len(w.coeffs) }

// windows gives the windows of output samples start to start+n of a resize
// from in to out samples. Their starts and ends never decrease.
func (i Interpolation) windows(in, out, start, n int) []window {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(i.support() * stretch)
	inverse := 1 / stretch
	ws := make([]window, n)
	size := min(int(math.Ceil(support))*2+1, in)
	coeffs := make([]int32, 0, n*size)
	weights := make([]float64, size)
	for k := range ws {
		center := float64((float64(start+k) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), in)
		sum := 0.0
		for j := range weights[:end-first] {
			w := i.weight(float64((float64(first+j) - center + 0.5) * inverse))
			weights[j] = w
			sum += w
		}
		from := len(coeffs)
		for _, w := range weights[:end-first] {
			if sum != 0 {
				w /= sum
			}
			coeffs = append(coeffs, fixedPoint(w))
		}
		ws[k] = window{first, coeffs[from:len(coeffs):len(coeffs)]}
	}
	return ws
}

// fixedPoint rounds w to coeffBits fractional bits, halves away from zero.
func fixedPoint(w float64) int32 {
	w = float64(w * (1 << coeffBits))
	if w < 0 {
		return int32(w - 0.5)
	}
	return int32(w + 0.5)
}
