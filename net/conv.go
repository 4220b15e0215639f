package net

import (
	"slices"

	"github.com/bitgpu/bitgpu/shaders"
)

// convShape is one convolution as the kernels see it: kernel, stride and padding in units of the
// operand's blocks, channels in blocks of eight.
type convShape struct {
	in, out        Shape // of the operand and the result; in.C and out.C count blocks
	kh, kw, sh, sw int
	ph, pw         int
	norm, residual bool
	stats          bool // of the result, for a GroupNorm that reads it
	images         int
	positions      int // 1, or images if each has weights of its own
}

// convShape is that of a convolution of the graph, for a batch of so many images.
func (g *Graph) convShape(node, images int) convShape {
	n := g.Nodes[node]
	in := g.Nodes[n.In[0]]
	c := convShape{
		in: in.Out, out: n.Out, kh: n.Kernel, kw: n.Kernel, sh: n.Stride, sw: n.Stride,
		ph: n.Pad, pw: n.Pad, images: images, positions: 1,
	}
	c.in.C, c.out.C = blocks(in.Out.C), blocks(n.Out.C)
	switch in.Op {
	case Input:
		// Over column pairs: see shaders/input_u8.comp and PAIR in shaders/pack_weights.comp.
		c.in.W, c.kw, c.sw, c.pw = ceilDiv(in.Out.W, 2), 4, 1, 2
	case NormReLU:
		c.norm = true
	}
	// The convolution adds up if its result is wanted for nothing else.
	if readers := g.readers(node); len(readers) == 1 {
		r := g.Nodes[readers[0]]
		c.residual = r.Op == Add && r.In[0] == node
		if c.residual {
			node = readers[0]
		}
	}
	for _, r := range g.readers(node) {
		c.stats = c.stats || g.Nodes[r].Op == NormReLU
	}
	return c
}

// convMember is one kernel of the convolution family. All members compute the same function on the
// same layouts (shaders/conv.glsl), so that a plan may choose another for every layer.
type convMember struct {
	kernel func(*shaders.Set) *shaders.Kernel
	usable func(Target) bool
	fast   func(Target) bool // worth choosing where it is usable; nil for always
	// tilings lists those worth trying for a layer, the default first.
	tilings func(Target, convShape) []convTiling
}

// convTiling is how a member cuts a layer up.
type convTiling struct {
	size           uint32   // local_size_x
	constants      []uint32 // the specialization constants after those that members share
	pixels, blocks int      // pixels and output blocks that a workgroup makes
	dynamic        bool     // DYNAMIC of shaders/conv.glsl
	chunk          int      // pixels of a chunk of the statistics that the kernel can leave; 0 if it leaves none
	joined         bool     // chunks run on from one image to the next
}

// convFamily lists the members, the preferred first. The last runs everywhere.
var convFamily = []convMember{
	{
		kernel:  func(s *shaders.Set) *shaders.Kernel { return s.ConvTexel },
		usable:  func(t Target) bool { return t.Texel },
		tilings: laneTilings,
	},
	{
		kernel:  func(s *shaders.Set) *shaders.Kernel { return s.ConvLane },
		usable:  func(t Target) bool { return t.Lane },
		tilings: laneTilings,
	},
	coopmat,
	coopmat2,
	{
		kernel: func(s *shaders.Set) *shaders.Kernel { return s.ConvTile },
		usable: func(Target) bool { return true },
		tilings: func(Target, convShape) []convTiling {
			return []convTiling{{size: 64, pixels: 64, blocks: 8, chunk: 64}}
		},
	},
}

// chooseConv returns the member that runs a layer, and its tiling: what the target was tuned to, else the
// defaults.
func chooseConv(t Target, c convShape) (convMember, convTiling) {
	if tuned := t.Tuning.conv(c.layer(t.Storage), c.pixels()); tuned != nil {
		for _, m := range convFamily {
			if !m.usable(t) || m.kernel(shaders.For(t.Storage)).Name != tuned.Kernel {
				continue
			}
			for _, tiling := range m.tilings(t, c) {
				if slices.Equal(tiling.constants, tuned.Constants) {
					return m, tiling
				}
			}
		}
	}
	for _, m := range convFamily {
		if m.usable(t) && (m.fast == nil || m.fast(t)) {
			return m, m.tilings(t, c)[0]
		}
	}
	panic("net: the last member of the convolution family is usable everywhere")
}

// laneTilings: by default two output blocks and as many pixels a lane as fit registers, fewer where the
// last tile of the picture would be mostly empty. A tile costs its pixels and, for loads that they share,
// about one more.
func laneTilings(_ Target, c convShape) []convTiling {
	tile := func(out, pixels int) convTiling {
		return convTiling{size: 8, constants: []uint32{uint32(out), uint32(pixels)}, pixels: 8 * pixels, blocks: out, dynamic: true}
	}
	cost := func(t convTiling) int { return ceilDiv(c.out.Pixels(), t.pixels) * (t.pixels/8 + 1) }
	tilings := []convTiling{tile(2, 4), tile(2, 3), tile(2, 2)}
	slices.SortStableFunc(tilings, func(a, b convTiling) int { return cost(a) - cost(b) })
	return append(tilings, tile(4, 4), tile(4, 3))
}

// dispatch returns what runs a layer's output blocks [first, first+count): specialization constants, push
// constants, and the grid.
func (t convTiling) dispatch(c convShape, first, count int) (spec []uint32, push []byte, groups [3]uint32) {
	spec = []uint32{t.size, uint32(c.kh), uint32(c.kw), uint32(c.ph), uint32(c.pw), flag(c.norm)}
	push = shaders.Push(c.in.H, c.in.W, c.out.H, c.out.W, c.in.C, count, first, c.out.C, c.positions)
	if t.dynamic {
		push = append(push, shaders.Push(c.sh, c.sw, int(flag(c.residual)))...)
	} else {
		spec = append(spec, uint32(c.sh), uint32(c.sw), flag(c.residual))
	}
	spec = append(spec, t.constants...)
	if t.chunk > 0 {
		spec = append(spec, flag(c.stats))
	}
	return spec, push, [3]uint32{
		uint32(ceilDiv(c.out.Pixels(), t.pixels)), uint32(ceilDiv(count, t.blocks)), uint32(c.images)}
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// gcd is the greatest common divisor.
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
