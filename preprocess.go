package bitgpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/net/resample"
)

// This file owns preprocessing on the device: who computes a picture's crop, and what the device is given
// for it. Both ways give the same bytes, so that either may stand in for the other at any time.

// Preprocessor is who resizes, crops and normalizes pictures. Decoding is the processor's work always.
type Preprocessor uint8

const (
	PreprocessCPU Preprocessor = iota // as many goroutines as there are processors; the device normalizes
	PreprocessGPU                     // the device; what is too large for it the processor does
)

// ParsePreprocessor reads "cpu" or "gpu".
func ParsePreprocessor(s string) (Preprocessor, error) {
	for _, p := range []Preprocessor{PreprocessCPU, PreprocessGPU} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("bitgpu: preprocessor %q, want cpu or gpu", s)
}

// String is the inverse of ParsePreprocessor.
func (p Preprocessor) String() string {
	if p == PreprocessGPU {
		return "gpu"
	}
	return "cpu"
}

// input is the form in which pictures reach the device.
func (p Preprocessor) input() net.InputKind {
	if p == PreprocessGPU {
		return net.Crops
	}
	return net.Pixels
}

// photo is a picture for net.Crops: what the device makes its crop from.
type photo struct {
	whole      *loader.Image // as decoded; nil if source is a crop already
	source     resample.Picture
	preprocess loader.Preprocess
	mirror     bool   // left and right are exchanged
	read       func() // tells that the device has read it; nil if nobody wants to know
}

// put implements picture. Nothing is put: resize reads a photo.
func (*photo) put([]byte) int { return 0 }

// mirrored implements picture: the windows of the columns in the opposite order.
func (f *photo) mirrored(int) picture {
	m, a := *f, f.source.Columns
	m.mirror = !f.mirror
	m.source.Columns = resample.Axis{Taps: a.Taps, First: slices.Clone(a.First), Coeffs: make([]int32, 0, len(a.Coeffs))}
	slices.Reverse(m.source.Columns.First)
	for i := len(a.Coeffs); i > 0; i -= a.Taps {
		m.source.Columns.Coeffs = append(m.source.Columns.Coeffs, a.Coeffs[i-a.Taps:i]...)
	}
	return &m
}

// newPhoto describes the crop of a decoded picture.
func newPhoto(p loader.Preprocess, img *loader.Image) (*photo, error) {
	r, err := p.Resample(img.Width, img.Height)
	if err != nil {
		return nil, err
	}
	return &photo{
		whole: img, preprocess: p,
		source: resample.Picture{
			Width: r.Width, Height: r.Height, Stride: 3 * img.Width, Pix: img.Pix[3*(r.Top*img.Width+r.Left):],
			Columns: resample.Axis(r.Columns), Rows: resample.Axis(r.Rows),
		},
	}, nil
}

// onCPU has the processor make the crop; the device only copies it then.
func (f *photo) onCPU() error {
	crop, err := f.preprocess.Apply(f.whole)
	if err != nil {
		return err
	}
	made, err := newPhoto(loader.Preprocess{Size: crop.Width, Interpolation: f.preprocess.Interpolation}, crop)
	if err != nil {
		return err
	}
	if f.mirror {
		made = made.mirrored(crop.Width).(*photo)
	}
	f.whole, f.source = nil, made.source
	return nil
}

// waiting counts the bytes of decoded pictures that the device has not read.
type waiting struct{ bytes atomic.Int64 }

// mostWaiting is how many those may be. Then crops, which are small, wait in their place.
const mostWaiting = 256 << 20

// photo makes a picture for the device of a decoded one.
func (m *Model) photo(img *loader.Image, w *waiting) (*photo, error) {
	f, err := newPhoto(m.info.Preprocess, img)
	if err != nil {
		return nil, err
	}
	if w.bytes.Load() > mostWaiting || !m.resizes(f) {
		return f, f.onCPU()
	}
	size := int64(len(img.Pix))
	w.bytes.Add(size)
	f.read = sync.OnceFunc(func() { w.bytes.Add(-size) }) // two devices may run it
	return f, nil
}

// resizes says whether all devices can make a photo's crop.
func (m *Model) resizes(f *photo) bool {
	for _, e := range m.engines {
		if e.resizer.Check(&f.source) != nil {
			return false
		}
	}
	return true
}

// startCrops computes the first spec.Images pictures, which are photos.
func (e *engine) startCrops(ctx context.Context, spec net.BatchSpec, pictures []picture) (*net.Batch, error) {
	b, err := e.net.Begin(ctx, spec)
	if errors.Is(err, gpu.ErrOutOfMemory) {
		e.resizer.Trim()
		b, err = e.net.Begin(ctx, spec)
	}
	if err != nil {
		return nil, err
	}
	photos := make([]*photo, spec.Images)
	for i, p := range pictures[:spec.Images] {
		photos[i] = p.(*photo)
	}
	if _, err = resize(ctx, e.resizer, photos, b.Crops().All()); err == nil {
		err = b.Submit()
	}
	if err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// resize has the crops of photos made in dst. Where the device has no room for the pictures the processor
// makes them.
func resize(ctx context.Context, r *resample.Resizer, photos []*photo, dst gpu.Range) (*gpu.Pending, error) {
	sources := func() []resample.Picture {
		list := make([]resample.Picture, len(photos))
		for i, f := range photos {
			list[i] = f.source
		}
		return list
	}
	last, err := r.Resize(ctx, sources(), dst)
	if errors.Is(err, gpu.ErrOutOfMemory) || errors.Is(err, resample.ErrTooLarge) {
		for i, f := range photos {
			if f.whole == nil {
				continue
			}
			small := *f // others may be reading it
			if err := small.onCPU(); err != nil {
				return nil, err
			}
			photos[i] = &small
		}
		last, err = r.Resize(ctx, sources(), dst)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range photos {
		if f.read != nil {
			f.read()
		}
	}
	return last, nil
}
