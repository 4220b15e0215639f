package bitgpu

// This file owns pictures of class activation maps.

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// MapStyle says how a map is drawn. The zero value works.
type MapStyle struct {
	Side     int // height and width in pixels; 0 for those of the network's input
	Colormap Colormap
	// Opacity is that of the map over the picture, more than 0 to 1; 0 for DefaultOpacity. It is reached at the map's
	// highest value: where the class is not seen the picture stays as it is.
	Opacity float64
	// Low and High are the values, in logits, of the colour map's ends. If both are 0 they are 0 and the largest value of
	// all maps of the explanation, so that its pictures can be compared and what speaks against a class is not coloured; where
	// nothing speaks for any class, they are the least and the largest value.
	Low, High float64
}

// DefaultOpacity lets the picture be recognized below a map.
const DefaultOpacity = 0.65

// mostSide bounds pictures of maps.
const mostSide = 1 << 14

// errStyle is wrapped by errors about a MapStyle.
var errStyle = errors.New("bitgpu: picture of a map")

func (s MapStyle) check() error {
	switch {
	case s.Side < 0 || s.Side > mostSide:
		return fmt.Errorf("%w: side %d, want 1 to %d", errStyle, s.Side, mostSide)
	case !(s.Opacity >= 0 && s.Opacity <= 1):
		return fmt.Errorf("%w: opacity %v, want 0 to 1", errStyle, s.Opacity)
	case !(s.Low <= s.High) || math.IsInf(s.High-s.Low, 0):
		return fmt.Errorf("%w: colours from %v to %v", errStyle, s.Low, s.High)
	}
	return nil
}

// Crop returns the part of the picture that the network has seen, with so many pixels on a side; 0 for as many as
// the network's input has. It comes from the picture as a whole, with all the detail that there is.
func (e *Explanation) Crop(side int) (*image.RGBA, error) {
	if err := (MapStyle{Side: side}).check(); err != nil {
		return nil, err
	}
	size := e.preprocess.Size
	side = cmp.Or(side, size)
	src := e.picture.RGBA()
	w, h := e.picture.Width, e.picture.Height
	rw, rh, left, top := e.preprocess.Geometry(w, h)
	scale := float64(side) / float64(size)
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Transform(dst, f64.Aff3{
		scale * float64(rw) / float64(w), 0, -scale * float64(left),
		0, scale * float64(rh) / float64(h), -scale * float64(top),
	}, src, src.Bounds(), draw.Src, nil)
	return dst, nil
}

// Overlay draws the map of Classes[i] over the crop.
func (e *Explanation) Overlay(i int, s MapStyle) (*image.RGBA, error) {
	values, err := e.values(i, &s)
	if err != nil {
		return nil, err
	}
	dst, err := e.Crop(s.Side)
	if err != nil {
		return nil, err
	}
	for y := range s.Side {
		for x := range s.Side {
			v := s.share(values(x, y))
			a := v * s.Opacity
			under, over := dst.RGBAAt(x, y), s.Colormap.At(v)
			mix := func(u, o uint8) uint8 { return uint8(float64(u) + a*(float64(o)-float64(u)) + 0.5) }
			dst.SetRGBA(x, y, color.RGBA{mix(under.R, over.R), mix(under.G, over.G), mix(under.B, over.B), 255})
		}
	}
	return dst, nil
}

// Map draws the map of Classes[i] alone.
func (e *Explanation) Map(i int, s MapStyle) (*image.RGBA, error) {
	values, err := e.values(i, &s)
	if err != nil {
		return nil, err
	}
	dst := image.NewRGBA(image.Rect(0, 0, s.Side, s.Side))
	for y := range s.Side {
		for x := range s.Side {
			dst.SetRGBA(x, y, s.Colormap.At(s.share(values(x, y))))
		}
	}
	return dst, nil
}

// share is where between the ends of the colour map a value lies, 0 to 1.
func (s *MapStyle) share(v float64) float64 {
	if s.High <= s.Low {
		return 0
	}
	return min(max((v-s.Low)/(s.High-s.Low), 0), 1)
}

// Range returns the least and the largest value of all maps, in logits.
func (e *Explanation) Range() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range e.Maps.Data {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	return low, high
}

// values fills in what a style leaves open, and returns the values of a map at the pixels of a picture.
func (e *Explanation) values(i int, s *MapStyle) (func(x, y int) float64, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if i < 0 || i >= len(e.Classes) {
		return nil, fmt.Errorf("%w: map %d of %d", errStyle, i, len(e.Classes))
	}
	s.Side, s.Opacity = cmp.Or(s.Side, e.preprocess.Size), cmp.Or(s.Opacity, DefaultOpacity)
	if s.Low == 0 && s.High == 0 {
		if s.Low, s.High = e.Range(); s.High > 0 {
			s.Low = 0
		}
	}
	h, w := e.Maps.Shape[1], e.Maps.Shape[2]
	cells := e.Maps.Data[i*h*w : (i+1)*h*w]
	// All kernels are odd and padded alike on both sides, so a cell's field of view is centred on the middle of a pixel of
	// the crop, Stride apart from the next, beginning with the first: not on the middle of a tile.
	pixels := float64(e.preprocess.Size) / float64(s.Side)
	cell := func(x int) float64 { return ((float64(x)+0.5)*pixels - 0.5) / float64(e.Stride) }
	return func(x, y int) float64 {
		u, v := cell(x), cell(y)
		x0, y0 := int(math.Floor(u)), int(math.Floor(v))
		kx, ky := cubic(u-float64(x0)), cubic(v-float64(y0))
		sum := 0.0
		for j, b := range ky {
			row := cells[min(max(y0-1+j, 0), h-1)*w:]
			for i, a := range kx {
				sum += a * b * float64(row[min(max(x0-1+i, 0), w-1)])
			}
		}
		return sum
	}, nil
}

// cubic returns the weights of four neighbours for a point at 0 <= t < 1 between the middle two: Catmull-Rom.
func cubic(t float64) [4]float64 {
	return [4]float64{
		((-t+2)*t - 1) * t / 2,
		((3*t-5)*t*t + 2) / 2,
		((-3*t+4)*t + 1) * t / 2,
		(t - 1) * t * t / 2,
	}
}
