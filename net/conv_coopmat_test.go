package net

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// gpuTarget is a device as NVIDIA's are.
func gpuTarget() Target {
	return Target{Storage: shaders.F16, Matrix: gpu.Matrix{M: 16, N: 16, K: 16}, Subgroup: 32, MaxInvocations: 1024, MaxShared: 48 << 10}
}

// matrixMembers are the members for matrix units, whether a tile fits a device for each, and how it is told to it.
var matrixMembers = []struct {
	name string
	convMember
	fits   func(coopmatTile, Target) bool
	tiling func(coopmatTile, Target, convShape) convTiling
}{
	{"conv_coopmat", coopmat, coopmatTile.fits, coopmatTile.tiling},
	{"conv_coopmat2", coopmat2, coopmatTile.fits2, coopmatTile.tiling2},
}

// testCoopmatTiles runs every tile that the device can run, and small ones in which an invocation stages
// several pixels, or part of one's blocks, and in which steps are not buffered twice.
func testCoopmatTiles(t *testing.T, dev *gpu.Device) {
	target := NewTarget(dev.Info(), shaders.F16)
	for _, member := range matrixMembers {
		t.Run(member.name, func(t *testing.T) {
			if !member.usable(target) {
				gputest.Lacks(t, dev, member.name)
			}
			m, n := int(target.Matrix.M), int(target.Matrix.N)
			tiles := append([]coopmatTile{
				{4 * m, n, 4, m, n, 1}, {2 * m, 4 * n, 4, m, 2 * n, 2}, {m, 4 * n, 4, m, n, 1},
			}, coopmatTiles...)
			cases := []convCase{
				{n: 3, in: 80, out: 90, h: 9, w: 5, kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true},
				{n: 2, in: 24, out: 40, h: 8, w: 7, kh: 3, kw: 3, sh: 1, sw: 1, ph: 1, pw: 1, parts: []int{3, 2}},
				{n: 7, in: 16, out: 24, h: 5, w: 1, kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true, mean: 1000},
			}
			run := 0
			for _, tile := range tiles {
				if !member.fits(tile, target) {
					continue
				}
				run++
				t.Run(fmt.Sprint(tile), func(t *testing.T) {
					t.Parallel()
					for i, c := range cases {
						t.Run(c.String(), func(t *testing.T) {
							c.check(t, dev, member.kernel(shaders.For(shaders.F16)), member.tiling(tile, target, c.shape()), shaders.F16, uint64(i))
						})
					}
				})
			}
			if run < 4 {
				t.Errorf("%d tiles fit", run)
			}
		})
	}
}

// testCoopmatSaturates: a normalized operand and a result that binary16 cannot hold become its largest values.
func testCoopmatSaturates(t *testing.T, dev *gpu.Device) {
	target := NewTarget(dev.Info(), shaders.F16)
	c := convCase{n: 1, in: 8, out: 8, h: 1, w: 1, kh: 1, kw: 1, sh: 1, sw: 1, norm: true}
	o := c.operands(shaders.F16, random(1))
	for i := range 8 {
		o.x.Data[i], o.scale.Data[i], o.shift.Data[i] = 60000, 2, 0
		for k := range 8 {
			o.w[0].Data[i*8+k] = 0
		}
	}
	o.w[0].Data[0*8+0] = 0.5
	o.w[0].Data[1*8+1], o.w[0].Data[1*8+2] = 1, 1
	o.w[0].Data[2*8+3], o.w[0].Data[2*8+4] = -1, -1
	for _, member := range matrixMembers {
		t.Run(member.name, func(t *testing.T) {
			if !member.usable(target) {
				gputest.Lacks(t, dev, member.name)
			}
			got := kt.Decode(shaders.F16, c.run(t, dev, member.kernel(shaders.For(shaders.F16)), member.tilings(target, c.shape())[0], shaders.F16, o))
			if want := []float64{kt.MaxHalf / 2, kt.MaxHalf, -kt.MaxHalf, 0, 0, 0, 0, 0}; !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestCoopmatTileFits: what does not fit a device or does not share out evenly is left out.
func TestCoopmatTileFits(t *testing.T) {
	with := func(change func(*Target)) Target {
		g := gpuTarget()
		change(&g)
		return g
	}
	large := coopmatTile{128, 256, 2, 64, 64, 2}
	for name, c := range map[string]struct {
		tile   coopmatTile
		target Target
		want   bool
	}{
		"large":              {large, gpuTarget(), true},
		"no matrices":        {large, with(func(g *Target) { g.Matrix, g.Subgroup = gpu.Matrix{}, 0 }), false},
		"invocations":        {large, with(func(g *Target) { g.MaxInvocations = 128 }), false},
		"shared memory":      {large, with(func(g *Target) { g.MaxShared = 40<<10 - 1 }), false},
		"just enough":        {large, with(func(g *Target) { g.MaxShared = 40 << 10 }), true},
		"steps are larger":   {coopmatTile{128, 256, 4, 64, 64, 2}, gpuTarget(), false},
		"matrices too wide":  {coopmatTile{128, 128, 4, 64, 8, 2}, gpuTarget(), false},
		"half a step":        {coopmatTile{128, 128, 1, 64, 64, 2}, gpuTarget(), false},
		"pixels left over":   {coopmatTile{96, 128, 4, 48, 64, 2}, gpuTarget(), false},
		"blocks left over":   {coopmatTile{32, 32, 2, 16, 16, 2}, gpuTarget(), false},
		"rows left over":     {coopmatTile{128, 16, 2, 64, 16, 2}, gpuTarget(), false},
		"wide subgroups":     {coopmatTile{16, 64, 4, 16, 64, 2}, with(func(g *Target) { g.Subgroup = 64 }), false},
		"subgroups of 64":    {coopmatTile{128, 128, 4, 64, 64, 2}, with(func(g *Target) { g.Subgroup = 64 }), true},
		"CPU":                {coopmatTile{32, 32, 2, 16, 16, 2}, Target{Matrix: gpu.Matrix{M: 8, N: 8, K: 8}, Subgroup: 8, MaxInvocations: 1024, MaxShared: 32 << 10}, true},
		"16 does not divide": {coopmatTile{32, 32, 2, 24, 16, 2}, gpuTarget(), false},
	} {
		if got := c.tile.fits(c.target); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestCoopmatTilings: many pixels and channels get large tiles, few get small ones, and channels that are
// no multiple of a step are told to the kernel.
func TestCoopmatTilings(t *testing.T) {
	layer := func(images, side, in, out int) convShape {
		return convShape{in: Shape{in / 8, side, side}, out: Shape{out / 8, side, side}, kh: 1, kw: 1, sh: 1, sw: 1, images: images, positions: 1}
	}
	g := gpuTarget()
	if c := coopmat.tilings(g, layer(32, 48, 1024, 256))[0]; c.pixels*c.blocks < 128*16 {
		t.Errorf("a large layer has tiles of %dx%d blocks", c.pixels, c.blocks)
	}
	if c := coopmat.tilings(g, layer(1, 12, 1024, 512))[0]; c.pixels*c.blocks > 64*16 {
		t.Errorf("a small layer has tiles of %dx%d blocks", c.pixels, c.blocks)
	}
	for in, want := range map[int]uint32{1024: 1, 8: 0, 24: 0} {
		const step, aligned = 2, 7 // where they are in the constants
		if c := coopmat.tilings(g, layer(32, 48, in, 256))[0]; c.constants[aligned] != want {
			t.Errorf("%d channels in steps of %d blocks: aligned %d", in, c.constants[step], c.constants[aligned])
		}
	}
	own := layer(36, 5, 1024, 1024) // each image has tiles of its own
	own.positions = 36
	if c := coopmat.tilings(g, own)[0]; c.pixels != 64 {
		t.Errorf("images of 25 pixels have tiles of %d", c.pixels)
	}
}

func TestChooseMatrix(t *testing.T) {
	info := gpu.Info{SubgroupSize: 64, MinSubgroupSize: 32, MaxSubgroupSize: 64, SubgroupControl: true}
	for name, c := range map[string]struct {
		matrices []gpu.Matrix
		change   func(*gpu.Info)
		want     gpu.Matrix
		subgroup uint32
	}{
		"NVIDIA":       {[]gpu.Matrix{{M: 16, N: 16, K: 16}, {M: 16, N: 8, K: 16}, {M: 16, N: 8, K: 8}}, nil, gpu.Matrix{M: 16, N: 16, K: 16}, 32},
		"order":        {[]gpu.Matrix{{M: 16, N: 8, K: 8}, {M: 16, N: 16, K: 16}, {M: 32, N: 32, K: 16}}, nil, gpu.Matrix{M: 16, N: 16, K: 16}, 32},
		"8x16x16":      {[]gpu.Matrix{{M: 8, N: 8, K: 16}, {M: 8, N: 16, K: 16}}, nil, gpu.Matrix{M: 8, N: 16, K: 16}, 32},
		"half a block": {[]gpu.Matrix{{M: 16, N: 16, K: 4}, {M: 12, N: 16, K: 16}, {M: 16, N: 16, K: 64}}, nil, gpu.Matrix{}, 0},
		"none":         {nil, nil, gpu.Matrix{}, 0},
		"sizes vary":   {[]gpu.Matrix{{M: 16, N: 16, K: 16}}, func(i *gpu.Info) { i.SubgroupControl = false }, gpu.Matrix{}, 0},
		"one size": {[]gpu.Matrix{{M: 16, N: 16, K: 16}}, func(i *gpu.Info) {
			i.SubgroupControl, i.SubgroupSize, i.MinSubgroupSize = false, 64, 64
		}, gpu.Matrix{M: 16, N: 16, K: 16}, 64},
	} {
		i := info
		i.Matrices = c.matrices
		if c.change != nil {
			c.change(&i)
		}
		if m, s := chooseMatrix(i); m != c.want || s != c.subgroup {
			t.Errorf("%s: %v of subgroups of %d", name, m, s)
		}
	}
}

// TestCoopmatIsChosen: by default with fp16 storage on GPUs that have matrices, nowhere else.
func TestCoopmatIsChosen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Target)
		want   string
	}{
		"GPU":           {func(*Target) {}, "conv_coopmat"},
		"of any size":   {func(g *Target) { g.Flexible = gpu.Matrix{M: 16, N: 16, K: 16} }, "conv_coopmat"},
		"fp32":          {func(g *Target) { g.Storage, g.Matrix, g.Subgroup = shaders.F32, gpu.Matrix{}, 0 }, "conv_tile"},
		"no matrices":   {func(g *Target) { g.Matrix, g.Subgroup = gpu.Matrix{}, 0 }, "conv_tile"},
		"little memory": {func(g *Target) { g.MaxShared = 1 << 10 }, "conv_tile"},
		"CPU":           {func(g *Target) { g.CPU = true }, "conv_tile"},
		"CPU with lane": {func(g *Target) { g.CPU, g.Lane = true, true }, "conv_lane"},
	} {
		g := gpuTarget()
		c.change(&g)
		shape := convShape{in: Shape{8, 9, 9}, out: Shape{8, 9, 9}, kh: 1, kw: 1, sh: 1, sw: 1, images: 1, positions: 1}
		m, _ := chooseConv(g, shape)
		if k := m.kernel(shaders.For(g.Storage)); k.Source != c.want+".comp" {
			t.Errorf("%s: %s, want %s", name, k.Source, c.want)
		}
	}
}
