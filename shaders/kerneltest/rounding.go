package kerneltest

import (
	"math"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// U is the unit roundoff of binary32: half the distance from 1 to the next number.
const U = 0x1p-24

// MaxHalf is the largest finite binary16 value.
const MaxHalf = 65504

// spacing is the distance between storage values around v.
func spacing(s shaders.Storage, v float64) float64 {
	digits, least := 23, -126
	if s == shaders.F16 {
		digits, least = 10, -14
	}
	_, exp := math.Frexp(v) // |v| in [2^(exp-1), 2^exp)
	if v == 0 {
		exp = least
	}
	return math.Ldexp(1, max(exp-1, least)-digits)
}

// Round returns the storage value that is nearest to v, ties to even; binary16 saturates.
func Round(s shaders.Storage, v float64) float64 {
	ulp := spacing(s, v)
	r := math.RoundToEven(v/ulp) * ulp
	if s == shaders.F16 {
		r = min(max(r, -MaxHalf), MaxHalf)
	}
	return r
}

// StoreError bounds what storing changes in a value that is within err of v.
func StoreError(s shaders.Storage, v, err float64) float64 {
	return spacing(s, math.Abs(v)+err) / 2
}

// SumError bounds the error of n dependent binary32 roundings of partial sums that stay below
// magnitude, the sum of the terms' absolute values. Rounding errors behave as independent: their sum
// exceeds 5 sqrt(n) unit roundoffs with a probability below 1e-5 (Higham and Mary 2019, A New
// Approach to Probabilistic Rounding Error Analysis).
func SumError(n int, magnitude float64) float64 {
	return 5 * math.Sqrt(float64(n)) * U * magnitude
}

// Values collects a reference with a bound on the error of every value.
type Values struct {
	Want, Bound []float64
}

// Add appends a value that a kernel computes within err and then stores.
func (v *Values) Add(s shaders.Storage, want, err float64) {
	v.Want = append(v.Want, want)
	v.Bound = append(v.Bound, err+StoreError(s, want, err))
}

// AddExact appends a value that a kernel must meet.
func (v *Values) AddExact(want float64) {
	v.Want = append(v.Want, want)
	v.Bound = append(v.Bound, 0)
}

// Check fails the test if got is not within the bounds. NaN is what is wanted only where that is NaN, too.
func (v *Values) Check(t testing.TB, what string, got []float64) {
	t.Helper()
	if len(got) != len(v.Want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(v.Want))
		return
	}
	wrong := 0
	for i, w := range v.Want {
		if math.IsNaN(w) && math.IsNaN(got[i]) {
			continue
		}
		if !(math.Abs(got[i]-w) <= v.Bound[i]) {
			if wrong++; wrong <= 3 {
				t.Errorf("%s: value %d is %g, want %g within %.2g", what, i, got[i], w, v.Bound[i])
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%s: %d of %d values are wrong", what, wrong, len(got))
	}
}

// Moments are the mean and the sum of squared deviations of at(first), ..., at(last-1), two values, with bounds for what a
// kernel computes in binary32 from deviations, merged in any order (shaders/moments.glsl). Of no values both are NaN: there
// is nothing.
func Moments(at func(i int) float64, first, last int) *Values {
	if first >= last {
		return &Values{Want: []float64{math.NaN(), math.NaN()}, Bound: []float64{0, 0}}
	}
	n, mean, m2, most := float64(last-first), 0.0, 0.0, 0.0
	for i := first; i < last; i++ {
		mean += at(i) / n
	}
	for i := first; i < last; i++ {
		d := math.Abs(at(i) - mean)
		most = max(most, d)
		m2 += d * d
	}
	meanErr := SumError(last-first, most) + SumError(8, math.Abs(mean)) // few merges in a row add to a mean
	v := &Values{}
	v.Add(shaders.F32, mean, meanErr)
	v.Add(shaders.F32, m2, SumError(5*(last-first), m2)+2*math.Sqrt(n*m2)*meanErr+n*meanErr*meanErr)
	return v
}
