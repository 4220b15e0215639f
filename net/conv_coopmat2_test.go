package net

import (
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
)

// TestCoopmat2Matrix: matrices are as large as a subgroup's part of the tile, where their sides are multiples of what the device
// says, and a tile runs only then.
func TestCoopmat2Matrix(t *testing.T) {
	for name, c := range map[string]struct {
		flexible gpu.Matrix
		want     gpu.Matrix
	}{
		"none":       {gpu.Matrix{}, gpu.Matrix{}},
		"fine":       {gpu.Matrix{M: 8, N: 8, K: 8}, gpu.Matrix{M: 64, N: 16, K: 32}},
		"coarse":     {gpu.Matrix{M: 32, N: 32, K: 16}, gpu.Matrix{M: 64, N: 32, K: 32}},
		"too coarse": {gpu.Matrix{M: 128, N: 16, K: 16}, gpu.Matrix{}},
	} {
		g := gpuTarget()
		g.Flexible = c.flexible
		tile := coopmatTile{128, 128, 4, 64, 64, 2}
		if got := tile.matrix2(g); got != c.want || tile.fits2(g) != (got.M != 0) {
			t.Errorf("%s: %v, fits %v", name, got, tile.fits2(g))
		}
	}
	info := gpu.Info{FlexibleMatrices: []gpu.Matrix{{M: 4, N: 8, K: 8}, {M: 32, N: 16, K: 16}, {M: 16, N: 16, K: 16}}}
	if got := chooseFlexible(info); got != (gpu.Matrix{M: 16, N: 16, K: 16}) {
		t.Errorf("granularity %v", got)
	}
}
