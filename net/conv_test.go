package net

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

var storages = []shaders.Storage{shaders.F32, shaders.F16}

// random returns a generator that gives the same numbers in every run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 21)) }

// convCase is one convolution, channels counted one by one.
type convCase struct {
	n, in, out, h, w       int
	kh, kw, sh, sw, ph, pw int
	norm, residual         bool
	parts                  []int // output blocks of each dispatch; nil for all at once
}

func (c convCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d_to_%d_k%dx%d_s%d%d_p%d%d_norm=%v_residual=%v_parts=%v",
		c.n, c.in, c.h, c.w, c.out, c.kh, c.kw, c.sh, c.sw, c.ph, c.pw, c.norm, c.residual, c.parts)
}

func (c convCase) shape() convShape {
	oh, ow := (c.h+2*c.ph-c.kh)/c.sh+1, (c.w+2*c.pw-c.kw)/c.sw+1
	return convShape{
		in: Shape{kt.Blocks(c.in), c.h, c.w}, out: Shape{kt.Blocks(c.out), oh, ow},
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, ph: c.ph, pw: c.pw, norm: c.norm, residual: c.residual, images: c.n,
	}
}

// operands are what a convolution reads. residual is as large as the result.
type operands struct {
	x, w, scale, shift, residual *kt.Tensor
}

func (c convCase) operands(s shaders.Storage, rng *rand.Rand) operands {
	out := c.shape().out
	return operands{
		x: kt.Random(rng, s, c.n, c.in, c.h, c.w, 0, 1), w: kt.Random(rng, s, c.out, c.in, c.kh, c.kw, 0, 0.3),
		scale: kt.Random(rng, shaders.F32, c.n, c.in, 1, 1, 0, 1), shift: kt.Random(rng, shaders.F32, c.n, c.in, 1, 1, 0.3, 1),
		residual: kt.Random(rng, s, c.n, c.out, out.H, out.W, 0, 1),
	}
}

// affine lays scale and shift out: vec2 [N][8*ceil(C/8)], zero past the last channel.
func (o operands) affine() []byte {
	stride := 8 * kt.Blocks(o.scale.C)
	values := make([]float64, o.scale.N*stride*2)
	for i, scale := range o.scale.Data {
		at := (i/o.scale.C*stride + i%o.scale.C) * 2
		values[at], values[at+1] = scale, o.shift.Data[i]
	}
	return kt.Encode(shaders.F32, values)
}

// reference is the formula of shaders/conv.glsl in float64, with bounds, in the result's layout.
func (c convCase) reference(s shaders.Storage, o operands) *kt.Values {
	out := c.shape().out
	// The operand as it is multiplied: normalized where c.norm is set, which costs two roundings.
	f := kt.NewTensor(c.n, c.in, c.h, c.w)
	for i, v := range o.x.Data {
		if c.norm {
			plane := i / (c.h * c.w)
			v = max(v*o.scale.Data[plane]+o.shift.Data[plane], 0)
		}
		f.Data[i] = v
	}
	want, bound := kt.NewTensor(c.n, c.out, out.H, out.W), kt.NewTensor(c.n, c.out, out.H, out.W)
	for i := range want.Data {
		n, ch, oy, ox := i/(c.out*out.H*out.W), i/(out.H*out.W)%c.out, i/out.W%out.H, i%out.W
		sum, magnitude := 0.0, 0.0
		for ky := range c.kh {
			for kx := range c.kw {
				iy, ix := oy*c.sh-c.ph+ky, ox*c.sw-c.pw+kx
				if !f.Inside(iy, ix) {
					continue
				}
				for k := range c.in {
					v := o.w.At(ch, k, ky, kx) * f.At(n, k, iy, ix)
					sum, magnitude = sum+v, magnitude+math.Abs(v)
					if c.norm { // its roundings are relative to the scaled value, before the shift
						magnitude += math.Abs(o.w.At(ch, k, ky, kx) * o.x.At(n, k, iy, ix) * o.scale.At(n, k, 0, 0) / float64(c.in))
					}
				}
			}
		}
		if c.residual {
			sum, magnitude = sum+o.residual.Data[i], magnitude+math.Abs(o.residual.Data[i])
		}
		want.Data[i] = sum
		bound.Data[i] = kt.SumError(2*c.in*c.kh*c.kw+3, magnitude) // a product and a sum each
	}
	ref := &kt.Values{}
	bounds := kt.Decode(shaders.F32, bound.Activation(shaders.F32))
	for i, v := range kt.Decode(shaders.F32, want.Activation(shaders.F32)) {
		if bounds[i] == 0 {
			ref.AddExact(0) // the padding, and sums without a term
		} else {
			ref.Add(s, v, bounds[i]+kt.U*math.Abs(v))
		}
	}
	return ref
}

// run runs the convolution on one member of the family. As in plans, a residual is overwritten by
// the result, and bindings that are not read are bound to x.
func (c convCase) run(t *testing.T, dev *gpu.Device, m convMember, s shaders.Storage, o operands) []byte {
	shape := c.shape()
	parts := c.parts
	if parts == nil {
		parts = []int{shape.out.C}
	}
	out := o.residual.Activation(s)
	x, packed := o.x.Activation(s), o.w.Packed(s)
	norm, residual := x, x
	if c.norm {
		norm = o.affine()
	}
	if c.residual {
		residual = nil
	} else {
		out = kt.Poison(len(out))
	}
	block := len(packed) / shape.out.C
	var dispatches []kt.Dispatch
	first := 0
	for _, count := range parts {
		spec, groups := m.spec(shape, count)
		dispatches = append(dispatches, kt.Dispatch{
			Kernel: m.kernel(shaders.For(s)), Spec: spec, Groups: groups,
			Push: shaders.Push(c.h, c.w, shape.out.H, shape.out.W, shape.in.C, count, first, shape.out.C),
			In:   [][]byte{x, packed[first*block : (first+count)*block], norm, residual},
		})
		first += count
	}
	kt.Run(t, dev, out, dispatches...)
	return out
}

// testConvFamily runs every member that the device can run on every kind of layer.
func testConvFamily(t *testing.T, dev *gpu.Device) {
	for i, m := range convFamily {
		for _, s := range storages {
			name := m.kernel(shaders.For(s)).Name
			if !m.usable(NewTarget(dev.Info(), s)) {
				t.Logf("member %d, %s, does not run on %s", i, name, dev.Info().Name)
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel() // most of the time goes into compiling
				for j, c := range convCases(s) {
					t.Run(c.String(), func(t *testing.T) {
						o := c.operands(s, random(uint64(j)))
						got := c.run(t, dev, m, s, o)
						c.reference(s, o).Check(t, "y", kt.Decode(s, got))
					})
				}
			})
		}
	}
}

// convCases are few kinds of layers, because CPU drivers take seconds to compile one, with several
// shapes each: pictures with odd sides, with more and fewer pixels than a tile, channels that fill
// neither blocks nor tiles. The storage types, which differ only in loads and stores, share the kinds
// out. conv_lane is compiled anew where the last tile of a picture would be mostly empty; only the
// first kind goes through all of that.
func convCases(s shaders.Storage) []convCase {
	if s == shaders.F16 {
		shortcut := convCase{kh: 1, kw: 1, sh: 2, sw: 2, norm: true}
		middle := convCase{kh: 3, kw: 3, sh: 1, sw: 1, ph: 1, pw: 1, residual: true}
		return append(shapes(shortcut, []convCase{
			{n: 2, in: 16, out: 40, h: 9, w: 11}, {n: 1, in: 19, out: 3, h: 12, w: 9},
		}), shapes(middle, []convCase{
			{n: 3, in: 11, out: 27, h: 7, w: 9}, {n: 1, in: 8, out: 8, h: 16, w: 7}, {n: 2, in: 8, out: 10, h: 2, w: 1},
			{n: 1, in: 8, out: 88, h: 10, w: 6, parts: []int{8, 3}},
		})...)
	}
	last := convCase{kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true}
	middle := convCase{kh: 3, kw: 3, sh: 2, sw: 2, ph: 1, pw: 1, norm: true}
	stem := convCase{kh: 7, kw: 4, sh: 2, sw: 1, ph: 3, pw: 2} // neither kernel, stride nor padding is square
	return append(append(shapes(last, []convCase{
		{n: 1, in: 24, out: 72, h: 15, w: 13}, {n: 2, in: 13, out: 20, h: 7, w: 9}, {n: 3, in: 5, out: 9, h: 7, w: 3},
		{n: 1, in: 300, out: 17, h: 1, w: 1}, {n: 2, in: 12, out: 37, h: 5, w: 5, parts: []int{1, 3, 1}},
	}), shapes(middle, []convCase{
		{n: 2, in: 16, out: 24, h: 13, w: 17}, {n: 1, in: 9, out: 33, h: 10, w: 12}, {n: 1, in: 20, out: 7, h: 15, w: 14},
	})...), shapes(stem, []convCase{
		{n: 2, in: 7, out: 64, h: 33, w: 17}, {n: 1, in: 8, out: 12, h: 15, w: 7},
	})...)
}

// shapes gives a kind of layer the sizes of each of list.
func shapes(kind convCase, list []convCase) []convCase {
	for i, c := range list {
		list[i] = kind
		list[i].n, list[i].in, list[i].out, list[i].h, list[i].w, list[i].parts = c.n, c.in, c.out, c.h, c.w, c.parts
	}
	return list
}
