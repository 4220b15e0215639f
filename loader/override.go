// This file owns what a caller may put in the place of a model's own
// preprocessing.

package loader

import (
	"fmt"
	"math"
)

// Override stands in for parts of a Preprocess. What is zero or nil leaves the
// model's own.
type Override struct {
	Size          int     // height and width of the crop in pixels
	CropPct       float64 // more than 0 and at most 1
	Interpolation string  // a name that ParseInterpolation knows
	// Mean and Std are those of R, G, B on the scale 0..1; Std more than 0.
	Mean, Std *[3]float32
}

// With returns p with o in its place, or says what of that cannot be.
func (p Preprocess) With(o Override) (Preprocess, error) {
	if o.Size != 0 {
		p.Size = o.Size
	}
	if o.CropPct != 0 {
		p.CropPct = o.CropPct
	}
	if o.Interpolation != "" {
		filter, err := ParseInterpolation(o.Interpolation)
		if err != nil {
			return p, err
		}
		p.Interpolation = filter
	}
	if o.Mean != nil {
		p.Mean = *o.Mean
	}
	if o.Std != nil {
		p.Std = *o.Std
	}
	for c := range 3 {
		if math.IsNaN(float64(p.Mean[c])) || math.IsInf(float64(p.Mean[c]), 0) {
			return p, fmt.Errorf("loader: preprocess: mean %v of channel %d, want a number", p.Mean[c], c)
		}
		if s := float64(p.Std[c]); !(s > 0) || math.IsInf(s, 0) {
			return p, fmt.Errorf("loader: preprocess: standard deviation %v of channel %d, want more than 0", p.Std[c], c)
		}
	}
	return p, p.Validate()
}
