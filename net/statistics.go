package net

// This file owns the steps of GroupNorm: partial statistics of a tensor, which the step that writes it may have left, and
// from them a scale and a shift for every image and channel.

import "github.com/bitgpu/bitgpu/shaders"

// statistics are the partial moments of a value (shaders/moments.glsl), by chunks of chunk tiles of side x side pixels each;
// joined, chunks run on from one image to the next.
type statistics struct {
	part                *value
	side, chunk, chunks int // chunks is the most that an image has
	joined              bool
}

// newStatistics are those of so many images of the shape, of which C counts blocks, to be left by steps that follow.
func newStatistics(name string, images int, s Shape, side, chunk int, joined bool) *statistics {
	tiles := ceilDiv(s.H, side) * ceilDiv(s.W, side)
	chunks := ceilDiv(tiles, chunk)
	if joined {
		chunks = ceilDiv(tiles-1, chunk) + 1
	}
	return &statistics{
		part: newValue(name+".part", int64(images)*int64(chunks)*int64(s.C)*64),
		side: side, chunk: chunk, chunks: chunks, joined: joined,
	}
}

// Pixels of one workgroup of gn_stats, and the most partial results that one invocation of
// gn_finalize merges: Mesa 22.3 stops any invocation after 65,535 loop iterations in total.
const (
	statsChunk = 4096
	mostMerges = 1 << 15
)

// normWeights are gamma and beta of a GroupNorm.
func normWeights(n Node) Ref {
	return Ref{Space: WeightSpace, Name: n.Name, Size: int64(n.Out.C) * 8}
}

// wholeGroups is the fewest blocks that are whole groups of so many channels.
func wholeGroups(channels int) int { return channels / gcd(channels, 8) }

// What the kernels know that take the statistics of groups (shaders/unit.glsl): NORM for that, and so many blocks at once.
const (
	normTaken = 2
	mostUnit  = 32
)

// normReLU leaves the scale and shift of every image and channel, which the readers apply.
func (p *planner) normReLU(i int, n Node) {
	if p.takesStatistics(i) {
		return
	}
	groups := p.Graph.Config.Groups
	x, planes := p.values[n.In[0]], blocks(n.Out.C)
	affine := newValue(n.Name, int64(p.Batch)*int64(planes)*64)
	p.values[i] = affine
	weights := normWeights(n)
	size := n.Out.C / groups
	if unit := wholeGroups(size); p.Target.Address && x.stats == nil && unit <= mostUnit {
		together := 1 // blocks that are read together
		if planes%unit == 0 {
			together = gcd(unit, panelBlocks)
		}
		p.step(Step{
			Name: n.Name, Kernel: p.kernels.GroupNorm, Spec: []uint32{panelLanes, normTaken, uint32(together)},
			Push:   shaders.Push(n.Out.C, planes, n.Out.Pixels(), unit, size, p.Graph.Config.NormEps),
			Groups: [3]uint32{uint32(ceilDiv(planes, unit)), uint32(p.Batch), 1},
		}, x, weights, affine)
		return
	}
	// Invocations that share out a chunk's pixels, and a group's chunks. A CPU gains nothing from more, and has more to merge.
	sums, merges := uint32(32), uint32(64)
	if p.Target.Lane || p.Target.CPU {
		sums, merges = 8, 8
	}
	stats := x.stats
	if stats == nil {
		chunk := max(statsChunk, ceilDiv(n.Out.Pixels()*(n.Out.C/groups), mostMerges))
		stats = newStatistics(n.Name, p.Batch, Shape{planes, n.Out.H, n.Out.W}, 1, chunk, false)
		p.step(Step{
			Name: n.Name + ".stats", Kernel: p.kernels.GNStats, Spec: []uint32{sums}, Push: shaders.Push(n.Out.Pixels(), chunk),
			Groups: [3]uint32{uint32(planes), uint32(stats.chunks), uint32(p.Batch)},
		}, x, stats.part)
	}
	p.step(Step{
		Name: n.Name + ".finalize", Kernel: p.kernels.GNFinalize, Spec: []uint32{merges, flag(stats.joined)},
		Push:   shaders.Push(n.Out.C, groups, n.Out.H, n.Out.W, stats.side, stats.chunk, stats.chunks, p.Graph.Config.NormEps),
		Groups: [3]uint32{uint32(groups), uint32(p.Batch), 1},
	}, stats.part, weights, affine)
}
