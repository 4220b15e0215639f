package net

import (
	"cmp"
	"slices"

	"github.com/bitgpu/bitgpu/shaders"
)

// This file plans convolutions by conv_panel: how its tiles are cut, and the steps that bring an operand into panels
// and multiply it.

// panelTiling is how conv_panel cuts the products of a layer up. A subgroup takes kc of them for p pixels and a block of
// channels; chunks subgroups make all of them. A workgroup makes rows blocks of channels of groups times p pixels.
type panelTiling struct {
	p, kc, chunks, rows, groups int
}

// What panelTilings weighs, in products of one vector: what a workgroup and a subgroup cost beside, from how many on a subgroup's
// code leaves the processor's caches, and, in percent, sizes of tiles and workgroups that a network may do without, for each takes time to compile.
const (
	panelWorkgroup = 200
	panelSubgroup  = 450
	panelFast      = 1280
	panelUnusual   = 8
)

// panelProducts is how many products a subgroup should make at most, so that its code fits the processor's caches.
const panelProducts = 144

// Limits of conv_panel itself.
const (
	panelLanes     = 8       // of a subgroup
	panelSubgroups = 32      // of a workgroup
	panelGrid      = 32768   // workgroups of a dispatch
	panelPast      = 16 * 32 // bytes that it reads past the end of a residual
)

// panelBytes is how much memory panels should take: a layer whose operand takes more is cut up.
const panelBytes = 24 << 20

// panelBlocks is how many blocks of the operand are read together, if that divides them: what is done once for all is half of
// the time with one.
const panelBlocks = 4

// panelPart is how many pixels a workgroup brings into panels that takes no statistics.
const panelPart = 256

// productsOf is the number of products that make one value.
func (c convShape) productsOf() int { return 8 * c.kh * c.kw * c.in.C }

// cost estimates the time that a layer takes.
func (t panelTiling) cost(c convShape) int {
	subgroup := panelSubgroup + t.kc*t.p + max(t.kc*t.p-panelFast, 0)*5/4
	groups := ceilDiv(ceilDiv(c.out.Pixels(), t.p), t.groups) * c.images * (c.out.C / t.rows)
	cost := groups * (panelWorkgroup + t.groups*t.rows*t.chunks*subgroup)
	if t.p != 8 && t.p != 10 || t.chunks*t.rows*t.groups != panelSubgroups {
		cost += cost * panelUnusual / 100
	}
	return cost
}

// panelTilings lists those worth trying for a layer, the default first.
func panelTilings(t Target, c convShape) []panelTiling {
	most := min(panelSubgroups, int(t.MaxInvocations)/panelLanes)
	var all []panelTiling
	for chunks := 1; chunks <= most; chunks++ {
		tile := panelTiling{kc: c.productsOf() / chunks, chunks: chunks}
		if tile.kc*chunks != c.productsOf() {
			continue
		}
		units := most / chunks
		for tile.rows = units; tile.rows > 0; tile.rows-- {
			if c.out.C%tile.rows > 0 {
				continue
			}
			for _, tile.groups = range slices.Compact([]int{units / tile.rows, 1}) {
				for _, tile.p = range []int{10, 8, 14, 12, 6, 4} { // panels stores two at once
					all = append(all, tile)
				}
			}
		}
	}
	// All that are larger than panelProducts, but for the smallest, are out.
	least := slices.MinFunc(all, func(a, b panelTiling) int { return a.kc - b.kc }).kc
	all = slices.DeleteFunc(all, func(t panelTiling) bool { return t.kc > max(least, panelProducts) })
	slices.SortStableFunc(all, func(a, b panelTiling) int { return cmp.Compare(a.cost(c), b.cost(c)) })
	return all[:min(len(all), 6)]
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
	return []uint32{uint32(t.p), uint32(t.kc), uint32(t.chunks), uint32(t.rows), uint32(t.groups)}
}

// panels plans a convolution: slices of pixels are brought into panels and multiplied, one after the other.
func (p *planner) panels(name string, c convShape, flops int64, x *value, norm any, residual, y *value) {
	t := choosePanel(p.Target, c)
	tiles, most := ceilDiv(c.out.Pixels(), t.p), t.slice(c)
	for first := 0; first < tiles; first += most {
		slice := min(most, tiles-first)
		begin := first * t.p
		pixels := min(slice*t.p, c.out.Pixels()-begin)
		v := newValue(name+".panels", int64(slice)*t.bytes(c))
		p.panelInput(name, c, t, begin, pixels, x, norm, v)
		p.multiplyPanels(name, c, t, begin, slice, share(flops, begin, pixels, c.out.Pixels()), v, residual, y)
	}
}

// bytes is what the panels of so many pixels of all images take.
func (t panelTiling) bytes(c convShape) int64 {
	return int64(c.images) * int64(c.productsOf()) * int64(t.p) * 4
}

// slice is how many tiles of pixels are brought into panels at once.
func (t panelTiling) slice(c convShape) int {
	tiles := ceilDiv(c.out.Pixels(), t.p)
	most := int(min(max(panelBytes/t.bytes(c), 1), int64(max(panelGrid/c.images, 1)*t.groups), int64(tiles)))
	return ceilDiv(tiles, ceilDiv(tiles, most)) // equal slices
}

// panelUnit is how the kernels that bring an operand into panels share its blocks out and normalize them (shaders/unit.glsl).
type panelUnit struct {
	spec        []uint32 // their first specialization constants
	unit, group int      // blocks of a workgroup, channels of a group
	part        int      // pixels or tiles of a workgroup
}

// unit is that of an operand with so many pixels or tiles. The kernels take the statistics where norm is the weights of GroupNorm.
func (p *planner) unit(c convShape, norm any, pixels int) panelUnit {
	mode, u := flag(c.norm), panelUnit{unit: gcd(c.in.C, panelBlocks), group: panelLanes, part: min(panelPart, pixels)}
	if _, weights := norm.(Ref); weights {
		mode, u.group, u.part = normTaken, 8*c.in.C/p.Graph.Config.Groups, pixels
		for u.unit = wholeGroups(u.group); 2*u.unit <= panelBlocks && c.in.C%(8*u.unit) == 0; u.unit *= 2 {
		}
	}
	u.spec = []uint32{panelLanes, mode, uint32(gcd(u.unit, panelBlocks))}
	return u
}

// takesStatistics reports whether what brings a normalized value into panels takes the statistics too: there is one such step.
func (p *planner) takesStatistics(norm int) bool {
	n, readers := p.Graph.Nodes[norm], p.Graph.readers(norm)
	if !p.Target.Panel || len(readers) != 1 || p.Graph.Nodes[readers[0]].Op != Conv {
		return false
	}
	unit := wholeGroups(n.Out.C / p.Graph.Config.Groups)
	if n.Out.C%8 != 0 || blocks(n.Out.C)%unit != 0 || unit > mostUnit {
		return false
	}
	if p.Winograd[p.Graph.Nodes[readers[0]].Name] != 0 {
		return true
	}
	c := p.Graph.convShape(readers[0], p.Batch)
	t := choosePanel(p.Target, c)
	return t.slice(c) == ceilDiv(c.out.Pixels(), t.p)
}

// panelInput brings the operand of so many pixels, from begin on, into panels.
func (p *planner) panelInput(name string, c convShape, t panelTiling, begin, pixels int, x *value, norm any, v *value) {
	u := p.unit(c, norm, pixels)
	u.part += u.part % 2
	whole := c.kh*c.kw*c.sh*c.sw == 1
	p.step(Step{
		Name: name + ".panels", Kernel: p.kernels.Panels, Spec: append(u.spec, flag(whole)),
		Push: shaders.Push(c.in.H, c.in.W, c.out.W, c.in.C, begin, pixels, u.part, u.unit, u.group,
			c.kh, c.kw, c.sh, c.sw, c.ph, c.pw, t.p, reciprocal(t.p), p.Graph.Config.NormEps),
		Groups: [3]uint32{uint32(c.in.C / u.unit), uint32(ceilDiv(pixels, u.part)), uint32(c.images)},
	}, x, norm, v)
}

// multiplyPanels multiplies panels of so many tiles from the pixel begin on.
func (p *planner) multiplyPanels(name string, c convShape, t panelTiling, begin, tiles int, flops int64, v, residual, y *value) {
	perBlock := int64(c.positions*c.productsOf()) * p.blockBytes()
	columns := ceilDiv(tiles, t.groups)
	most := min(c.out.C, max(panelGrid/(columns*c.images), 1)*t.rows)
	if perBlock*int64(most) > p.Target.MaxRange {
		most = max(int(p.Target.MaxRange/perBlock)/t.rows*t.rows, t.rows)
	}
	for first := 0; first < c.out.C; first += most {
		count := min(most, c.out.C-first)
		across := columns * count / t.rows
		s := Step{
			Name: name, Kernel: p.kernels.ConvPanel,
			Groups: [3]uint32{uint32(across * c.images), 1, 1},
			Spec:   []uint32{uint32(panelLanes * t.chunks * t.rows * t.groups), panelLanes, uint32(t.p), uint32(t.kc)},
			Push: shaders.Push(c.productsOf(), c.positions, tiles, begin, c.out.Pixels(), first, c.out.C,
				t.chunks, t.rows, t.groups, ceilDiv(1<<16, t.chunks), ceilDiv(1<<16, t.rows),
				columns, across, reciprocal(columns), reciprocal(across), c.out.Pixels(), int(flag(c.residual))),
			FLOPs: share(flops, first, count, c.out.C),
		}
		if begin == 0 && first == 0 {
			s.conv = &c
		}
		for i := range 32 {
			s.Push = append(s.Push, shaders.Push(i)...)
		}
		w := Ref{Space: WeightSpace, Name: name + ".weight", Offset: int64(first) * perBlock, Size: int64(count) * perBlock}
		p.step(s, v, w, residual, y)
	}
}

// reciprocal is what kernels divide by n with, by multiplying: 2^31 / n, rounded up.
func reciprocal(n int) int { return ceilDiv(1<<31, n) }

// share is what [first, first+count) of so many take of a total: the shares of all parts add up.
func share(total int64, first, count, of int) int64 {
	return total*int64(first+count)/int64(of) - total*int64(first)/int64(of)
}
