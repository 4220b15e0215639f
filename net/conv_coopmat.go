package net

import (
	"slices"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// coopmatTile is how the members for matrix units cut a layer up: specialization constants of the same names. A
// workgroup makes pixels x channels with a subgroup for every subPixels x subChannels of them.
type coopmatTile struct {
	pixels, channels       int
	step                   int // blocks of input channels that go through shared memory at a time
	subPixels, subChannels int
	buffers                int
}

// coopmatTiles are those worth trying. Tiles of 64x64 a subgroup need no more of shared memory than it
// can deliver at the full rate of an H100's matrix units; with 128x256 a workgroup loads and normalizes x
// least often. The small ones are for layers with few pixels, the last for CPUs.
var coopmatTiles = []coopmatTile{
	{128, 256, 2, 64, 64, 2},
	{128, 256, 4, 64, 64, 1},
	{256, 128, 2, 64, 64, 2},
	{128, 128, 4, 64, 64, 2},
	{128, 128, 4, 64, 32, 2},
	{128, 64, 4, 64, 32, 2},
	{64, 128, 4, 32, 64, 2},
	{64, 64, 4, 32, 32, 2},
	{64, 64, 4, 32, 16, 2},
	{32, 32, 2, 16, 16, 2},
}

// invocations is the size of a workgroup.
func (c coopmatTile) invocations(t Target) int {
	return c.pixels / c.subPixels * (c.channels / c.subChannels) * int(t.Subgroup)
}

// shared is the bytes of shared memory: the steps' rows, and in the same place the subgroups' results, for n channels at
// a time in so many bytes each.
func (c coopmatTile) shared(n, bytes int) int {
	steps := c.buffers * (c.pixels + c.channels) * (c.step + 1)
	results := c.pixels * (c.channels / c.subChannels) * (n*bytes/16 + 1)
	return 16 * max(steps, results)
}

// fits reports whether the device can run the tile by conv_coopmat.
func (c coopmatTile) fits(t Target) bool { return c.fitsMatrix(t, t.Matrix, 4) }

// fitsMatrix reports whether the device can run the tile in matrices of that size, with results of so many bytes in
// shared memory, and whether its invocations share the work out evenly.
func (c coopmatTile) fitsMatrix(t Target, matrix gpu.Matrix, resultBytes int) bool {
	m, n, k := int(matrix.M), int(matrix.N), int(matrix.K)
	size := c.invocations(t)
	switch {
	case m == 0 || t.Subgroup == 0 || size > int(t.MaxInvocations) || c.shared(n, resultBytes) > int(t.MaxShared):
		return false
	case c.subPixels%m != 0 || c.subChannels%n != 0 || 8*c.step%k != 0 || n&(n-1) != 0:
		return false
	case t.CPU && c.subPixels/m*(c.subChannels/n) > 4:
		return false // compiling the unrolled loops would take a minute
	case size < c.pixels && c.pixels%size != 0 || size >= c.pixels && (size%c.pixels != 0 || c.step%(size/c.pixels) != 0):
		return false // an invocation loads whole pixels of x, or some blocks of one
	case size%(8*c.step) != 0 || c.channels*c.step%size != 0:
		return false // and rows of w
	}
	// A subgroup stores N channels of all its pixels at a time.
	return int(t.Subgroup) <= c.subPixels*n/8
}

// tiling is the form in which conv_coopmat tells it.
func (c coopmatTile) tiling(t Target, s convShape) convTiling {
	return c.tilingWith(t, s, t.Matrix.N, t.Matrix.M, t.Matrix.K)
}

// tilingWith is the form in which the family's members tell it, with further specialization constants.
func (c coopmatTile) tilingWith(t Target, s convShape, further ...uint32) convTiling {
	size := uint32(c.invocations(t))
	return convTiling{
		size: size, pixels: c.pixels, blocks: c.channels / 8, chunk: c.subPixels, joined: true,
		constants: append([]uint32{uint32(c.pixels), uint32(c.channels), uint32(c.step),
			uint32(c.subPixels), uint32(c.subChannels), uint32(c.buffers), t.Subgroup, flag(s.in.C%c.step == 0)}, further...),
	}
}

// cost estimates the time of a layer: rounds of workgroups on a large GPU, times their products, times
// what these wait for operands, which falls with the sides of the tile.
func (c coopmatTile) cost(s convShape) float64 {
	const units = 128
	tiles := ceilDiv(s.images*s.out.Pixels(), c.pixels)
	if s.positions > 1 {
		tiles = s.images * ceilDiv(s.out.Pixels(), c.pixels)
	}
	groups := tiles * ceilDiv(8*s.out.C, c.channels)
	wait := 1 + 32/float64(c.pixels) + 32/float64(c.channels)
	return float64(ceilDiv(groups, units)*c.pixels*c.channels) * wait
}

// coopmatTilings lists the tilings for a layer that the device can run, those that should be fastest first.
func coopmatTilings(t Target, s convShape) []convTiling {
	var tilings []convTiling
	for _, c := range sortedTiles(t, s) {
		if c.fits(t) {
			tilings = append(tilings, c.tiling(t, s))
		}
	}
	return tilings
}

// sortedTiles are coopmatTiles, those that should be fastest for a layer first.
func sortedTiles(t Target, s convShape) []coopmatTile {
	tiles := slices.Clone(coopmatTiles)
	if t.CPU {
		slices.Reverse(tiles) // the smallest is the fastest to compile
	} else {
		slices.SortStableFunc(tiles, func(a, b coopmatTile) int {
			switch ca, cb := a.cost(s), b.cost(s); {
			case ca < cb:
				return -1
			case ca > cb:
				return 1
			}
			return 0
		})
	}
	return tiles
}

// coopmat is the member that uses matrix units. CPU drivers offer them too, but not to be fast.
var coopmat = convMember{
	kernel: func(s *shaders.Set) *shaders.Kernel { return s.ConvCoopmat },
	usable: func(t Target) bool {
		return t.Storage == shaders.F16 && slices.ContainsFunc(coopmatTiles, func(c coopmatTile) bool { return c.fits(t) })
	},
	fast:    func(t Target) bool { return !t.CPU },
	tilings: coopmatTilings,
}

// chooseMatrix picks the size of matrices, 16x16x16 where it is offered, else the largest of those whose
// sides are whole blocks, and the size of the subgroups that multiply them. Where a device has
// several sizes of subgroups the smallest is the one that every vendor's matrix units work with.
func chooseMatrix(info gpu.Info) (m gpu.Matrix, subgroup uint32) {
	for _, v := range info.Matrices {
		switch {
		case v.M%8 != 0 || v.N%8 != 0 || v.K%8 != 0 || v.K > 32:
		case v == gpu.Matrix{M: 16, N: 16, K: 16}:
			m = v
		case m != gpu.Matrix{M: 16, N: 16, K: 16} && v.M*v.N*v.K > m.M*m.N*m.K:
			m = v
		}
	}
	if m.M == 0 || !hasSubgroup(info, info.MinSubgroupSize) {
		return gpu.Matrix{}, 0
	}
	return m, info.MinSubgroupSize
}
