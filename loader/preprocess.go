// This file owns preprocessing: what timm's create_transform(is_training=False)
// does to a picture for the BiT models, in its steps Resize (shorter side),
// CenterCrop, ToTensor and Normalize.

package loader

import (
	"errors"
	"fmt"
	"math"
)

// Preprocess describes how a picture becomes a network's input. It is a plain
// value; its methods may run in many goroutines at once.
type Preprocess struct {
	// Size is the side of the square crop in pixels, at least 1.
	Size int
	// CropPct is the part of the resized shorter side that the crop keeps:
	// the shorter side becomes floor(Size/CropPct). 0 < CropPct <= 1; a zero
	// counts as 1.
	CropPct       float64
	Interpolation Interpolation
	// Mean and Std are those of the channels R, G, B on the scale 0..1. Only
	// Normalize reads them.
	Mean, Std [3]float32
}

// maxResize bounds Size and the resized shorter side.
const maxResize = 1 << 15

// Validate says whether Geometry, Apply and ApplyTo can work with p.
func (p Preprocess) Validate() error {
	if p.Size < 1 || p.Size > maxResize {
		return fmt.Errorf("loader: preprocess: size %d, want 1 to %d", p.Size, maxResize)
	}
	if !(p.CropPct >= 0 && p.CropPct <= 1) {
		return fmt.Errorf("loader: preprocess: crop_pct %v, want more than 0 and at most 1", p.CropPct)
	}
	if s := float64(p.Size) / p.cropPct(); s > maxResize {
		return fmt.Errorf("loader: preprocess: crop_pct %v resizes to %g pixels, limit %d", p.CropPct, s, maxResize)
	}
	if p.Interpolation < Bilinear || p.Interpolation > Nearest {
		return fmt.Errorf("loader: preprocess: unknown interpolation %v", p.Interpolation)
	}
	return nil
}

func (p Preprocess) cropPct() float64 {
	if p.CropPct == 0 {
		return 1
	}
	return p.CropPct
}

// Geometry gives the size rw x rh that a w x h picture is resized to and the
// upper left corner of the crop in it. The aspect ratio is kept but for the
// longer side's truncation; the corner is (side-Size)/2 with halves rounded to
// even (torchvision's Resize and CenterCrop). w and h are at least 1.
func (p Preprocess) Geometry(w, h int) (rw, rh, left, top int) {
	short := int(math.Floor(float64(p.Size) / p.cropPct()))
	rw, rh = short, short
	if w <= h {
		rh = int(int64(short) * int64(h) / int64(w))
	} else {
		rw = int(int64(short) * int64(w) / int64(h))
	}
	return rw, rh, halfToEven(rw - p.Size), halfToEven(rh - p.Size)
}

// halfToEven is n/2 for n >= 0, halves rounded to the even neighbour.
func halfToEven(n int) int {
	q := n / 2
	return q + n&q&1
}

// Apply resizes and crops img: a Size x Size picture that equals Pillow's to
// the byte. Only the crop is computed.
func (p Preprocess) Apply(img *Image) (*Image, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	dst := newImage(p.Size, p.Size)
	if err := p.ApplyTo(dst.Pix, img); err != nil {
		return nil, err
	}
	return dst, nil
}

// ApplyTo is Apply into memory of the caller: dst gets Size*Size*3 bytes, HWC.
func (p Preprocess) ApplyTo(dst []uint8, img *Image) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if n := p.Size * p.Size * 3; len(dst) != n {
		return fmt.Errorf("loader: preprocess: destination of %d bytes, want %d", len(dst), n)
	}
	if img == nil || img.Width < 1 || img.Height < 1 {
		return errors.New("loader: preprocess: empty image")
	}
	if img.Height > len(img.Pix)/3/img.Width {
		return fmt.Errorf("loader: preprocess: %d x %d image with %d bytes", img.Width, img.Height, len(img.Pix))
	}
	rw, rh, left, top := p.Geometry(img.Width, img.Height)
	resizeCrop(dst, img, rw, rh, rect{left, top, p.Size, p.Size}, p.Interpolation)
	return nil
}

// Normalize writes (v/255 - mean) / std, rounded to float32 after each step as
// PyTorch does, for every sample v of crop (HWC, RGB) to dst (CHW). Crop may
// hold any number of pixels; dst has as many values.
func (p Preprocess) Normalize(dst []float32, crop []uint8) error {
	if len(crop)%3 != 0 || len(dst) != len(crop) {
		return fmt.Errorf("loader: preprocess: normalize %d bytes to %d values", len(crop), len(dst))
	}
	pixels := len(crop) / 3
	for c := range 3 {
		if !(p.Std[c] > 0) {
			return fmt.Errorf("loader: preprocess: standard deviation %v of channel %d, want more than 0", p.Std[c], c)
		}
		var table [256]float32
		for v := range table {
			unit := float32(v) / 255
			centred := unit - p.Mean[c]
			table[v] = centred / p.Std[c]
		}
		out := dst[c*pixels : (c+1)*pixels]
		for i := range out {
			out[i] = table[crop[3*i+c]]
		}
	}
	return nil
}
