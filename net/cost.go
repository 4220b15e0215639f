package net

import (
	"strings"

	"github.com/bitgpu/bitgpu/shaders"
)

// Kind is the part of the computation that a step belongs to, for profiles.
type Kind uint8

const (
	Other       Kind = iota // input, pooling, classifier, exported feature maps
	Convolution             // a convolution, with all that is done on the way in and out
	Statistics              // GroupNorm's mean and variance where they have steps of their own
)

// String returns the kind's name.
func (k Kind) String() string {
	return [...]string{"other", "convolution", "statistics"}[k]
}

// kind is that of the steps of a node.
func (n Node) kind() Kind {
	switch n.Op {
	case Conv:
		return Convolution
	case NormReLU:
		return Statistics
	}
	return Other
}

// Kind returns what a step of the plan belongs to: a step has its node's name, with a suffix or without.
func (p *Plan) Kind(s Step) Kind {
	if s.Kernel == shaders.For(p.Target.Storage).Export {
		return Other
	}
	kind, longest := Other, -1
	for _, n := range p.Graph.Nodes {
		if (s.Name == n.Name || strings.HasPrefix(s.Name, n.Name+".")) && len(n.Name) > longest {
			kind, longest = n.kind(), len(n.Name)
		}
	}
	return kind
}

// DirectFLOPs is the part of FLOPs that a kind of step is for, whatever its kernels do.
func (p *Plan) DirectFLOPs(k Kind) int64 {
	var n int64
	for _, node := range p.Graph.Nodes {
		if node.kind() == k {
			n += 2 * p.Graph.MACs(node)
		}
	}
	return n * int64(p.Batch)
}

// Traffic is what the step reads and writes at least: of each range that is bound, every byte once. A
// range that is bound twice, as where an operand stands in for one that is not there, counts once.
func (s Step) Traffic() (read, written int64) {
	seen := map[Ref]shaders.Access{}
	for i, r := range s.Refs {
		now := s.Kernel.Bindings[i] &^ seen[r]
		seen[r] |= now
		if now&shaders.Read != 0 {
			read += r.Size
		}
		if now&shaders.Write != 0 {
			written += r.Size
		}
	}
	return read, written
}

// WeightBytes is the size of all parameters that the steps bind.
func (p *Plan) WeightBytes() int64 {
	ends := map[string]int64{}
	for _, s := range p.Steps {
		for _, r := range s.Refs {
			if r.Space == WeightSpace {
				ends[r.Name] = max(ends[r.Name], r.Offset+r.Size)
			}
		}
	}
	var sum int64
	for _, n := range ends {
		sum += n
	}
	return sum
}
