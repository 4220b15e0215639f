package bitgpu

// This file owns Options.Flip: each picture is run together with its mirror image, and the results are averaged,
// as timm's validate.py averages the logits of the variants of a picture.

import (
	"context"
	"errors"
	"slices"

	"github.com/bitgpu/bitgpu/net"
)

// errFlip: a feature map of the mirror image is not the mirrored feature map, for strides begin at one side.
var errFlip = errors.New("Options.Flip averages logits and embeddings, not feature maps or unpooled features")

// fit returns how many pictures run at once on a device: spec.Images at most.
func (m *Model) fit(e *engine, spec net.BatchSpec) (int, error) {
	if !m.options.Flip {
		return e.fit(spec)
	}
	if err := canAverage(spec.Outputs); err != nil {
		return 0, err
	}
	spec.Images *= 2
	n, err := e.fit(spec)
	if err != nil {
		return 0, err
	}
	return max(n/2, 1), nil
}

// run computes pictures of spec's size on a device.
func (m *Model) run(ctx context.Context, e *engine, spec net.BatchSpec, pictures []picture) (*Output, error) {
	if !m.options.Flip {
		return e.run(ctx, spec, pictures)
	}
	if err := canAverage(spec.Outputs); err != nil {
		return nil, err
	}
	both := make([]picture, 0, 2*len(pictures))
	for _, p := range pictures {
		both = append(both, p, p.mirrored(spec.Width))
	}
	// Both go into one batch, unless that is more than the caller or the memory allows.
	spec.Images = len(both)
	if e.batch > 0 {
		spec.Images = min(spec.Images, e.batch)
	}
	most, err := e.net.FitBatch(spec)
	if err != nil {
		return nil, err
	}
	out := &Output{}
	for part := range slices.Chunk(both, most) {
		o, err := e.run(ctx, spec, part)
		if err != nil {
			return nil, err
		}
		out.Append(o)
	}
	averagePairs(out.Logits)
	averagePairs(out.Embedding)
	return out, nil
}

func canAverage(want Outputs) error {
	if want.Unpooled || want.Maps != 0 {
		return errFlip
	}
	return nil
}

// averagePairs replaces rows 2i and 2i+1 by their mean, in float32.
func averagePairs(t *Tensor) {
	if t == nil {
		return
	}
	n := len(t.Data) / t.Shape[0]
	for i := range t.Shape[0] / 2 {
		mean, a, b := t.Data[i*n:(i+1)*n], t.Data[2*i*n:(2*i+1)*n], t.Data[(2*i+1)*n:(2*i+2)*n]
		for j := range mean {
			mean[j] = (a[j] + b[j]) / 2
		}
	}
	t.Shape[0] /= 2
	t.Data = t.Data[:t.Shape[0]*n]
}

func (p pixels) mirrored(width int) picture {
	m := make(pixels, 0, len(p))
	for row := range slices.Chunk(p, 3*width) {
		for x := width - 1; x >= 0; x-- {
			m = append(m, row[3*x:3*x+3]...)
		}
	}
	return m
}

func (v values) mirrored(width int) picture {
	m := slices.Clone(v)
	for row := range slices.Chunk(m, width) {
		slices.Reverse(row)
	}
	return m
}
