package net

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// planCheck plays a plan through and watches what happens to memory. It knows the steps only: their
// kernels' accesses, push constants and bindings.
type planCheck struct {
	t       *testing.T
	plan    *Plan
	arena   []piece            // sorted, not overlapping
	outputs []piece            // of the output space
	weights map[string][]piece // of each parameter, what was bound
}

// piece is a range of bytes and the value that was last written to it.
type piece struct {
	from, to int64
	value    string
}

// checkPlan checks the invariants of a plan:
//
//   - every binding is aligned, within its space and within the device's limits;
//   - what a step reads was written before, and by nobody else since;
//   - a step overwrites no byte that it reads, but a convolution its residual, plane by plane;
//   - all of the weights are used, and all of the outputs are written, once;
//   - the operations of the steps add up to those of the graph, as Winograd's transforms change them.
func checkPlan(t *testing.T, p *Plan) {
	t.Helper()
	c := &planCheck{t: t, plan: p, weights: map[string][]piece{}}
	var flops int64
	for i := range p.Steps {
		c.step(&p.Steps[i])
		flops += p.Steps[i].FLOPs
	}
	c.checkWeights()
	c.checkOutputs()
	want := p.FLOPs()
	for _, n := range p.Graph.Nodes {
		if m := p.Winograd[n.Name]; m != 0 {
			tiles := int64(ceilDiv(n.Out.H, m) * ceilDiv(n.Out.W, m) * p.Batch)
			positions := int64((m + 2) * (m + 2))
			want += 2*tiles*positions*int64(n.Out.C)*int64(p.Graph.Nodes[n.In[0]].Out.C) - 2*p.Graph.MACs(n)*int64(p.Batch)
		}
	}
	if flops != want {
		t.Errorf("the steps take %d operations, want %d", flops, want)
	}
}

func (c *planCheck) step(s *Step) {
	k, target := s.Kernel, c.plan.Target
	if len(s.Refs) != len(k.Bindings) || len(s.Push) != k.Push-8*k.Addresses() || len(s.Spec) > len(k.Spec) {
		c.t.Fatalf("%s: %d bindings, %d bytes of push constants, %d constants do not suit %s", s.Name, len(s.Refs), len(s.Push), len(s.Spec), k.Name)
	}
	if last := len(s.Refs) - 1; last > result(s) && !leavesStats(s) {
		if s.Refs[last] != s.Refs[result(s)] {
			c.t.Errorf("%s: binds %s for statistics that it does not leave", s.Name, s.Refs[last].Name)
		}
		without := *s
		without.Refs = s.Refs[:last]
		s = &without
	}
	for i, n := range s.Groups {
		if n < 1 || n > target.MaxGroups[i] {
			c.t.Errorf("%s: %v workgroups", s.Name, s.Groups)
		}
	}
	for i, r := range s.Refs {
		if r.Offset%target.Align != 0 || r.Size < 1 || r.Size > target.MaxRange {
			c.t.Errorf("%s: binding %d, %s, is %d bytes at %d", s.Name, i, r.Name, r.Size, r.Offset)
		}
		if k.Bindings[i]&shaders.ReadWrite == shaders.Read {
			c.read(s, r)
		}
	}
	for i, r := range s.Refs {
		if k.Bindings[i]&shaders.Write != 0 {
			c.write(s, i, r)
		}
	}
}

// read checks that the bytes of a binding hold the value that it names.
func (c *planCheck) read(s *Step, r Ref) {
	switch r.Space {
	case WeightSpace:
		c.weights[r.Name] = append(c.weights[r.Name], piece{r.Offset, r.Offset + r.Size, s.Name})
	case InputSpace, TableSpace:
		if size := map[Space]int64{InputSpace: c.plan.InputSize, TableSpace: tableSize}[r.Space]; r.Offset != 0 || r.Size != size {
			c.t.Errorf("%s: reads %d bytes at %d of %d", s.Name, r.Size, r.Offset, size)
		}
	case ArenaSpace:
		c.checkHolds(s, r, c.arena)
	case OutputSpace: // the classifier reads the embedding there
		c.checkHolds(s, r, c.outputs)
	}
}

func (c *planCheck) checkHolds(s *Step, r Ref, pieces []piece) {
	at := r.Offset
	for _, p := range pieces {
		if p.from > at || p.to <= at {
			continue
		}
		if p.value != r.Name {
			// A residual's planes that this sum has taken over already, in an earlier dispatch.
			if i := residual(s); !(i > 0 && p.value == s.Refs[result(s)].Name && r == s.Refs[i]) {
				c.t.Errorf("%s: reads %s at %d, where %s is", s.Name, r.Name, at, p.value)
				return
			}
		}
		if at = p.to; at >= r.Offset+r.Size {
			return
		}
	}
	c.t.Errorf("%s: reads %s at %d, where nothing was written", s.Name, r.Name, at)
}

func isConv(s *Step) bool { return strings.HasPrefix(s.Kernel.Name, "conv_") }

// result is the binding that a step's result goes to.
func result(s *Step) int {
	switch {
	case isPanel(s):
		return 3
	case isConv(s):
		return 4
	case isWinogradEnd(s):
		return 2
	}
	return len(s.Kernel.Bindings) - 1
}

// leavesStats says whether a step writes statistics of its result to a binding after it.
func leavesStats(s *Step) bool {
	return result(s) < len(s.Kernel.Bindings)-1 && s.Spec[len(s.Spec)-1] == 1 // STATS
}

func isPanel(s *Step) bool { return strings.HasPrefix(s.Kernel.Name, "conv_panel") }

// isWinogradEnd reports whether a step is Winograd's last.
func isWinogradEnd(s *Step) bool {
	return strings.HasPrefix(s.Kernel.Name, "winograd_output") || strings.HasPrefix(s.Kernel.Name, "winograd_gather")
}

// field is a push constant of a step, those that are addresses apart.
func field(s *Step, i int) int64 { return int64(binary.LittleEndian.Uint32(s.Push[4*i:])) }

// Some of those of conv_panel.
const (
	panelBegin   = 3
	panelRows    = 8
	panelColumns = 12
	panelAcross  = 13
	panelStep    = 17
)

// isDynamic reports whether strides and the residual are among a convolution's push constants (DYNAMIC of shaders/conv.glsl).
func isDynamic(s *Step) bool { return s.Kernel.Push == 48 }

// residual is the binding of what a step adds to its result, the last binding; 0 if there is none. The two may be the same bytes, or none may be.
func residual(s *Step) int {
	switch {
	case isPanel(s) && field(s, panelStep) == 1:
		return 2
	case isPanel(s):
	case isConv(s) && (isDynamic(s) && s.Push[44] == 1 || !isDynamic(s) && s.Spec[8] == 1):
		return 3
	case isWinogradEnd(s) && s.Spec[2] == 1:
		return 1
	}
	return 0
}

// write puts the value of a binding into the bytes that the step writes.
func (c *planCheck) write(s *Step, binding int, r Ref) {
	for i, other := range s.Refs {
		overlaps := i != binding && other.Space == r.Space && other.Offset < r.Offset+r.Size && r.Offset < other.Offset+other.Size
		if overlaps && !(i > 0 && i == residual(s) && other.Offset == r.Offset && other.Size == r.Size) {
			c.t.Errorf("%s: writes %s over %s", s.Name, r.Name, other.Name)
		}
	}
	pieces, size := &c.arena, c.plan.ArenaSize
	switch r.Space {
	case OutputSpace:
		pieces, size = &c.outputs, c.plan.OutputSize
	case ArenaSpace:
	default:
		c.t.Errorf("%s: writes %s in space %d", s.Name, r.Name, r.Space)
		return
	}
	if r.Offset < 0 || r.Offset+r.Size > size {
		c.t.Errorf("%s: writes %s beyond %d bytes", s.Name, r.Name, size)
	}
	list := []piece{{r.Offset, r.Offset + r.Size, r.Name}}
	if binding == result(s) {
		list = c.written(s, r)
	}
	for _, p := range list {
		*pieces = overwrite(*pieces, p)
	}
}

// written is which bytes of its result a step writes: of a convolution the planes of its dispatch, of
// Winograd's last step its images.
func (c *planCheck) written(s *Step, r Ref) []piece {
	if isWinogradEnd(s) {
		image := r.Size / int64(c.plan.Batch)
		return []piece{{r.Offset + field(s, 5)*image, r.Offset + (field(s, 5)+field(s, 6))*image, r.Name}}
	}
	if isPanel(s) {
		return c.panelWritten(s, r)
	}
	if !isConv(s) {
		return []piece{{r.Offset, r.Offset + r.Size, r.Name}}
	}
	images := int64(c.plan.Batch)
	if positions := field(s, 8); positions > 1 {
		images = positions
	}
	count, first, planes := field(s, 5), field(s, 6), field(s, 7)
	plane := r.Size / images / planes
	if want := field(s, 2) * field(s, 3) * 8 * c.plan.Target.Storage.Size(); plane != want {
		c.t.Errorf("%s: %s has planes of %d bytes, want %d", s.Name, r.Name, plane, want)
	}
	var list []piece
	for n := range images {
		at := r.Offset + (n*planes+first)*plane
		list = append(list, piece{at, at + count*plane, r.Name})
	}
	return list
}

// panelWritten is what conv_panel writes: of the planes of its dispatch the pixels of its panels.
func (c *planCheck) panelWritten(s *Step, r Ref) []piece {
	block := 8 * c.plan.Target.Storage.Size()
	tiles, begin, pixels, first, planes := field(s, panelBegin-1), field(s, panelBegin), field(s, panelBegin+1), field(s, panelBegin+2), field(s, panelBegin+3)
	across := field(s, panelAcross)
	count, images := across/field(s, panelColumns)*field(s, panelRows), int64(s.Groups[0])/across
	end := min(begin+tiles*int64(s.Spec[2]), pixels) // P
	if r.Size != images*planes*pixels*block {
		c.t.Errorf("%s: %s takes %d bytes, want %d images of %d planes of %d pixels", s.Name, r.Name, r.Size, images, planes, pixels)
	}
	var list []piece
	for n := range images {
		at := r.Offset + (n*planes+first)*pixels*block
		if begin == 0 && end == pixels {
			list = append(list, piece{at, at + count*pixels*block, r.Name})
			continue
		}
		for plane := range count {
			list = append(list, piece{at + (plane*pixels+begin)*block, at + (plane*pixels+end)*block, r.Name})
		}
	}
	return list
}

// overwrite puts p over whatever is there.
func overwrite(pieces []piece, p piece) []piece {
	var out []piece
	for _, q := range pieces {
		if left := (piece{q.from, min(q.to, p.from), q.value}); left.from < left.to {
			out = append(out, left)
		}
		if right := (piece{max(q.from, p.to), q.to, q.value}); right.from < right.to {
			out = append(out, right)
		}
	}
	out = append(out, p)
	slices.SortFunc(out, func(a, b piece) int { return int(a.from - b.from) })
	return out
}

// checkWeights checks that the parts of each parameter follow one another to its end, once or more often.
func (c *planCheck) checkWeights() {
	g := c.plan.Graph
	want := map[string]int64{}
	element := c.plan.Target.Storage.Size()
	for _, n := range g.Nodes {
		switch n.Op {
		case Conv, Linear:
			taps := int64(max(n.Kernel*n.Kernel, 1))
			in := int64(blocks(g.Nodes[n.In[0]].Out.C))
			if g.Nodes[n.In[0]].Op == Input {
				taps = 7 * 4
			}
			if m := int64(c.plan.Winograd[n.Name]); m != 0 {
				taps = (m + 2) * (m + 2)
			}
			want[n.Name+".weight"] = int64(blocks(n.Out.C)) * taps * in * 64 * element
			if n.Op == Linear {
				want[n.Name+".bias"] = int64(n.Out.C) * 4
			}
		case NormReLU:
			want[n.Name] = int64(n.Out.C) * 8
		}
	}
	for name, size := range want {
		at := int64(0)
		for _, p := range c.weights[name] {
			if at == size { // once more: a small one, bound by every dispatch, or for other images
				at = 0
			}
			if p.from != at {
				c.t.Errorf("%s is bound at %d after %d", name, p.from, at)
			}
			at = p.to
		}
		if at != size {
			c.t.Errorf("%d bytes of %s are bound, want %d", at, name, size)
		}
		delete(c.weights, name)
	}
	if len(c.weights) > 0 {
		c.t.Errorf("unknown weights: %v", c.weights)
	}
}

// checkOutputs checks that each wanted result was written, and that none lies over another.
func (c *planCheck) checkOutputs() {
	p, g := c.plan, c.plan.Graph
	var end []piece
	result := func(what string, r *Result, id int) {
		if (r != nil) != (id >= 0) {
			c.t.Errorf("%s: result %v, node %d", what, r, id)
		}
		if r == nil || id < 0 {
			return
		}
		if n := g.Nodes[id]; r.Shape != n.Out || r.Stride < n.Out.C*n.Out.Pixels() {
			c.t.Errorf("%s: %+v, want the shape %v", what, *r, n.Out)
		}
		size := int64(p.Batch) * int64(r.Stride) * 4
		c.checkHolds(&Step{Name: what, Kernel: &shaders.Kernel{}}, Ref{OutputSpace, g.Nodes[id].Name, r.Offset, size}, c.outputs)
		end = append(end, piece{r.Offset, r.Offset + size, what})
	}
	result("logits", p.Logits, g.Logits)
	result("embedding", p.Embedding, g.Embedding)
	result("unpooled", p.Unpooled, g.Unpooled)
	for i := range g.Maps {
		result(fmt.Sprint("map ", i), p.Maps[i], g.Maps[i])
	}
	for i, a := range end {
		for _, b := range end[:i] {
			if a.from < b.to && b.from < a.to {
				c.t.Errorf("%s lies over %s", a.value, b.value)
			}
		}
	}
}
