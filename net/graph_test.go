package net

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// smallConfig is a network of every kind of layer in few channels.
func smallConfig() Config {
	return Config{
		Layers: []int{2, 1, 2}, Channels: []int{24, 40, 48}, Mid: []int{8, 16, 12}, Stem: 20,
		Classes: 11, Groups: 4, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
}

// everything is all outputs of a network.
func everything(c Config) Outputs {
	return Outputs{Logits: c.Classes > 0, Embedding: true, Unpooled: true, Maps: 1<<c.Maps() - 1}
}

func newGraph(t testing.TB, c Config, height, width int, want Outputs) *Graph {
	t.Helper()
	g, err := NewGraph(c, height, width, want)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGraphShapes compares with the sizes of timm's feature maps.
func TestGraphShapes(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	for _, c := range []struct {
		h, w int
		want string // height x width of maps 0 to 4
	}{
		{384, 384, "192x192 96x96 48x48 24x24 12x12"},
		{224, 224, "112x112 56x56 28x28 14x14 7x7"},
		{75, 101, "38x51 19x26 10x13 5x7 3x4"},
		{32, 32, "16x16 8x8 4x4 2x2 1x1"},
		{33, 47, "17x24 9x12 5x6 3x3 2x2"},
	} {
		g := newGraph(t, v.Config, c.h, c.w, everything(v.Config))
		var got []string
		for i, id := range g.Maps {
			s := g.Nodes[id].Out
			got = append(got, fmt.Sprintf("%dx%d", s.H, s.W))
			if s.C != v.Config.MapChannels(i) {
				t.Errorf("map %d has %d channels", i, s.C)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%dx%d: %v, want %s", c.h, c.w, got, c.want)
		}
		last := g.Nodes[g.Maps[4]].Out
		for _, o := range []struct {
			id   int
			want Shape
		}{{g.Unpooled, last}, {g.Embedding, Shape{4096, 1, 1}}, {g.Logits, Shape{1000, 1, 1}}} {
			if got := g.Nodes[o.id]; got.Out != o.want {
				t.Errorf("%s: %v, want %v", got.Name, got.Out, o.want)
			}
		}
	}
}

// TestGraphMACs: 134.6 GMAC of convolutions at 384; the classifier adds one for every weight.
func TestGraphMACs(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	g := newGraph(t, v.Config, 384, 384, Outputs{Logits: true})
	var conv, linear int64
	for _, n := range g.Nodes {
		switch n.Op {
		case Conv:
			conv += g.MACs(n)
		case Linear:
			linear += g.MACs(n)
		default:
			if g.MACs(n) != 0 {
				t.Errorf("%s: %d multiply-adds", n.Name, g.MACs(n))
			}
		}
	}
	if conv/1e8 != 1346 || linear != 4096*1000 {
		t.Errorf("%d multiply-adds in convolutions, %d in the classifier", conv, linear)
	}
}

// TestGraphBlock spells out the first blocks of two stages.
func TestGraphBlock(t *testing.T) {
	g := newGraph(t, smallConfig(), 64, 64, Outputs{Logits: true})
	var got []string
	for _, n := range g.Nodes {
		if strings.HasPrefix(n.Name, "stages.0.blocks") || strings.HasPrefix(n.Name, "stages.1") {
			var in []string
			for _, i := range n.In {
				in = append(in, strings.TrimPrefix(g.Nodes[i].Name, "stages."))
			}
			line := fmt.Sprintf("%s %v(%s) %v", strings.TrimPrefix(n.Name, "stages."), n.Op, strings.Join(in, ","), n.Out)
			if n.Op == Conv {
				line += fmt.Sprintf(" k%d s%d p%d", n.Kernel, n.Stride, n.Pad)
			}
			got = append(got, line)
		}
	}
	want := []string{
		"0.blocks.0.norm1 normrelu(stem.pool) {20 16 16}",
		"0.blocks.0.downsample.conv conv(0.blocks.0.norm1) {24 16 16} k1 s1 p0",
		"0.blocks.0.conv1 conv(0.blocks.0.norm1) {8 16 16} k1 s1 p0",
		"0.blocks.0.norm2 normrelu(0.blocks.0.conv1) {8 16 16}",
		"0.blocks.0.conv2 conv(0.blocks.0.norm2) {8 16 16} k3 s1 p1",
		"0.blocks.0.norm3 normrelu(0.blocks.0.conv2) {8 16 16}",
		"0.blocks.0.conv3 conv(0.blocks.0.norm3) {24 16 16} k1 s1 p0",
		"0.blocks.0.add add(0.blocks.0.conv3,0.blocks.0.downsample.conv) {24 16 16}",
		"0.blocks.1.norm1 normrelu(0.blocks.0.add) {24 16 16}",
		"0.blocks.1.conv1 conv(0.blocks.1.norm1) {8 16 16} k1 s1 p0",
		"0.blocks.1.norm2 normrelu(0.blocks.1.conv1) {8 16 16}",
		"0.blocks.1.conv2 conv(0.blocks.1.norm2) {8 16 16} k3 s1 p1",
		"0.blocks.1.norm3 normrelu(0.blocks.1.conv2) {8 16 16}",
		"0.blocks.1.conv3 conv(0.blocks.1.norm3) {24 16 16} k1 s1 p0",
		"0.blocks.1.add add(0.blocks.1.conv3,0.blocks.0.add) {24 16 16}",
		"1.blocks.0.norm1 normrelu(0.blocks.1.add) {24 16 16}",
		"1.blocks.0.downsample.conv conv(1.blocks.0.norm1) {40 8 8} k1 s2 p0",
		"1.blocks.0.conv1 conv(1.blocks.0.norm1) {16 16 16} k1 s1 p0",
		"1.blocks.0.norm2 normrelu(1.blocks.0.conv1) {16 16 16}",
		"1.blocks.0.conv2 conv(1.blocks.0.norm2) {16 8 8} k3 s2 p1",
		"1.blocks.0.norm3 normrelu(1.blocks.0.conv2) {16 8 8}",
		"1.blocks.0.conv3 conv(1.blocks.0.norm3) {40 8 8} k1 s1 p0",
		"1.blocks.0.add add(1.blocks.0.conv3,1.blocks.0.downsample.conv) {40 8 8}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("nodes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGraphPruning builds the graph of every set of outputs and compares it with what those outputs
// reach in the whole graph.
func TestGraphPruning(t *testing.T) {
	c := smallConfig()
	whole := newGraph(t, c, 40, 33, everything(c))
	for maps := range uint32(1 << c.Maps()) {
		for bits := range 8 {
			want := Outputs{Logits: bits&1 != 0, Embedding: bits&2 != 0, Unpooled: bits&4 != 0, Maps: maps}
			if want.None() {
				continue
			}
			g := newGraph(t, c, 40, 33, want)
			needed := map[int]bool{}
			var visit func(id int)
			visit = func(id int) {
				needed[id] = true
				for _, in := range whole.Nodes[id].In {
					visit(in)
				}
			}
			output := func(name string, wanted bool, in, out int) {
				switch {
				case !wanted && out != -1:
					t.Errorf("%+v: %s is node %d, but not wanted", want, name, out)
				case wanted && (out < 0 || g.Nodes[out].Name != whole.Nodes[in].Name):
					t.Errorf("%+v: %s is node %d", want, name, out)
				case wanted:
					visit(in)
				}
			}
			output("logits", want.Logits, whole.Logits, g.Logits)
			output("embedding", want.Embedding, whole.Embedding, g.Embedding)
			output("unpooled", want.Unpooled, whole.Unpooled, g.Unpooled)
			for i := range whole.Maps {
				output(fmt.Sprint("map ", i), maps>>i&1 == 1, whole.Maps[i], g.Maps[i])
			}
			comparePruned(t, g, whole, needed)
		}
	}
}

// comparePruned compares the nodes of a graph, and whom they read, with the needed ones of the whole.
func comparePruned(t *testing.T, g, whole *Graph, needed map[int]bool) {
	t.Helper()
	describe := func(g *Graph, n Node) string {
		var in []string
		for _, i := range n.In {
			in = append(in, g.Nodes[i].Name)
		}
		return fmt.Sprint(n.Name, in, n.Out, n.Kernel, n.Stride, n.Pad)
	}
	var got, want []string
	for i, n := range whole.Nodes {
		if needed[i] {
			want = append(want, describe(whole, n))
		}
	}
	for i, n := range g.Nodes {
		got = append(got, describe(g, n))
		for _, in := range n.In {
			if in >= i {
				t.Errorf("%s reads a later node", n.Name)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v: nodes\n%v\nwant\n%v", g.Outputs, got, want)
	}
}

func TestGraphErrors(t *testing.T) {
	headless := smallConfig()
	headless.Classes = 0
	for name, c := range map[string]struct {
		config Config
		h, w   int
		want   Outputs
		err    string
	}{
		"config":       {Config{}, 64, 64, Outputs{Logits: true}, "same stages"},
		"height":       {smallConfig(), 31, 64, Outputs{Logits: true}, "input 64x31, want at least 32x32"},
		"width":        {smallConfig(), 64, -1, Outputs{Logits: true}, "input -1x64"},
		"nothing":      {smallConfig(), 64, 64, Outputs{}, "no output wanted"},
		"map":          {smallConfig(), 64, 64, Outputs{Maps: 0x13}, "feature map 4 wanted, this network has 0 to 3"},
		"no head":      {headless, 64, 64, Outputs{Logits: true}, "no classifier"},
		"headless map": {headless, 64, 64, Outputs{Embedding: true, Maps: 1}, ""},
	} {
		_, err := NewGraph(c.config, c.h, c.w, c.want)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
	}
}

// TestActivations compares with timm's counts, in millions, at the size that each network is made for
// (results/benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv of huggingface/pytorch-image-models).
func TestActivations(t *testing.T) {
	for name, want := range map[string]string{
		"resnetv2_152x2_bit.goog_in21k_ft_in1k": "180.43", "resnetv2_101x3_bit.goog_in21k_ft_in1k": "194.78", "resnetv2_152x4_bit.goog_in21k_ft_in1k": "414.26",
	} {
		v, ok := FindVariant(name)
		if !ok {
			t.Fatal(name)
		}
		g, err := NewGraph(v.Config, v.Size, v.Size, Outputs{Logits: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.2f", float64(g.Activations())/1e6); got != want {
			t.Errorf("%s: %s M activations, want %s", name, got, want)
		}
	}
}
