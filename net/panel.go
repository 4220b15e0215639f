package net

import (
	"cmp"
	"slices"

	"github.com/bitgpu/bitgpu/shaders"
)

// This file plans convolutions by conv_panel: how its tiles are cut, and the steps that bring an operand into panels
// and multiply it.

// panelTiling is how conv_panel cuts the products of a layer up. The names are those of its specialization constants:
// a subgroup takes kc of the products for v blocks of channels and p pixels.
type panelTiling struct {
	p, v, kc, chunks, tiles int
	parts                   int // dispatches that the products are divided among
}

// What panelTilings weighs, in instructions of lavapipe's code: of a subgroup, of each vector that it passes on to others or
// to another part, and of a workgroup. Code beyond panelCode instructions runs slower, for it leaves the processor's caches.
const (
	panelSubgroup  = 250
	panelVector    = 55
	panelSum       = 150
	panelWorkgroup = 250
	panelCode      = 4300
)

// Limits of conv_panel itself.
const (
	panelLanes     = 8    // of a subgroup
	panelSubgroups = 32   // of a workgroup
	panelGrid      = 1024 // workgroups in y or z, and in x without a third look-up
	panelWide      = 32 * panelGrid
	panelFlat      = 32 // workgroups in y and z without a second look-up
)

// panelBytes is how much memory panels should take: a layer whose operand takes more is cut up.
const panelBytes = 24 << 20

// panelBlocks is how many blocks an invocation of panels makes, if that divides them: what it does once for all is half of
// the time with one.
const panelBlocks = 4

// productsOf is the number of products that make one value.
func (c convShape) productsOf() int { return 8 * c.kh * c.kw * c.in.C }

// panelStep is how many instructions one product takes for every vector of a tile. With one block of channels each value of
// the operand is used once, as an operand in memory of its multiplication: such an instruction is long, and counts for
// a little more, but there is none that loads the value.
func panelStep(p, v int) int {
	if v == 1 {
		return (2*p + 1) * 9 / 8
	}
	return 2*v*p + p + v
}

// cost estimates the instructions that a layer takes.
func (t panelTiling) cost(c convShape) int {
	vectors := t.v * t.p
	subgroup := panelSubgroup + t.kc*panelStep(t.p, t.v) + panelVector*vectors
	if t.parts > 1 {
		subgroup += panelSum * ceilDiv(vectors, t.chunks)
	}
	if subgroup > panelCode {
		subgroup += (subgroup - panelCode) / 2
	}
	groups := ceilDiv(c.out.Pixels(), t.p) * t.parts * c.images * (c.out.C / (t.v * t.tiles))
	return groups * (panelWorkgroup + t.tiles*t.chunks*subgroup)
}

// panelTilings lists those worth trying for a layer, the default first.
func panelTilings(t Target, c convShape) []panelTiling {
	products := c.productsOf()
	var all []panelTiling
	for _, p := range []int{12, 16, 14, 10, 9, 8, 7, 6, 5, 4} {
		for _, v := range []int{1, 2, 3} {
			if c.out.C%v != 0 || p > 9 && v > 1 { // more sums than registers
				continue
			}
			for chunks := 1; chunks <= min(v*p, panelSubgroups); chunks++ {
				if v*p%chunks != 0 || products%chunks != 0 {
					continue
				}
				kc, parts := panelChunk(products/chunks, panelStep(p, v))
				tile := panelTiling{p, v, kc, chunks, 1, parts}
				for more := range panelSubgroups / chunks {
					n := more + 1
					shared := n * chunks * v * p * panelLanes * 4
					if c.out.C/v%n == 0 && n*chunks*panelLanes <= int(t.MaxInvocations) && shared <= int(t.MaxShared) {
						tile.tiles = n
					}
				}
				all = append(all, tile)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b panelTiling) int { return cmp.Compare(a.cost(c), b.cost(c)) })
	return all[:min(len(all), 6)]
}

// panelChunk divides products, of so many instructions each, into parts of kc: as many as fit the code that is fast, if
// that divides them.
func panelChunk(products, step int) (kc, parts int) {
	most := max(panelCode/step, 1)
	for parts = ceilDiv(products, most); parts < products; parts++ {
		if products%parts == 0 && products/parts*2 >= most {
			return products / parts, parts
		}
	}
	for parts = ceilDiv(products, most); products%parts != 0; parts++ {
	}
	return products / parts, parts
}

// choosePanel returns the tiling of a layer: what the target was tuned to, else the default.
func choosePanel(t Target, c convShape) panelTiling {
	all := panelTilings(t, c)
	if tuned := t.Tuning.conv(c.layer(t.Storage), c.pixels()); tuned != nil && tuned.Kernel == shaders.For(t.Storage).ConvPanel.Name {
		for _, tiling := range all {
			if slices.Equal(tiling.constants(), tuned.Constants) {
				return tiling
			}
		}
	}
	return all[0]
}

// constants are how a tuning knows a tiling.
func (t panelTiling) constants() []uint32 {
	return []uint32{uint32(t.p), uint32(t.v), uint32(t.kc), uint32(t.chunks), uint32(t.tiles)}
}

// panels plans a convolution: slices of pixels are brought into panels and multiplied, one after the other.
func (p *planner) panels(name string, c convShape, flops int64, x, norm, residual, y *value) {
	t := choosePanel(p.Target, c)
	perTile := int64(c.images) * int64(c.productsOf()) * int64(t.p) * 4
	tiles := ceilDiv(c.out.Pixels(), t.p)
	most := int(min(max(panelBytes/perTile, 1), panelGrid, int64(tiles)))
	most = ceilDiv(tiles, ceilDiv(tiles, most)) // equal slices
	sums := p.panelSums(name, c, t)
	for first := 0; first < tiles; first += most {
		slice := min(most, tiles-first)
		begin := first * t.p
		pixels := min(slice*t.p, c.out.Pixels()-begin)
		v := newValue(name+".panels", int64(slice)*perTile)
		p.panelInput(name, c, t, begin, pixels, x, norm, v)
		p.panelProducts(name, c, t, begin, slice, share(flops, begin, pixels, c.out.Pixels()), v, sums, residual, y)
	}
}

// panelInput brings the operand of so many pixels, from begin on, into panels.
func (p *planner) panelInput(name string, c convShape, t panelTiling, begin, pixels int, x, norm, v *value) {
	together := gcd(c.in.C, panelBlocks)
	p.step(Step{
		Name: name + ".panels", Kernel: p.kernels.Panels,
		Spec: []uint32{64, uint32(t.p), uint32(c.kh), uint32(c.kw), uint32(c.sh), uint32(c.sw),
			uint32(c.ph), uint32(c.pw), flag(c.norm), panelLanes, uint32(together)},
		Push:   shaders.Push(c.in.H, c.in.W, c.out.W, c.in.C, begin, pixels),
		Groups: [3]uint32{uint32(ceilDiv(pixels, 64)), uint32(c.kh * c.kw * c.in.C / together), uint32(c.images)},
	}, x, norm, v)
}

// panelSums is the place for the sums of all parts but the last; nil if there is one part.
func (p *planner) panelSums(name string, c convShape, t panelTiling) *value {
	if t.parts == 1 {
		return nil
	}
	return newValue(name+".sums", int64(c.images*c.out.C)*int64(c.out.Pixels())*32)
}

// panelProducts multiplies panels of so many tiles from the pixel begin on.
func (p *planner) panelProducts(name string, c convShape, t panelTiling, begin, tiles int, flops int64, v, sums, residual, y *value) {
	perBlock := int64(c.positions*c.productsOf()) * p.blockBytes()
	step := t.v * t.tiles
	most := c.out.C
	if perBlock*int64(most) > p.Target.MaxRange || most/step > panelGrid {
		most = max(min(int(p.Target.MaxRange/perBlock), panelGrid*step)/step*step, step)
	}
	for part := range t.parts {
		for first := 0; first < c.out.C; first += most {
			count := min(most, c.out.C-first)
			last := part == t.parts-1
			groups := [3]uint32{uint32(tiles), uint32(count / step), uint32(c.images)}
			s := Step{
				Name: name, Kernel: p.kernels.ConvPanel, Groups: groups,
				Spec: []uint32{uint32(panelLanes * t.tiles * t.chunks), panelLanes, uint32(t.p), uint32(t.v), uint32(t.kc), uint32(t.chunks),
					uint32(t.tiles), flag(c.residual && last), flag(part > 0), flag(last), flag(c.out.Pixels()%t.p != 0),
					flag(groups[1] > panelFlat), flag(groups[2] > panelFlat), flag(groups[0] > panelGrid)},
				Push:  shaders.Push(c.productsOf(), part*t.kc*t.chunks, c.positions, tiles, begin, c.out.Pixels(), first, c.out.C),
				FLOPs: share(share(flops, first, count, c.out.C), part, 1, t.parts),
			}
			if begin == 0 && first == 0 && part == 0 {
				s.conv = &c
			}
			for i := range 32 {
				s.Push = append(s.Push, shaders.Push(i)...)
			}
			add, to := v, y
			if part > 0 {
				add = sums
			}
			if !last {
				to = sums
			}
			w := Ref{Space: WeightSpace, Name: name + ".weight", Offset: int64(first) * perBlock, Size: int64(count) * perBlock}
			p.step(s, v, w, residual, add, to)
		}
	}
}

// share is what [first, first+count) of so many take of a total: the shares of all parts add up.
func share(total int64, first, count, of int) int64 {
	return total*int64(first+count)/int64(of) - total*int64(first)/int64(of)
}
