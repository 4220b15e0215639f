package net

import (
	"fmt"
	"slices"
)

// Op is an operation of a Graph.
type Op uint8

const (
	Input    Op = iota // the normalized picture, 3 channels
	Conv               // convolution with standardized weights
	MaxPool            // a border of one zero pixel, then max over 3x3 with stride 2
	NormReLU           // GroupNorm with its affine parameters, then ReLU
	Add                // sum of two inputs
	AvgPool            // mean over all pixels
	Linear             // the classifier: product with weights that are not standardized, plus bias
)

// String returns the operation's name.
func (o Op) String() string {
	return [...]string{"input", "conv", "maxpool", "normrelu", "add", "avgpool", "linear"}[o]
}

// Shape is that of one image's activation, channels first.
type Shape struct{ C, H, W int }

// Pixels is H*W.
func (s Shape) Pixels() int { return s.H * s.W }

// Node is one operation. Its result has the shape Out; In names the nodes whose results it reads.
type Node struct {
	Op   Op
	Name string // parameter prefix of Conv, NormReLU and Linear; a description of the others
	In   []int
	Out  Shape
	// Of Conv:
	Kernel, Stride, Pad int
}

// Outputs says which results are wanted. It is comparable; the zero value wants nothing.
type Outputs struct {
	Logits    bool
	Embedding bool   // the pooled final features, timm's pre_logits
	Unpooled  bool   // the final features, timm's forward_features
	Maps      uint32 // bit i: feature map i, 0 the stem's, i the output of stage i
}

// None reports whether nothing is wanted.
func (o Outputs) None() bool { return o == Outputs{} }

// Graph is what a network computes for one image: nodes in an order in which every node follows
// those that it reads. It holds just what the outputs need.
type Graph struct {
	Config  Config
	Height  int
	Width   int
	Outputs Outputs
	Nodes   []Node

	// Nodes whose results are the outputs; -1 for those not wanted.
	Logits, Embedding, Unpooled int
	Maps                        []int
}

// MinSize is the smallest height and width of an input.
const MinSize = 32

// NewGraph builds the graph of a network for pictures of height x width.
func NewGraph(c Config, height, width int, want Outputs) (*Graph, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if height < MinSize || width < MinSize {
		return nil, fmt.Errorf("net: input %dx%d, want at least %dx%d", width, height, MinSize, MinSize)
	}
	if want.None() {
		return nil, fmt.Errorf("net: no output wanted")
	}
	if want.Maps>>c.Maps() != 0 {
		return nil, fmt.Errorf("net: feature map %d wanted, this network has 0 to %d", highestBit(want.Maps), c.Maps()-1)
	}
	if want.Logits && c.Classes == 0 {
		return nil, fmt.Errorf("net: logits wanted, this network has no classifier")
	}
	g := &Graph{Config: c, Height: height, Width: width, Outputs: want}
	g.build()
	g.prune()
	return g, nil
}

func highestBit(v uint32) int {
	n := -1
	for ; v != 0; v >>= 1 {
		n++
	}
	return n
}

// build makes the whole network, block by block as timm's resnetv2.py has it.
func (g *Graph) build() {
	c := g.Config
	x := g.add(Node{Op: Input, Name: "input", Out: Shape{3, g.Height, g.Width}})
	x = g.conv(x, "stem.conv", c.Stem, 7, 2, 3)
	g.Maps = append(g.Maps, x)
	in := g.Nodes[x].Out
	x = g.add(Node{Op: MaxPool, Name: "stem.pool", In: []int{x}, Out: Shape{in.C, (in.H+2-3)/2 + 1, (in.W+2-3)/2 + 1}})
	for s := range c.Layers {
		for b := range c.Layers[s] {
			stride := 1
			if s > 0 && b == 0 {
				stride = 2
			}
			x = g.bottleneck(x, blockName(s, b), c.Mid[s], c.Channels[s], stride, b == 0)
		}
		g.Maps = append(g.Maps, x)
	}
	g.Unpooled = g.norm(x, "norm")
	g.Embedding = g.add(Node{Op: AvgPool, Name: "pool", In: []int{g.Unpooled}, Out: Shape{c.Features(), 1, 1}})
	g.Logits = -1
	if c.Classes > 0 {
		g.Logits = g.add(Node{Op: Linear, Name: "head.fc", In: []int{g.Embedding}, Out: Shape{c.Classes, 1, 1}})
	}
}

func (g *Graph) bottleneck(x int, name string, mid, out, stride int, first bool) int {
	shortcut := x
	t := g.norm(x, name+".norm1")
	if first {
		shortcut = g.conv(t, name+".downsample.conv", out, 1, stride, 0)
	}
	t = g.conv(t, name+".conv1", mid, 1, 1, 0)
	t = g.conv(g.norm(t, name+".norm2"), name+".conv2", mid, 3, stride, 1)
	t = g.conv(g.norm(t, name+".norm3"), name+".conv3", out, 1, 1, 0)
	return g.add(Node{Op: Add, Name: name + ".add", In: []int{t, shortcut}, Out: g.Nodes[t].Out})
}

func (g *Graph) conv(x int, name string, out, kernel, stride, pad int) int {
	in := g.Nodes[x].Out
	side := func(n int) int { return (n+2*pad-kernel)/stride + 1 }
	return g.add(Node{Op: Conv, Name: name, In: []int{x}, Out: Shape{out, side(in.H), side(in.W)},
		Kernel: kernel, Stride: stride, Pad: pad})
}

func (g *Graph) norm(x int, name string) int {
	return g.add(Node{Op: NormReLU, Name: name, In: []int{x}, Out: g.Nodes[x].Out})
}

func (g *Graph) add(n Node) int {
	g.Nodes = append(g.Nodes, n)
	return len(g.Nodes) - 1
}

// prune drops what no wanted output needs.
func (g *Graph) prune() {
	keep := func(id *int, wanted bool) {
		if !wanted {
			*id = -1
		}
	}
	keep(&g.Logits, g.Outputs.Logits)
	keep(&g.Embedding, g.Outputs.Embedding)
	keep(&g.Unpooled, g.Outputs.Unpooled)
	for i := range g.Maps {
		keep(&g.Maps[i], g.Outputs.Maps>>i&1 == 1)
	}

	roots := append([]*int{&g.Logits, &g.Embedding, &g.Unpooled}, pointers(g.Maps)...)
	needed := make([]bool, len(g.Nodes))
	for _, id := range roots {
		if *id >= 0 {
			needed[*id] = true
		}
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if needed[i] {
			for _, in := range g.Nodes[i].In {
				needed[in] = true
			}
		}
	}
	renamed := make([]int, len(g.Nodes))
	var nodes []Node
	for i, n := range g.Nodes {
		if !needed[i] {
			continue
		}
		for j, in := range n.In {
			n.In[j] = renamed[in]
		}
		renamed[i] = len(nodes)
		nodes = append(nodes, n)
	}
	for _, id := range roots {
		if *id >= 0 {
			*id = renamed[*id]
		}
	}
	g.Nodes = nodes
}

func pointers(s []int) []*int {
	p := make([]*int, len(s))
	for i := range s {
		p[i] = &s[i]
	}
	return p
}

// MACs counts the multiply-adds of one node for one image.
func (g *Graph) MACs(n Node) int64 {
	switch n.Op {
	case Conv:
		return int64(n.Out.Pixels()) * int64(n.Out.C) * int64(n.Kernel*n.Kernel*g.Nodes[n.In[0]].Out.C)
	case Linear:
		return int64(n.Out.C) * int64(g.Nodes[n.In[0]].Out.C)
	}
	return 0
}

// readers lists the nodes that read a node.
func (g *Graph) readers(node int) (list []int) {
	for i, n := range g.Nodes {
		if slices.Contains(n.In, node) {
			list = append(list, i)
		}
	}
	return list
}

// TotalMACs counts the multiply-adds of all nodes for one image.
func (g *Graph) TotalMACs() int64 {
	var sum int64
	for _, n := range g.Nodes {
		sum += g.MACs(n)
	}
	return sum
}

// Activations counts the elements that the convolutions and the classifier put out for one image: what
// timm and fvcore call a network's activations.
func (g *Graph) Activations() int64 {
	var sum int64
	for _, n := range g.Nodes {
		if n.Op == Conv || n.Op == Linear {
			sum += int64(n.Out.Pixels()) * int64(n.Out.C)
		}
	}
	return sum
}
