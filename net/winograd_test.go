package net

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// allWinograd chooses for every convolution that can run by the transforms, in order.
func allWinograd(g *Graph, choose func(i int) int) Winograd {
	w := Winograd{}
	for _, n := range g.Nodes {
		if n.fitsWinograd() {
			w[n.Name] = choose(len(w))
		}
	}
	return w
}

// TestPlanWinograd: three steps for the convolution, named after it, on the arena.
func TestPlanWinograd(t *testing.T) {
	g := newGraph(t, smallConfig(), 64, 64, Outputs{Logits: true})
	const name = "stages.0.blocks.0.conv2"
	for _, m := range []int{2, 4} {
		p := newWinogradPlan(t, g, someTarget(shaders.F16), Winograd{name: m}, 2, Pixels)
		checkPlan(t, p)
		var steps []string
		for _, s := range p.Steps {
			if strings.HasPrefix(s.Name, name) {
				steps = append(steps, s.Name+" "+s.Kernel.Name)
			}
		}
		want := []string{name + ".input winograd_input_f16", name + " conv_lane_f16", name + ".output winograd_output_f16"}
		if fmt.Sprint(steps) != fmt.Sprint(want) {
			t.Errorf("steps %v, want %v", steps, want)
		}
	}
}

// TestPlanWinogradSplits: where the device does not bind the tiles of all images at once, or all weights,
// they are worked off in parts.
func TestPlanWinogradSplits(t *testing.T) {
	c := Config{
		Layers: []int{1}, Channels: []int{64}, Mid: []int{64}, Stem: 8, Classes: 10,
		Groups: 8, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	g := newGraph(t, c, 64, 64, Outputs{Logits: true})
	const (
		name  = "stages.0.blocks.0.conv2" // 64 channels of 16x16
		least = 5 * 64 * 32 * 8           // elements of the five pictures, which cannot be split
	)
	for m, image := range map[int]int64{2: 64 * 16 * 64, 4: 16 * 36 * 64} {
		for _, k := range []struct {
			limit int64         // elements that a binding may span
			parts map[int]int64 // of five images
		}{
			{5 * image, map[int]int64{2: 1, 4: 1}}, {5*image - 1, map[int]int64{2: 2, 4: 2}},
			{3 * image, map[int]int64{2: 2, 4: 2}}, {least, map[int]int64{2: 5, 4: 3}},
		} {
			target := someTarget(shaders.F32)
			target.MaxRange = k.limit * 4
			p := newWinogradPlan(t, g, target, Winograd{name: m}, 5, Pixels)
			checkPlan(t, p)
			parts := map[string]int64{}
			for _, s := range p.Steps {
				parts[s.Name]++
			}
			products := k.parts[m]
			if weights := int64((m+2)*(m+2)) * 64 * 64; weights > k.limit {
				products *= 8 // one block of output channels at a time
			}
			if parts[name+".input"] != k.parts[m] || parts[name] != products || parts[name+".output"] != k.parts[m] {
				t.Errorf("F(%d), %d elements: %v, want %d parts, %d of the products", m, k.limit, parts, k.parts[m], products)
			}
		}
	}
}

// TestDefaultWinograd: the transforms are chosen where they save time and memory allows.
func TestDefaultWinograd(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	cpu, gpuTarget := someTarget(shaders.F16), someTarget(shaders.F16)
	gpuTarget.Lane, gpuTarget.Matrix.M = false, 16
	cpuMatrix := cpu
	cpuMatrix.CPU, cpuMatrix.Matrix.M = true, 8
	tiled := cpu
	tiled.Lane = false
	for name, k := range map[string]struct {
		target Target
		side   int
		want   string // of each stage, a layer that has stride 1
	}{
		"default":               {cpu, 384, "4 4 4 2"}, // F(4x4) would take 75 MB a layer in the last stage
		"binary32":              {someTarget(shaders.F32), 384, "4 4 2 0"},
		"matrix units":          {gpuTarget, 384, "0 0 0 0"},
		"matrix units of a CPU": {cpuMatrix, 384, "4 4 4 2"},
		"tiles of 64 pixels":    {tiled, 384, "4 4 4 2"},
		"small":                 {cpu, 32, "2 0 0 0"}, // 8x8, 4x4, 2x2 and 1x1 pixels
	} {
		g := newGraph(t, v.Config, k.side, k.side, Outputs{Logits: true})
		w := defaultWinograd(g, k.target)
		var got []string
		for s := range v.Config.Layers {
			got = append(got, fmt.Sprint(w[fmt.Sprintf("stages.%d.blocks.1.conv2", s)]))
		}
		if strings.Join(got, " ") != k.want {
			t.Errorf("%s: %v, want %s", name, got, k.want)
		}
	}
}

// TestDefaultWinogradSize: the size of most pictures decides the form of the weights, 224 if none is given.
func TestDefaultWinogradSize(t *testing.T) {
	c := smallConfig()
	for _, k := range []struct{ height, width, as int }{{0, 0, 224}, {32, 32, 32}, {96, 0, 0}} {
		o := Options{Height: k.height, Width: k.width}
		g, err := o.graph(c)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.winograd(g, someTarget(shaders.F16))
		if err != nil {
			t.Fatal(err)
		}
		if k.as != 0 {
			g := newGraph(t, c, k.as, k.as, Outputs{Logits: true})
			if want := defaultWinograd(g, someTarget(shaders.F16)); !maps.Equal(w, want) {
				t.Errorf("%+v: %v, want %v", k, w, want)
			}
		}
	}
	if _, err := (Options{Height: 8, Width: 8}).graph(c); err == nil {
		t.Error("8x8 pictures: no error")
	}
}

func TestWinogradErrors(t *testing.T) {
	c := smallConfig()
	g := newGraph(t, c, 64, 64, Outputs{Logits: true})
	for want, w := range map[string]Winograd{
		"tiles of 3x3":         {"stages.0.blocks.0.conv2": 3},
		"stem.conv is no":      {"stem.conv": 2},
		"conv1 is no":          {"stages.0.blocks.0.conv1": 4},
		"1.blocks.0.conv2 is ": {"stages.1.blocks.0.conv2": 4}, // stride 2
	} {
		if _, err := NewPlan(g, someTarget(shaders.F16), w, 1, Pixels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", w, err, want)
		}
		if _, err := (Options{Winograd: w}).winograd(g, someTarget(shaders.F16)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", w, err, want)
		}
	}
	if _, err := (Options{Winograd: Winograd{"conv9": 2}}).winograd(g, someTarget(shaders.F16)); err == nil || !strings.Contains(err.Error(), "no conv9") {
		t.Errorf("an unknown name: error %v", err)
	}
}

// testWinogradConv runs whole convolutions through the steps of a plan. The kernels of each step have tests
// of their own, with bounds from their arithmetic; together they round the operand, the weights and the
// products once each, and the transforms magnify that. The bounds are twice the relative L2 errors of such
// operands: standardized weights, and inputs behind a ReLU with a mean of their own in each channel.
func testWinogradConv(t *testing.T, dev *gpu.Device) {
	bounds := map[shaders.Storage]map[int]float64{
		shaders.F32: {2: 5e-7, 4: 1.1e-6}, shaders.F16: {2: 1.1e-3, 4: 2.8e-3},
	}
	for i, c := range []convCase{
		{n: 2, in: 40, out: 24, h: 9, w: 14, residual: true}, {n: 1, in: 19, out: 37, h: 8, w: 8}, {n: 3, in: 8, out: 8, h: 3, w: 1},
	} {
		c.kh, c.kw, c.sh, c.sw, c.ph, c.pw, c.norm = 3, 3, 1, 1, 1, 1, true
		for _, s := range storages {
			target := NewTarget(dev.Info(), s)
			for k, m := range []int{2, 4, 2, 4} {
				panel := k >= 2
				if panel && !target.Panel {
					continue
				}
				target := target
				target.Panel = panel
				t.Run(fmt.Sprintf("F%d/%v/panel=%v/%v", m, s, panel, c), func(t *testing.T) {
					o := c.operands(s, random(uint64(50+i)))
					raw := make([]float32, len(o.w[0].Data))
					for j, v := range o.w[0].Data {
						raw[j] = float32(v)
					}
					o.w[0].Data = standardized(raw, c.out, float64(float32(DefaultWeightEps)))
					want := c.reference(s, false, o).Want
					_, l2 := distance(narrow(kt.Decode(s, c.winograd(t, dev, target, m, o, raw))), want)
					t.Logf("relative L2 error %.2g", l2)
					if !(l2 <= bounds[s][m]) {
						t.Errorf("relative L2 error %.2g, want at most %g", l2, bounds[s][m])
					}
				})
			}
		}
	}
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// winograd plans a network of this one convolution and runs its steps one by one.
func (c convCase) winograd(t *testing.T, dev *gpu.Device, target Target, m int, o operands, raw []float32) []byte {
	const name = "conv"
	s := target.Storage
	in := Shape{c.in, c.h, c.w}
	g := &Graph{Nodes: []Node{{Name: "x", Out: in}, {Op: NormReLU, Name: "norm", In: []int{0}, Out: in}, {
		Op: Conv, Name: name, In: []int{1}, Out: Shape{c.out, c.h, c.w}, Kernel: 3, Stride: 1, Pad: 1,
	}}}
	p := newPlanner(&Plan{Graph: g, Target: target, Winograd: Winograd{name: m}, Batch: c.n})
	memory := map[string][]byte{"x": o.x.Activation(s), "norm": o.affine(), "residual": o.residual.Activation(s)}
	v := func(name string) *value { return newValue(name, int64(len(memory[name]))) }
	shape := c.shape()
	p.winograd(m, g.Nodes[2], shape, v("x"), v("norm"), v("residual"), newValue("y", int64(len(memory["residual"]))))

	u := uploader{target: target, kernels: p.kernels, winograd: p.Winograd}
	k := u.packing(Param{Name: name + ".weight", Shape: []int{c.out, c.in, 3, 3}}, F32, DefaultWeightEps)
	packed := kt.Poison(shape.out.C * k.taps * k.inBlocks * 64 * int(s.Size()))
	encoded := make([]byte, 4*len(raw))
	encode(encoded, raw)
	pack := []kt.Dispatch{{Kernel: k.kernel, Spec: k.spec, Groups: [3]uint32{uint32(8 * shape.out.C), 1, 1},
		Push: k.push(c.out), In: [][]byte{encoded}}}
	if k.turned {
		squares := shape.out.C * k.taps * k.inBlocks
		pack = append(pack, kt.Dispatch{Kernel: u.kernels.TransposeWeights, Spec: []uint32{8}, Groups: kt.Grid(squares, 8, 1),
			Push: shaders.Push(squares, ceilDiv(squares, 8))})
	}
	kt.Run(t, dev, packed, pack...)
	memory[name+".weight"] = packed
	var y []byte
	for _, step := range p.Steps {
		d := kt.Dispatch{Kernel: step.Kernel, Spec: step.Spec, Groups: step.Groups, Push: step.Push}
		last := step.Refs[result(&step)]
		for _, r := range step.Refs[:result(&step)] {
			d.In = append(d.In, memory[r.Name])
		}
		if leavesStats(&step) {
			d.More = kt.Poison(int(step.Refs[len(step.Refs)-1].Size))
		}
		y = kt.Poison(int(last.Size))
		kt.Run(t, dev, y, d)
		memory[last.Name] = y
	}
	return y
}

// testNetworkWinograd runs networks whose convolutions all go by the transforms, at once and, as on a
// device that binds less, in parts. They hold the bounds of all others.
func testNetworkWinograd(t *testing.T, dev *gpu.Device) {
	c := Config{
		Layers: []int{2, 2}, Channels: []int{64, 24}, Mid: []int{64, 8}, Stem: 8, Classes: 10,
		Groups: 8, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	weights := randomWeights(c, 40)
	g := newGraph(t, c, 64, 64, everything(c))
	for _, m := range []int{2, 4} {
		for _, s := range storages {
			n := load(t, dev, c, weights, Options{Storage: s, Winograd: allWinograd(g, func(int) int { return m })})
			run := func(spec BatchSpec) {
				x := randomInput(spec, 41)
				out, err := n.Run(context.Background(), spec, x)
				if err != nil {
					t.Fatal(err)
				}
				checkReference(t, n, weights, spec, x, out)
			}
			run(tensors(1, 37, 50, everything(c)))
			n.target.MaxRange = 80_000 * s.Size() // three images' tiles take more
			spec := tensors(3, 37, 51, everything(c))
			plan, err := n.Plan(spec)
			if err != nil {
				t.Fatal(err)
			}
			if text := plan.String(); strings.Count(text, "stages.0.blocks.1.conv2.output ") != 2 {
				t.Fatal("the images are not split:\n" + text)
			}
			run(spec)
		}
	}
}
