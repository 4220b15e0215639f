package net

import (
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// TestPlanLeavesStatistics: on GPUs the step that ends a convolution leaves the statistics of its result, with matrix units and
// without, by Winograd's transforms and directly, and only max pooling's result is read once more for them. With -v it prints what the
// statistics of the default model read and write.
func TestPlanLeavesStatistics(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	g := newGraph(t, v.Config, v.Size, v.Size, Outputs{Logits: true})
	large := func(target Target) Target {
		target.MaxRange, target.MaxGroups, target.Align = 4<<30, [3]uint32{1 << 31, 65535, 65535}, 256
		return target
	}
	matrix, tile, cpu := large(gpuTarget()), large(gpuTarget()), someTarget(shaders.F16)
	tile.Matrix = gpu.Matrix{}
	for _, c := range []struct {
		name   string
		target Target
		w      Winograd
	}{
		{"matrix units", matrix, Winograd{}}, {"tiles", tile, Winograd{}}, {"Winograd", tile, defaultWinograd(g, tile)},
		{"matrix units and Winograd", matrix, allWinograd(g, func(i int) int { return 2 + 2*(i%2) })},
	} {
		for _, batch := range []int{1, 3} {
			p := newWinogradPlan(t, g, c.target, c.w, batch, Pixels)
			checkPlan(t, p)
			own, left := statisticsTraffic(p)
			before, _ := statisticsTraffic(newWinogradPlan(t, g, cpu, nil, batch, Pixels))
			t.Logf("%s, batch of %d: statistics read and write %.1f MB, of which %.1f MB in steps of their own; as passes of their own %.1f MB",
				c.name, batch, float64(own+left)/1e6, float64(own)/1e6, float64(before)/1e6)
			if own+left > before/4 {
				t.Errorf("%s: statistics take %d bytes, %d if all were made in passes of their own", c.name, own+left, before)
			}
			for _, s := range p.Steps {
				if s.Kernel == shaders.For(c.target.Storage).GNStats && s.Name != "stages.0.blocks.0.norm1.stats" {
					t.Errorf("%s: %s is a step of its own", c.name, s.Name)
				}
			}
		}
	}
	for _, s := range newPlan(t, g, cpu, 1, Pixels).Steps {
		if strings.HasSuffix(s.Name, ".stats") != (s.Kernel == shaders.For(shaders.F16).GNStats) || isConv(&s) && len(s.Refs) != 5 {
			t.Errorf("CPU: %s by %s has %d bindings", s.Name, s.Kernel.Name, len(s.Refs))
		}
	}
}

// TestPlanTakesStatistics: conv_panel's operands take the statistics of what they normalize, but where two convolutions read it,
// where it is the last, and where the operand is cut into slices.
func TestPlanTakesStatistics(t *testing.T) {
	target := someTarget(shaders.F16)
	target.Panel, target.Address, target.MaxInvocations = true, true, 1024
	v, _ := FindVariant(DefaultModel)
	for _, size := range []int{224, 896} {
		g := newGraph(t, v.Config, size, size, Outputs{Logits: true})
		p := newWinogradPlan(t, g, target, defaultWinograd(g, target), 1, Pixels)
		checkPlan(t, p)
		own := 0
		for _, s := range p.Steps {
			if s.Kernel != shaders.For(target.Storage).GroupNorm {
				continue
			}
			own++
			i := slices.IndexFunc(g.Nodes, func(n Node) bool { return n.Name == s.Name })
			readers := g.readers(i)
			sliced := func() bool {
				c := g.convShape(readers[0], 1)
				return choosePanel(target, c).bytes(c)*int64(ceilDiv(c.out.Pixels(), choosePanel(target, c).p)) > panelBytes
			}
			if len(readers) == 1 && g.Nodes[readers[0]].Op == Conv && !sliced() {
				t.Errorf("%d: %s is a step of its own", size, s.Name)
			}
		}
		// The first norm of each stage, the last one, and what is cut up.
		if size == 224 && own != 5 || size > 224 && own <= 5 {
			t.Errorf("%d: %d norms have steps of their own", size, own)
		}
	}
}

// statisticsTraffic is the bytes that gn_stats and gn_finalize read and write, and what other steps write for them.
func statisticsTraffic(p *Plan) (own, left int64) {
	for _, s := range p.Steps {
		if p.Kind(s) == Statistics {
			read, written := s.Traffic()
			own += read + written
		} else if leavesStats(&s) {
			left += s.Refs[len(s.Refs)-1].Size
		}
	}
	return own, left
}
