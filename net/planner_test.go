package net

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// someTarget is a device as lavapipe is one.
func someTarget(s shaders.Storage) Target {
	return Target{
		Storage: s, MaxRange: 128 << 20, MaxGroups: [3]uint32{65535, 65535, 65535}, Align: 256,
		Lane: true, CutFLOPs: 10e9,
	}
}

func newPlan(t testing.TB, g *Graph, target Target, batch int, input InputKind) *Plan {
	t.Helper()
	return newWinogradPlan(t, g, target, nil, batch, input)
}

func newWinogradPlan(t testing.TB, g *Graph, target Target, w Winograd, batch int, input InputKind) *Plan {
	t.Helper()
	p, err := NewPlan(g, target, w, batch, input)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlanInvariants plans every set of outputs of a small network, in both storage types, with every
// kind of input, for one picture and several, with and without the lane kernel and Winograd's transforms.
func TestPlanInvariants(t *testing.T) {
	c := smallConfig()
	n := 0
	for maps := range uint32(1 << c.Maps()) {
		for bits := range 8 {
			want := Outputs{Logits: bits&1 != 0, Embedding: bits&2 != 0, Unpooled: bits&4 != 0, Maps: maps}
			if want.None() {
				continue
			}
			g := newGraph(t, c, 37+n%5, 45-n%7, want)
			target := someTarget(storages[n%2])
			target.Lane = n%3 > 0
			target.Panel, target.Address = n%5 < 2, n%7 < 4
			target.MaxInvocations, target.MaxShared = 1024, 32<<10
			w := allWinograd(g, func(i int) int { return []int{0, 2, 4}[(i+n)%3] })
			n++
			checkPlan(t, newWinogradPlan(t, g, target, w, 1+n%3, InputKind(n/2%3)))
			if t.Failed() {
				t.Fatalf("outputs %+v, %d images of %dx%d", want, 1+n%3, g.Width, g.Height)
			}
		}
	}
}

// TestPlanVariants plans the published networks.
func TestPlanVariants(t *testing.T) {
	for _, v := range Variants() {
		for _, s := range storages {
			for _, want := range []Outputs{{Logits: true}, everything(v.Config)} {
				g := newGraph(t, v.Config, v.Size, v.Size, want)
				for _, panel := range []bool{false, true} {
					target := someTarget(s)
					target.Panel, target.MaxInvocations, target.MaxShared = panel, 1024, 32<<10
					p, err := NewPlan(g, target, defaultWinograd(g, target), 1, Pixels)
					if err != nil {
						t.Errorf("%s, %v: %v", v.Name, s, err)
						continue
					}
					checkPlan(t, p)
				}
			}
		}
	}
}

// TestPlanArena: activations of the default model take a few times its largest, not the sum of all.
func TestPlanArena(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	g := newGraph(t, v.Config, 384, 384, Outputs{Logits: true})
	p := newWinogradPlan(t, g, someTarget(shaders.F16), defaultWinograd(g, someTarget(shaders.F16)), 1, Pixels)
	const largest = 512 * 96 * 96 * 2 // bytes: the first stage's, and the stem's, too
	if p.ArenaSize > 3*largest {
		t.Errorf("an arena of %d bytes, the largest activation is %d", p.ArenaSize, largest)
	}
	if p.InputSize != 384*384*3 || p.OutputSize != 4096 {
		t.Errorf("input %d, output %d bytes", p.InputSize, p.OutputSize)
	}
}

// TestPlanSplitsWeights: on a device that binds less than a layer's weights, or the classifier's,
// the layer runs in parts.
func TestPlanSplitsWeights(t *testing.T) {
	c := Config{
		Layers: []int{2}, Channels: []int{1024}, Mid: []int{512}, Stem: 8, Classes: 1500,
		Groups: 8, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	g := newGraph(t, c, 32, 32, Outputs{Logits: true, Embedding: true})
	for _, k := range []struct {
		limit      int64 // elements that a binding may span
		conv, head int   // dispatches
	}{
		{4 << 20, 1, 1},
		{1 << 20, 3, 2},   // 24 of 64 blocks of 36,864 elements, 128 of 188 blocks of 8,192
		{300 << 10, 8, 6}, // 8 blocks, 32 blocks
		{290_000, 64, 6},  // less than eight blocks: one
	} {
		for _, s := range storages {
			target := someTarget(s)
			target.MaxRange = k.limit * s.Size()
			p := newPlan(t, g, target, 1, Pixels)
			checkPlan(t, p)
			parts := map[string]int{}
			for _, step := range p.Steps {
				parts[step.Name]++
			}
			if conv, head := parts["stages.0.blocks.0.conv2"], parts["head.fc"]; conv != k.conv || head != k.head {
				t.Errorf("%v, %d elements a binding: the 3x3 convolution runs in %d parts, the classifier in %d; want %d and %d",
					s, k.limit, conv, head, k.conv, k.head)
			}
		}
	}
}

// TestPlanKeepsOperand: a sum does not take the place of an operand that is read again behind it,
// which none of the networks does.
func TestPlanKeepsOperand(t *testing.T) {
	half := Shape{8, 16, 16}
	g := &Graph{
		Config: Config{Groups: 2, NormEps: DefaultNormEps}, Height: 32, Width: 32,
		Nodes: []Node{
			{Op: Input, Name: "input", Out: Shape{3, 32, 32}},
			{Op: Conv, Name: "stem.conv", In: []int{0}, Out: half, Kernel: 7, Stride: 2, Pad: 3},
			{Op: NormReLU, Name: "norm1", In: []int{1}, Out: half},
			{Op: Conv, Name: "conv1", In: []int{2}, Out: half, Kernel: 1, Stride: 1},
			{Op: Add, Name: "add", In: []int{3, 1}, Out: half},
			{Op: NormReLU, Name: "norm2", In: []int{4}, Out: half},
			{Op: Conv, Name: "conv2", In: []int{5}, Out: half, Kernel: 1, Stride: 1},
			{Op: Conv, Name: "conv3", In: []int{2}, Out: half, Kernel: 1, Stride: 1},
		},
		Logits: -1, Embedding: -1, Unpooled: -1, Maps: []int{6, 7},
	}
	checkPlan(t, newPlan(t, g, someTarget(shaders.F32), 2, Pixels))
}

func TestPlanTooLarge(t *testing.T) {
	g := newGraph(t, smallConfig(), 64, 64, Outputs{Logits: true})
	for name, change := range map[string]func(*Target){
		"binding":    func(t *Target) { t.MaxRange = 10_000 },
		"workgroups": func(t *Target) { t.MaxGroups[1] = 63 }, // the input has 64 rows
		"weights":    func(t *Target) { t.MaxRange = 1000 },
	} {
		target := someTarget(shaders.F32)
		change(&target)
		p, err := NewPlan(g, target, nil, 1, Pixels)
		if !errors.Is(err, ErrTooLarge) || p != nil {
			t.Errorf("%s: plan %v, error %v", name, p != nil, err)
		}
	}
	for _, batch := range []int{0, -1} {
		if _, err := NewPlan(g, someTarget(shaders.F32), nil, batch, Pixels); err == nil || errors.Is(err, ErrTooLarge) {
			t.Errorf("batch of %d: error %v", batch, err)
		}
	}
}

// TestPlanStatistics: no invocation of gn_stats or gn_finalize runs 65,535 iterations, where Mesa
// 22.3 stops it, however large the picture is.
func TestPlanStatistics(t *testing.T) {
	v, _ := FindVariant("resnetv2_152x4_bit")
	target := someTarget(shaders.F16)
	target.MaxRange, target.MaxGroups = math.MaxInt64, [3]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32}
	for _, side := range []int{32, 480, 4096} {
		p := newPlan(t, newGraph(t, v.Config, side, side, Outputs{Logits: true}), target, 1, Pixels)
		for _, n := range p.Graph.Nodes {
			if n.Op != NormReLU {
				continue
			}
			for _, s := range p.Steps {
				if s.Name != n.Name+".stats" {
					continue
				}
				chunks := int(s.Groups[1])
				pixels := ceilDiv(n.Out.Pixels(), chunks)
				// In gn_stats a lane goes over its pixels and, eight channels each, over the lanes.
				lanes := int(s.Spec[0])
				if loops := pixels/lanes*9 + 8*lanes; loops > 65535 {
					t.Errorf("%d x %d, %s: %d iterations", side, side, s.Name, loops)
				}
				if loops := chunks * n.Out.C / p.Graph.Config.Groups; loops > 65535/2 {
					t.Errorf("%d x %d, %s: %d merges", side, side, n.Name, loops)
				}
			}
		}
	}
}

func TestPlanString(t *testing.T) {
	p := newPlan(t, newGraph(t, smallConfig(), 64, 64, Outputs{Logits: true}), someTarget(shaders.F16), 2, Pixels)
	text := p.String()
	if lines := strings.Count(text, "\n"); lines != len(p.Steps)+1 {
		t.Errorf("%d lines for %d steps", lines, len(p.Steps))
	}
	for _, want := range []string{fmt.Sprintf("batch 2, 64x64, fp16, arena %d bytes", p.ArenaSize), "stages.2.blocks.1.conv3", "conv_lane_f16", "head.fc"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
