package net

import (
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu/shaders"
)

// InputKind is the form in which pictures reach the device.
type InputKind uint8

const (
	Pixels  InputKind = iota // uint8 [N][H][W][3]; normalized on the device
	Tensors                  // float32 [N][3][H][W], normalized already
	Crops                    // uint8 [N][H][W][4], the last of the four ignored: written by other work of the device into Batch.Crops
)

// Space is a region of device memory that a step binds.
type Space uint8

const (
	ArenaSpace  Space = iota // activations, shared by all batches
	WeightSpace              // a packed or copied parameter, by name
	TableSpace               // the normalization table of uint8 input
	InputSpace               // the batch as uploaded
	OutputSpace              // results, to be read back
)

// Ref is a range of one space.
type Ref struct {
	Space  Space
	Name   string // the value or parameter
	Offset int64  // bytes; within the parameter for WeightSpace
	Size   int64
}

// Step is one dispatch.
type Step struct {
	Name       string
	Kernel     *shaders.Kernel
	Spec       []uint32
	Push       []byte
	Groups     [3]uint32
	Refs       []Ref
	conv       *convShape // of a convolution, of which this step makes convBlocks output blocks from convFirst on
	convFirst  int
	convBlocks int
	FLOPs      int64 // of a convolution or the classifier, two for every multiply-add
}

// Bytes is what the step's bindings span.
func (s Step) Bytes() int64 {
	var n int64
	for _, r := range s.Refs {
		n += r.Size
	}
	return n
}

// Result is where one output lies in OutputSpace: float32 [N][Stride], of which the first C*H*W
// values of an image count.
type Result struct {
	Shape  Shape
	Offset int64
	Stride int // floats from one image to the next
}

// Plan is how a graph runs on a target for a batch of a given size: steps in order, an arena.
// GroupNorm and ReLU are applied where a value is read, additions where it is written.
type Plan struct {
	Graph      *Graph
	Target     Target
	Winograd   Winograd
	Batch      int
	Input      InputKind
	Steps      []Step
	ArenaSize  int64
	InputSize  int64
	OutputSize int64

	Logits, Embedding, Unpooled *Result
	Maps                        []*Result
}

// NewPlan plans a graph for batches of the given number of images. The error is ErrTooLarge if a
// limit of the target stands in the way.
func NewPlan(g *Graph, t Target, w Winograd, batch int, input InputKind) (*Plan, error) {
	if batch < 1 {
		return nil, fmt.Errorf("net: batch of %d images, want at least 1", batch)
	}
	if err := w.check(g); err != nil {
		return nil, err
	}
	p := &Plan{Graph: g, Target: t, Winograd: w, Batch: batch, Input: input}
	newPlanner(p).run()
	for _, s := range p.Steps {
		for _, r := range s.Refs {
			if r.Size > t.MaxRange {
				return nil, fmt.Errorf("%w: %s of a batch of %d at %dx%d takes %d bytes, the device binds at most %d",
					ErrTooLarge, r.Name, batch, g.Width, g.Height, r.Size, t.MaxRange)
			}
		}
		most := t.MaxGroups
		if s.Kernel == shaders.For(t.Storage).ConvPanel {
			most[0] = min(most[0], panelGrid)
		}
		for i, n := range s.Groups {
			if n > most[i] {
				return nil, fmt.Errorf("%w: %s of a batch of %d needs %d workgroups, the device runs at most %d",
					ErrTooLarge, s.Name, batch, n, most[i])
			}
		}
	}
	return p, nil
}

// FLOPs counts two for every multiply-add that the network needs for the whole batch. The steps take
// fewer where Winograd's transforms save some.
func (p *Plan) FLOPs() int64 {
	var n int64
	for _, node := range p.Graph.Nodes {
		n += 2 * p.Graph.MACs(node)
	}
	return n * int64(p.Batch)
}

// String prints the plan: a line for every step.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "batch %d, %dx%d, %s, arena %d bytes\n", p.Batch, p.Graph.Width, p.Graph.Height, p.Target.Storage, p.ArenaSize)
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%-34s %-16s %5d x %4d x %3d  %12d FLOP  %11d B ", s.Name, s.Kernel.Name,
			s.Groups[0], s.Groups[1], s.Groups[2], s.FLOPs, s.Bytes())
		for _, r := range s.Refs {
			if r.Space == ArenaSpace {
				fmt.Fprintf(&b, " %s@%d", r.Name, r.Offset)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
