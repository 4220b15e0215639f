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

// The filters of the BiT models, and the others that Pillow has. All but Nearest
// widen with the reduction, so that shrinking averages (Pillow's and
// torchvision's antialias).
const (
	Bilinear Interpolation = iota
	Bicubic                // a = -0.5
	Lanczos                // 3 lobes
	Box
	Hamming
	Nearest // the one sample in the middle
)

// String is the name that timm's configurations use.
func (i Interpolation) String() string {
	if names := Interpolations(); i >= 0 && int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("Interpolation(%d)", int(i))
}

// Interpolations lists the names of all filters, by their values.
func Interpolations() []string {
	return []string{Bilinear: "bilinear", Bicubic: "bicubic", Lanczos: "lanczos", Box: "box", Hamming: "hamming", Nearest: "nearest"}
}

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
	switch i {
	case Box:
		return 0.5
	case Bicubic:
		return 2
	case Lanczos:
		return lobes
	}
	return 1
}

// lobes of Lanczos on each side.
const lobes = 3

// weight is the filter at distance x.
func (i Interpolation) weight(x float64) float64 {
	switch {
	case i == Box && x > -0.5 && x <= 0.5:
		return 1
	case i == Box, i == Lanczos && !(x >= -lobes && x < lobes):
		return 0
	case i == Lanczos:
		return float64(sinc(x) * sinc(x/lobes))
	}
	x = math.Abs(x)
	switch {
	case i == Bilinear:
		return max(1-x, 0)
	case i == Hamming && x >= 1:
		return 0
	case i == Hamming:
		// Pillow writes the window's constants as floats.
		return float64(sinc(x) * float64(float64(float32(0.54))+float64(float64(float32(0.46))*math.Cos(float64(x*math.Pi)))))
	}
	return cubic(x)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x = float64(x * math.Pi)
	return math.Sin(x) / x
}

// cubic is Keys' kernel, x at least 0.
func cubic(x float64) float64 {
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
	if i == Nearest {
		return nearest(in, out, start, n)
	}
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

// nearest is windows of one sample each. Positions are sums of steps, as in
// Pillow's ImagingScaleAffine (Geometry.c), whose rounding errors they share.
func nearest(in, out, start, n int) []window {
	step := float64(in) / float64(out)
	whole := []int32{1 << coeffBits}
	ws := make([]window, n)
	at := float64(step * 0.5)
	for range start {
		at = float64(at + step)
	}
	for k := range ws {
		ws[k] = window{min(int(at), in-1), whole}
		at = float64(at + step)
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
