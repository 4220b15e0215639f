package net

import "github.com/bitgpu/bitgpu/shaders"

// planner turns a graph into the steps of a plan, node by node, and gives every value its place.
type planner struct {
	*Plan
	kernels *shaders.Set
	arena   arena
	values  []*value // of every node that is stored; nil for those that are fused away
	pooled  any      // the embedding: a *value, or a Ref if it is an output
	placed  []placement
}

// value is a result that lies in the arena.
type value struct {
	name  string
	size  int64
	last  int // index of the last step that reads it
	first int // index of the step that writes it
	alias *value
	at    int64
	stats *statistics // that the step which writes it leaves; nil if none does
}

// placement is a Ref in a step whose offset is known only when all lifetimes are.
type placement struct {
	step, ref int
	value     *value
}

func newPlanner(p *Plan) *planner {
	return &planner{
		Plan: p, kernels: shaders.For(p.Target.Storage), arena: arena{align: p.Target.Align},
		values: make([]*value, len(p.Graph.Nodes)),
	}
}

func (p *planner) run() {
	for i, n := range p.Graph.Nodes {
		switch n.Op {
		case Input:
			p.input(i, n)
		case Conv:
			p.conv(i, n)
		case MaxPool:
			p.maxPool(i, n)
		case NormReLU:
			p.normReLU(i, n)
		case Add: // done by the convolution that produced its first operand
		case AvgPool:
			p.avgPool(i, n)
		case Linear:
			p.linear(n)
		}
		p.outputs(i, n)
	}
	p.place()
}

// blocks is the number of blocks of eight channels.
func blocks(channels int) int { return ceilDiv(channels, 8) }

// blockBytes is the size of one block.
func (p *planner) blockBytes() int64 { return 8 * p.Target.Storage.Size() }

// activation is the size of a batch of activations.
func (p *planner) activation(s Shape) int64 {
	return int64(p.Batch) * int64(blocks(s.C)) * int64(s.Pixels()) * p.blockBytes()
}

// step appends a dispatch whose bindings are values, to be placed later, or finished Refs.
func (p *planner) step(s Step, bindings ...any) {
	at := len(p.Steps)
	for i, b := range bindings {
		switch b := b.(type) {
		case Ref:
			s.Refs = append(s.Refs, b)
		case *value:
			if b.size == 0 {
				panic("net: " + s.Name + " binds a value that has no size")
			}
			if b.first < 0 {
				b.first = at
			}
			b.last = at
			p.placed = append(p.placed, placement{at, i, b})
			s.Refs = append(s.Refs, Ref{Space: ArenaSpace, Name: b.name, Size: b.size})
		}
	}
	p.Steps = append(p.Steps, s)
}

func newValue(name string, size int64) *value { return &value{name: name, size: size, first: -1} }

// place gives every value its offset, in the order of the steps, and writes the offsets into the
// steps' bindings.
func (p *planner) place() {
	born := make([][]*value, len(p.Steps))
	dies := make([][]*value, len(p.Steps))
	seen := map[*value]bool{}
	for _, pl := range p.placed {
		v := pl.value
		if seen[v] || v.alias != nil {
			continue
		}
		seen[v] = true
		born[v.first] = append(born[v.first], v)
	}
	// A value that another one continues lives as long as that one does.
	for _, pl := range p.placed {
		root := pl.value.root()
		root.last = max(root.last, pl.value.last)
	}
	for v := range seen {
		dies[v.last] = append(dies[v.last], v)
	}
	for i := range p.Steps {
		for _, v := range born[i] {
			v.at = p.arena.alloc(v.size)
		}
		for _, v := range dies[i] {
			p.arena.free(v.at)
		}
	}
	for _, pl := range p.placed {
		p.Steps[pl.step].Refs[pl.ref].Offset = pl.value.root().at
	}
	p.ArenaSize = p.arena.size
	if p.Target.Panel {
		p.ArenaSize += panelPast
	}
}

func (v *value) root() *value {
	for v.alias != nil {
		v = v.alias
	}
	return v
}

func (p *planner) input(i int, n Node) {
	width := ceilDiv(n.Out.W, 2)
	rows := p.Batch * n.Out.H
	v := newValue("input", int64(rows)*int64(width)*p.blockBytes())
	p.values[i] = v
	s := Step{Name: "input", Spec: []uint32{64}, Groups: [3]uint32{uint32(ceilDiv(width, 64)), uint32(rows), 1}}
	source := Ref{Space: InputSpace, Name: "batch", Size: int64(p.Batch) * int64(3*n.Out.Pixels())}
	if p.Input == Tensors {
		source.Size *= 4
		s.Kernel, s.Push = p.kernels.InputF32, shaders.Push(rows, n.Out.W, n.Out.H)
		p.step(s, source, v)
	} else {
		pixel := 3
		if p.Input == Crops {
			pixel = 4
		}
		source.Size = (source.Size/3*int64(pixel) + 3) / 4 * 4
		s.Kernel, s.Push = p.kernels.InputU8, shaders.Push(rows, n.Out.W)
		s.Spec = append(s.Spec, uint32(pixel))
		p.step(s, source, Ref{Space: TableSpace, Name: "table", Size: tableSize}, v)
	}
	p.InputSize = source.Size
}

// tableSize is the size of the float32 [3][256] table that normalizes bytes.
const tableSize = 3 * 256 * 4

func (p *planner) conv(i int, n Node) {
	c := p.Graph.convShape(i, p.Batch)
	x := p.values[n.In[0]]
	var norm any = x // bound, but not read unless the layer is normalized; the residual likewise
	if in := p.Graph.Nodes[n.In[0]]; c.norm {
		x = p.values[in.In[0]]
		if scaled := p.values[n.In[0]]; scaled != nil {
			norm = scaled
		} else { // this convolution takes the statistics
			norm = normWeights(in)
		}
	}
	residual := x
	y := newValue(n.Name, p.activation(n.Out))
	p.values[i] = y
	if c.residual {
		sum := p.Graph.readers(i)[0]
		other := p.Graph.Nodes[sum].In[1]
		residual = p.values[other]
		p.values[sum] = y
		// The sum takes its operand's place: every invocation reads just what it then writes. That
		// is allowed if nobody reads the operand later.
		if p.lastReader(other) == sum {
			y.alias = residual
		}
	}
	if m := p.Winograd[n.Name]; m != 0 {
		p.winograd(m, n, c, x, norm, residual, y)
	} else if flops := 2 * p.Graph.MACs(n) * int64(p.Batch); p.Target.Panel {
		c.stats = false
		p.panels(n.Name, c, flops, x, norm, residual, y)
	} else {
		p.products(n.Name, c, flops, x, norm, residual, y)
	}
}

// products runs a member of the convolution family with the weights of the layer of that name, in parts
// if the device does not bind all of them at once.
func (p *planner) products(name string, c convShape, flops int64, x *value, norm any, residual, y *value) {
	m, tiling := chooseConv(p.Target, c)
	c.stats = c.stats && tiling.chunk > 0
	var part any = y // bound, but not written unless the layer leaves statistics
	if c.stats {
		y.stats = newStatistics(name, p.Batch, c.out, 1, tiling.chunk, tiling.joined)
		part = y.stats.part
	}
	perBlock := int64(c.positions*c.kh*c.kw*c.in.C) * 8 * p.blockBytes()
	most := c.out.C
	if perBlock*int64(most) > p.Target.MaxRange {
		most = max(int(p.Target.MaxRange/perBlock)/8*8, 1)
	}
	for first := 0; first < c.out.C; first += most {
		count := min(most, c.out.C-first)
		spec, push, groups := tiling.dispatch(c, first, count)
		bindings := []any{x, Ref{Space: WeightSpace, Name: name + ".weight", Offset: int64(first) * perBlock, Size: int64(count) * perBlock},
			norm, residual, y}
		if tiling.chunk > 0 {
			bindings = append(bindings, part)
		}
		p.step(Step{
			Name: name, Kernel: m.kernel(p.kernels), Spec: spec, Push: push, Groups: groups,
			FLOPs: flops * int64(count) / int64(c.out.C),
			conv:  &c, convFirst: first, convBlocks: count,
		}, bindings...)
	}
}

// lastReader returns the last node that reads the value of node i, by itself or normalized. Outputs do
// not count: they are exported as soon as their node is computed.
func (p *planner) lastReader(i int) int {
	last := -1
	for j, n := range p.Graph.Nodes {
		for _, in := range n.In {
			if in == i || p.Graph.Nodes[in].Op == NormReLU && p.Graph.Nodes[in].In[0] == i {
				last = j
			}
		}
	}
	return last
}

func (p *planner) maxPool(i int, n Node) {
	in := p.Graph.Nodes[n.In[0]].Out
	y := newValue(n.Name, p.activation(n.Out))
	p.values[i] = y
	p.step(Step{
		Name: n.Name, Kernel: p.kernels.MaxPool, Spec: []uint32{64},
		Push:   shaders.Push(in.H, in.W, n.Out.H, n.Out.W),
		Groups: [3]uint32{uint32(ceilDiv(n.Out.Pixels(), 64)), uint32(p.Batch * blocks(n.Out.C)), 1},
	}, p.values[n.In[0]], y)
}

func (p *planner) avgPool(i int, n Node) {
	norm := n.In[0]
	x := p.Graph.Nodes[norm].In[0]
	planes := p.Batch * blocks(n.Out.C)
	if p.Graph.Embedding == i {
		p.Embedding = p.result(n.Out, 8*blocks(n.Out.C))
		p.pooled = p.resultRef(n.Name, p.Embedding)
	} else {
		p.pooled = newValue(n.Name, int64(planes)*32)
	}
	p.step(Step{
		Name: n.Name, Kernel: p.kernels.AvgPool, Spec: []uint32{32},
		Push: shaders.Push(p.Graph.Nodes[x].Out.Pixels()), Groups: [3]uint32{uint32(planes), 1, 1},
	}, p.values[x], p.values[norm], p.pooled)
}

func (p *planner) linear(n Node) {
	in := p.Graph.Nodes[n.In[0]].Out
	k := blocks(in.C)
	p.Logits = p.result(n.Out, n.Out.C)
	y := p.resultRef(n.Name, p.Logits)
	perBlock := int64(k) * 8 * p.blockBytes()
	most := n.Out.C
	if perBlock*int64(blocks(most)) > p.Target.MaxRange {
		most = max(int(p.Target.MaxRange/perBlock)/8*8, 1) * 8
	}
	for first := 0; first < n.Out.C; first += most {
		count := min(most, n.Out.C-first)
		p.step(Step{
			Name: n.Name, Kernel: p.kernels.Linear, Spec: []uint32{64},
			Push:   shaders.Push(count, k, first, n.Out.C),
			Groups: [3]uint32{uint32(ceilDiv(count, 64)), uint32(p.Batch), 1},
			FLOPs:  2 * int64(count) * int64(in.C) * int64(p.Batch),
		}, p.pooled, Ref{Space: WeightSpace, Name: n.Name + ".weight", Offset: int64(first/8) * perBlock,
			Size: int64(blocks(count)) * perBlock}, Ref{Space: WeightSpace, Name: n.Name + ".bias", Size: int64(n.Out.C) * 4}, y)
	}
}

// outputs exports the value of a node that is wanted by the host.
func (p *planner) outputs(i int, n Node) {
	g := p.Graph
	for m, id := range g.Maps {
		if p.Maps == nil {
			p.Maps = make([]*Result, len(g.Maps))
		}
		if id == i {
			p.Maps[m] = p.export(n, p.values[i], nil)
		}
	}
	if g.Unpooled == i {
		p.Unpooled = p.export(n, p.values[n.In[0]], p.values[i])
	}
}

// result reserves room for float32 [N][stride] in the output space.
func (p *planner) result(s Shape, stride int) *Result {
	r := &Result{Shape: s, Offset: p.OutputSize, Stride: stride}
	p.OutputSize = p.arena.round(p.OutputSize + int64(p.Batch)*int64(stride)*4)
	return r
}

func (p *planner) resultRef(name string, r *Result) Ref {
	return Ref{Space: OutputSpace, Name: name, Offset: r.Offset, Size: int64(p.Batch) * int64(r.Stride) * 4}
}

func (p *planner) export(n Node, x, norm *value) *Result {
	r := p.result(n.Out, n.Out.C*n.Out.Pixels())
	var normBinding any = x
	if norm != nil {
		normBinding = norm
	}
	p.step(Step{
		Name: n.Name + ".export", Kernel: p.kernels.Export, Spec: []uint32{64, flag(norm != nil)},
		Push:   shaders.Push(n.Out.Pixels(), n.Out.C),
		Groups: [3]uint32{uint32(ceilDiv(n.Out.Pixels(), 64)), uint32(p.Batch * blocks(n.Out.C)), 1},
	}, x, normBinding, p.resultRef(n.Name, r))
	return r
}
