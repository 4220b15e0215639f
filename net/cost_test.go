package net

import (
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// TestKinds knows the steps of a network by their names.
func TestKinds(t *testing.T) {
	c := smallConfig()
	p := newPlan(t, newGraph(t, c, 40, 48, everything(c)), someTarget(shaders.F32), 2, Pixels)
	seen := map[Kind]int{}
	for _, s := range p.Steps {
		want := Other
		switch {
		case strings.HasSuffix(s.Name, ".export"):
		case strings.Contains(s.Name, "norm"):
			want = Statistics
		case strings.Contains(s.Name, "conv"):
			want = Convolution
		}
		if got := p.Kind(s); got != want {
			t.Errorf("%s is %v, want %v", s.Name, got, want)
		}
		seen[want]++
	}
	if len(seen) != 3 {
		t.Errorf("steps by kind: %v", seen)
	}
}

func TestDirectFLOPs(t *testing.T) {
	c := smallConfig()
	p := newPlan(t, newGraph(t, c, 40, 48, Outputs{Logits: true}), someTarget(shaders.F16), 3, Pixels)
	var all int64
	for _, k := range []Kind{Convolution, Statistics, Other} {
		all += p.DirectFLOPs(k)
	}
	fc := 3 * 2 * int64(c.Classes) * int64(c.Features())
	if conv := p.DirectFLOPs(Convolution); all != p.FLOPs() || p.DirectFLOPs(Other) != fc || conv != all-fc {
		t.Errorf("%d convolution, %d other, %d in all; want %d other, %d in all", conv, p.DirectFLOPs(Other), all, fc, p.FLOPs())
	}
}

func TestTraffic(t *testing.T) {
	k := &shaders.Kernel{Bindings: []shaders.Access{shaders.Read, shaders.Read, shaders.Read, shaders.ReadWrite, shaders.Write}}
	x := Ref{Space: ArenaSpace, Name: "x", Size: 100}
	half := Ref{Space: ArenaSpace, Name: "x", Size: 50}
	s := Step{Kernel: k, Refs: []Ref{x, x, half, {Name: "r", Size: 7}, {Name: "y", Size: 1000}}}
	if read, written := s.Traffic(); read != 157 || written != 1007 {
		t.Errorf("%d bytes read and %d written", read, written)
	}
}

// TestPlanWeightBytes counts a parameter once, be it bound in parts, twice or beside activations.
func TestPlanWeightBytes(t *testing.T) {
	weight := func(name string, offset, size int64) Ref { return Ref{WeightSpace, name, offset, size} }
	p := &Plan{Steps: []Step{
		{Refs: []Ref{{ArenaSpace, "x", 0, 1000}, weight("a", 0, 64)}},
		{Refs: []Ref{weight("a", 64, 64), weight("b", 0, 3)}},
		{Refs: []Ref{weight("b", 0, 3)}},
	}}
	if n := p.WeightBytes(); n != 131 {
		t.Errorf("%d bytes of weights, want 131", n)
	}
}
