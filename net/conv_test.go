package net

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
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
	parts                  []int   // output blocks of each dispatch; nil for all at once
	own                    bool    // every image has weights of its own
	mean                   float64 // of the residual
}

func (c convCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d_to_%d_k%dx%d_s%d%d_p%d%d_norm=%v_residual=%v_parts=%v_own=%v_mean=%g",
		c.n, c.in, c.h, c.w, c.out, c.kh, c.kw, c.sh, c.sw, c.ph, c.pw, c.norm, c.residual, c.parts, c.own, c.mean)
}

func (c convCase) shape() convShape {
	oh, ow := (c.h+2*c.ph-c.kh)/c.sh+1, (c.w+2*c.pw-c.kw)/c.sw+1
	positions := 1
	if c.own {
		positions = c.n
	}
	return convShape{
		in: Shape{kt.Blocks(c.in), c.h, c.w}, out: Shape{kt.Blocks(c.out), oh, ow},
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, ph: c.ph, pw: c.pw, norm: c.norm, residual: c.residual, images: c.n,
		positions: positions, stats: !c.own, // in plans, too, results with weights of their own have no statistics
	}
}

// operands are what a convolution reads. residual is as large as the result. There are weights for every
// position.
type operands struct {
	x, scale, shift, residual *kt.Tensor
	w                         []*kt.Tensor
}

func (c convCase) operands(s shaders.Storage, rng *rand.Rand) operands {
	out := c.shape().out
	o := operands{
		x:     kt.Random(rng, s, c.n, c.in, c.h, c.w, 0, 1),
		scale: kt.Random(rng, shaders.F32, c.n, c.in, 1, 1, 0, 1), shift: kt.Random(rng, shaders.F32, c.n, c.in, 1, 1, 0.3, 1),
		residual: kt.Random(rng, s, c.n, c.out, out.H, out.W, c.mean, 1),
	}
	for range c.shape().positions {
		o.w = append(o.w, kt.Random(rng, s, c.out, c.in, c.kh, c.kw, 0, 0.3))
	}
	return o
}

// packed lays the weights out: [ceil(O/8)][positions] of what a block of packed weights is.
func (o operands) packed(s shaders.Storage) []byte {
	var packed []byte
	blocks := kt.Blocks(o.w[0].N)
	for b := range blocks {
		for _, w := range o.w {
			p := w.Packed(s)
			packed = append(packed, p[b*len(p)/blocks:(b+1)*len(p)/blocks]...)
		}
	}
	return packed
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

// reference is the formula of shaders/conv.glsl in float64, with bounds, in the result's layout. Kernels for
// matrix units round a normalized operand to binary16, and the units may cut off what they add up.
func (c convCase) reference(s shaders.Storage, matrix bool, o operands) *kt.Values {
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
		sum, magnitude, rounding := 0.0, 0.0, 0.0
		w := o.w[n%len(o.w)]
		for ky := range c.kh {
			for kx := range c.kw {
				iy, ix := oy*c.sh-c.ph+ky, ox*c.sw-c.pw+kx
				if !f.Inside(iy, ix) {
					continue
				}
				for k := range c.in {
					v := w.At(ch, k, ky, kx) * f.At(n, k, iy, ix)
					sum, magnitude = sum+v, magnitude+math.Abs(v)
					if c.norm { // its roundings are relative to the scaled value, before the shift
						magnitude += math.Abs(w.At(ch, k, ky, kx) * o.x.At(n, k, iy, ix) * o.scale.At(n, k, 0, 0) / float64(c.in))
						e := w.At(ch, k, ky, kx) * kt.StoreError(shaders.F16, f.At(n, k, iy, ix), 0)
						rounding += e * e
					}
				}
			}
		}
		if c.residual {
			sum, magnitude = sum+o.residual.Data[i], magnitude+math.Abs(o.residual.Data[i])
		}
		want.Data[i] = sum
		bound.Data[i] = kt.SumError(2*c.in*c.kh*c.kw+3, magnitude) // a product and a sum each
		if matrix {
			bound.Data[i] += 5*math.Sqrt(rounding) + 2*kt.U*magnitude*float64(c.in*c.kh*c.kw+7)/8
		}
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

// run runs the convolution on one kernel of the family. As in plans, a residual is overwritten by
// the result, and bindings that are not read are bound to x.
func (c convCase) run(t *testing.T, dev *gpu.Device, kernel *shaders.Kernel, tiling convTiling, s shaders.Storage, o operands) []byte {
	shape := c.shape()
	parts := c.parts
	if parts == nil {
		parts = []int{shape.out.C}
	}
	out := o.residual.Activation(s)
	x, packed := o.x.Activation(s), o.packed(s)
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
		spec, push, groups := tiling.dispatch(shape, first, count)
		dispatches = append(dispatches, kt.Dispatch{
			Kernel: kernel, Spec: spec, Push: push, Groups: groups,
			In: [][]byte{x, packed[first*block : (first+count)*block], norm, residual},
		})
		first += count
	}
	part := c.poison(tiling)
	for i := range dispatches {
		dispatches[i].More = part
	}
	kt.Run(t, dev, out, dispatches...)
	c.checkMoments(t, s, tiling, out, kt.Decode(shaders.F32, part))
	return out
}

// poison is room for the statistics of a tiling, nil if it leaves none.
func (c convCase) poison(tiling convTiling) []byte {
	if tiling.chunk == 0 || !c.shape().stats {
		return nil
	}
	return kt.Poison(int(newStatistics("y", c.n, c.shape().out, 1, tiling.chunk, tiling.joined).part.size))
}

// checkMoments compares statistics with those of the result as it was stored. What of them no chunk of an image
// needs stays poison.
func (c convCase) checkMoments(t *testing.T, s shaders.Storage, tiling convTiling, y []byte, got []float64) {
	if len(got) == 0 {
		return
	}
	out := c.shape().out
	values, pixels, stride := kt.Decode(s, y), out.Pixels(), 8*out.C
	chunks := len(got) / (2 * c.n * stride)
	start := 0
	for n := range c.n {
		if tiling.joined {
			start = n * pixels % tiling.chunk
		}
		for k := range chunks {
			first, last := max(k*tiling.chunk-start, 0), min((k+1)*tiling.chunk-start, pixels)
			for ch := range stride {
				at := 2 * ((n*chunks+k)*stride + ch)
				m := kt.Moments(func(p int) float64 { return values[((n*out.C+ch/8)*pixels+p)*8+ch%8] }, first, last)
				m.Check(t, fmt.Sprintf("moments of image %d, chunk %d, channel %d", n, k, ch), got[at:at+2])
			}
		}
	}
}

// testConvFamily runs every member that the device can run on every kind of layer.
func testConvFamily(t *testing.T, dev *gpu.Device) {
	ran := map[string]bool{"conv_panel": true} // which TestConvPanel asks for
	for i, m := range convFamily {
		for _, s := range storages {
			kernel, target := m.kernel(shaders.For(s)), NewTarget(dev.Info(), s)
			if !m.usable(target) {
				t.Logf("member %d does not run with %v on %s", i, s, dev.Info().Name)
				continue
			}
			ran[strings.TrimSuffix(kernel.Source, ".comp")] = true
			t.Run(kernel.Name, func(t *testing.T) {
				t.Parallel() // most of the time goes into compiling
				cases := convCases(s)
				if kernel.Matrix { // has no other storage type
					cases = append(cases, convCases(shaders.F32)...)
				}
				for j, c := range cases {
					tilings := m.tilings(target, c.shape())
					t.Run(c.String(), func(t *testing.T) { c.check(t, dev, kernel, tilings[j%len(tilings)], s, uint64(j)) })
				}
			})
		}
	}
	for _, name := range strings.FieldsFunc(os.Getenv(gputest.RequireVariable), func(r rune) bool { return r == ',' }) {
		if !ran[name] {
			gputest.Lacks(t, dev, name)
		}
	}
}

// check compares a kernel's result with the reference.
func (c convCase) check(t *testing.T, dev *gpu.Device, kernel *shaders.Kernel, tiling convTiling, s shaders.Storage, seed uint64) {
	o := c.operands(s, random(seed))
	got := c.run(t, dev, kernel, tiling, s, o)
	c.reference(s, kernel.Matrix, o).Check(t, "y", kt.Decode(s, got))
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
			{n: 1, in: 8, out: 88, h: 10, w: 6, parts: []int{8, 3}}, {n: 3, in: 20, out: 19, h: 6, w: 5, own: true, parts: []int{2, 1}},
		})...)
	}
	last := convCase{kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true}
	middle := convCase{kh: 3, kw: 3, sh: 2, sw: 2, ph: 1, pw: 1, norm: true}
	stem := convCase{kh: 7, kw: 4, sh: 2, sw: 1, ph: 3, pw: 2} // neither kernel, stride nor padding is square
	return append(append(shapes(last, []convCase{
		{n: 1, in: 24, out: 72, h: 15, w: 13}, {n: 2, in: 13, out: 20, h: 7, w: 9}, {n: 3, in: 5, out: 9, h: 7, w: 3},
		{n: 1, in: 300, out: 17, h: 1, w: 1}, {n: 5, in: 8, out: 24, h: 11, w: 3, mean: 1000}, {n: 2, in: 12, out: 37, h: 5, w: 5, parts: []int{1, 3, 1}},
		{n: 4, in: 9, out: 11, h: 3, w: 7, own: true},
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
		list[i].n, list[i].in, list[i].out, list[i].h, list[i].w, list[i].parts, list[i].own, list[i].mean = c.n, c.in, c.out, c.h, c.w, c.parts, c.own, c.mean
	}
	return list
}
