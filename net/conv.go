package net

import "github.com/bitgpu/bitgpu/shaders"

// convShape is one convolution as the kernels see it: kernel, stride and padding in units of the
// operand's blocks, channels in blocks of eight.
type convShape struct {
	in, out        Shape // of the operand and the result; in.C and out.C count blocks
	kh, kw, sh, sw int
	ph, pw         int
	norm, residual bool
	images         int
}

// convMember is one kernel of the convolution family. All members compute the same function on the
// same layouts (shaders/conv.glsl), so that a plan may choose another for every layer.
type convMember struct {
	kernel func(*shaders.Set) *shaders.Kernel
	usable func(Target) bool
	// tune returns the specialization constants after the common nine, and the pixels and output
	// blocks that a workgroup makes.
	tune func(convShape) (spec []uint32, pixels, blocks int)
	size uint32 // local_size_x
}

// convFamily lists the members, the preferred first. The last runs everywhere.
var convFamily = []convMember{
	{
		kernel: func(s *shaders.Set) *shaders.Kernel { return s.ConvLane },
		usable: func(t Target) bool { return t.Lane },
		tune:   tuneLane,
		size:   8,
	},
	{
		kernel: func(s *shaders.Set) *shaders.Kernel { return s.ConvTile },
		usable: func(Target) bool { return true },
		tune:   func(convShape) ([]uint32, int, int) { return nil, 64, 8 },
		size:   64,
	},
}

// chooseConv returns the member that runs a layer.
func chooseConv(t Target) convMember {
	for _, m := range convFamily {
		if m.usable(t) {
			return m
		}
	}
	panic("net: the last member of the convolution family is usable everywhere")
}

// tuneLane picks how many pixels a lane holds: fewer where the last tile of the picture would be
// mostly empty. A tile costs its pixels and, for loads that they share, about one more.
func tuneLane(c convShape) (spec []uint32, pixels, blocks int) {
	const out = 2
	best, cost := 0, 0
	for _, p := range []int{4, 3, 2} {
		tiles := (c.out.Pixels() + 8*p - 1) / (8 * p)
		if n := tiles * (p + 1); best == 0 || n < cost {
			best, cost = p, n
		}
	}
	return []uint32{out, uint32(best)}, 8 * best, out
}

// spec returns the specialization constants of a member for a layer, and the grid over the pixels
// and over the given number of output blocks.
func (m convMember) spec(c convShape, outBlocks int) (spec []uint32, groups [3]uint32) {
	tuned, pixels, blocks := m.tune(c)
	spec = []uint32{m.size, uint32(c.kh), uint32(c.kw), uint32(c.sh), uint32(c.sw),
		uint32(c.ph), uint32(c.pw), flag(c.norm), flag(c.residual)}
	return append(spec, tuned...), [3]uint32{
		uint32(ceilDiv(c.out.Pixels(), pixels)), uint32(ceilDiv(outBlocks, blocks)), uint32(c.images)}
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
