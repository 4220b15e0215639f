package net

import (
	"slices"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// matrix2 is what conv_coopmat2 multiplies at once with a tile: the pixels of a subgroup, some of its channels, and all of a
// step. It is zero if the device has no matrices of these sides.
func (c coopmatTile) matrix2(t Target) gpu.Matrix {
	n := t.Flexible.N
	if !t.CPU { // Mesa 26.2's lavapipe sums the columns of a matrix of 16x16 up wrongly
		n = min(max(n, 16), uint32(c.subChannels))
	}
	m := gpu.Matrix{M: uint32(c.subPixels), N: n, K: uint32(8 * c.step)}
	if f := t.Flexible; f.M == 0 || m.M%f.M != 0 || m.N%f.N != 0 || m.K%f.K != 0 {
		return gpu.Matrix{}
	}
	return m
}

// fits2 reports whether the device can run the tile by conv_coopmat2.
func (c coopmatTile) fits2(t Target) bool {
	m := c.matrix2(t)
	if t.CPU && m.M > 16 {
		return false // lavapipe unrolls matrices: compiling larger ones takes minutes
	}
	return c.fitsMatrix(t, m, 2)
}

// tiling2 is the form in which conv_coopmat2 tells it.
func (c coopmatTile) tiling2(t Target, s convShape) convTiling {
	return c.tilingWith(t, s, c.matrix2(t).N)
}

// coopmat2 is coopmat with matrices of any size. It is used where the tuner finds it to be faster: it has not run on a GPU yet.
var coopmat2 = convMember{
	kernel: func(s *shaders.Set) *shaders.Kernel { return s.ConvCoopmat2 },
	usable: func(t Target) bool {
		return t.Storage == shaders.F16 && slices.ContainsFunc(coopmatTiles, func(c coopmatTile) bool { return c.fits2(t) })
	},
	fast: func(t Target) bool { return !t.CPU },
	tilings: func(t Target, s convShape) (tilings []convTiling) {
		for _, c := range sortedTiles(t, s) {
			if c.fits2(t) {
				tilings = append(tilings, c.tiling2(t, s))
			}
		}
		return tilings
	},
}

// chooseFlexible picks the granularity of the sides of matrices of any size, the finest that is whole blocks.
func chooseFlexible(info gpu.Info) (m gpu.Matrix) {
	for _, v := range info.FlexibleMatrices {
		if v.M%8 == 0 && v.N%8 == 0 && v.K%8 == 0 && (m.M == 0 || v.M*v.N*v.K < m.M*m.N*m.K) {
			m = v
		}
	}
	return m
}
