package net

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// TestPanelTilings: what is planned covers the products exactly, and stays within the limits of kernel and device.
func TestPanelTilings(t *testing.T) {
	target := Target{Panel: true, MaxInvocations: 1024}
	for _, c := range []convCase{
		{n: 1, in: 64, out: 64, h: 56, w: 56, kh: 1, kw: 1}, {n: 1, in: 4096, out: 1024, h: 12, w: 12, kh: 1, kw: 1},
		{n: 2, in: 8, out: 8, h: 1, w: 1, kh: 1, kw: 1}, {n: 1, in: 104, out: 24, h: 5, w: 7, kh: 3, kw: 3},
		{n: 1, in: 8 * 127, out: 56, h: 9, w: 9, kh: 1, kw: 1}, {n: 36, in: 512, out: 512, h: 1, w: 9, kh: 1, kw: 1, own: true},
	} {
		c.sh, c.sw = 1, 1
		shape := c.shape()
		tilings := panelTilings(target, shape)
		if len(tilings) == 0 {
			t.Errorf("%v: no tiling", c)
		}
		for _, k := range tilings {
			subgroups := k.chunks * k.rows * k.groups
			switch {
			case k.kc*k.chunks != shape.productsOf():
				t.Errorf("%v: %+v makes other than %d products", c, k, shape.productsOf())
			case shape.out.C%k.rows != 0:
				t.Errorf("%v: %+v leaves channels over", c, k)
			case subgroups > panelSubgroups || subgroups*panelLanes > 1024:
				t.Errorf("%v: %+v passes a limit", c, k)
			}
			// conv_panel divides by multiplying.
			for i := range subgroups {
				if i*ceilDiv(1<<16, k.chunks)>>16 != i/k.chunks || i*ceilDiv(1<<16, k.rows)>>16 != i/k.rows {
					t.Errorf("%v: %+v does not divide %d", c, k, i)
				}
			}
		}
	}
}

// widePicture takes more workgroups than two look-ups of conv_panel tell apart.
const widePicture = 1100*panelSubgroups*10 + 3

// TestConvPanel compares conv_panel, with what packs its operands, with float64.
func TestConvPanel(t *testing.T) {
	dev := gputest.Open(t)
	for _, s := range storages {
		target := NewTarget(dev.Info(), s)
		if !target.Panel {
			gputest.Lacks(t, dev, "conv_panel")
		}
		for i, c := range []convCase{
			{n: 2, in: 16, out: 48, h: 9, w: 11, kh: 1, kw: 1, sh: 2, sw: 2, norm: true},                    // a shortcut, pixels left over
			{n: 1, in: 19, out: 8, h: 12, w: 8, kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true},     // channels left over
			{n: 2, in: 11, out: 30, h: 7, w: 9, kh: 3, kw: 3, sh: 1, sw: 1, ph: 1, pw: 1, residual: true},   // a border
			{n: 1, in: 9, out: 33, h: 10, w: 12, kh: 3, kw: 3, sh: 2, sw: 2, ph: 1, pw: 1, norm: true},      // every second pixel
			{n: 2, in: 7, out: 64, h: 33, w: 17, kh: 7, kw: 4, sh: 2, sw: 1, ph: 3, pw: 2},                  // the stem
			{n: 3, in: 24, out: 16, h: 6, w: 5, kh: 1, kw: 1, sh: 1, sw: 1, own: true},                      // weights of its own for every image
			{n: 34, in: 8, out: 16, h: 2, w: 4, kh: 1, kw: 1, sh: 1, sw: 1, own: true},                      // more images than subgroups
			{n: 1, in: 8 * 76, out: 16, h: 3, w: 8, kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true}, // many products
			{n: 1, in: 8, out: 8 * 70, h: 2, w: 4, kh: 1, kw: 1, sh: 1, sw: 1, norm: true},                  // many channels
			{n: 1, in: 8 * 131, out: 8, h: 2, w: 4, kh: 1, kw: 1, sh: 1, sw: 1, residual: true},             // products that few numbers divide
			{n: 1, in: 8, out: 8, h: 1, w: widePicture, kh: 1, kw: 1, sh: 1, sw: 1, norm: true},             // more workgroups than two look-ups know
		} {
			t.Run(s.String()+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				o := c.operands(s, random(uint64(i)))
				c.reference(s, false, o).Check(t, "y", kt.Decode(s, c.runPanel(t, dev, target, o)))
			})
		}
	}
}

// TestConvPanelTilings compares every tiling of some layers with float64, as the tuner may choose any.
func TestConvPanelTilings(t *testing.T) {
	dev := gputest.Open(t)
	target := NewTarget(dev.Info(), shaders.F16)
	if !target.Panel {
		gputest.Lacks(t, dev, "conv_panel")
	}
	for i, c := range []convCase{
		{n: 1, in: 48, out: 48, h: 5, w: 7, kh: 1, kw: 1, sh: 1, sw: 1, norm: true, residual: true},
		{n: 1, in: 8 * 21, out: 24, h: 3, w: 3, kh: 1, kw: 1, sh: 1, sw: 1},
	} {
		o, shape := c.operands(target.Storage, random(uint64(100+i))), c.shape()
		for _, tiling := range panelTilings(target, shape) {
			t.Run(fmt.Sprintf("%v/%+v", c, tiling), func(t *testing.T) {
				t.Parallel()
				tuned := target
				tuned.Tuning = &Tuning{Convs: []TunedConv{{Layer: shape.layer(target.Storage), Pixels: shape.pixels(),
					Kernel: shaders.For(target.Storage).ConvPanel.Name, Constants: tiling.constants()}}}
				if chosen := choosePanel(tuned, shape); chosen != tiling {
					t.Fatalf("chose %+v", chosen)
				}
				c.reference(target.Storage, false, o).Check(t, "y", kt.Decode(target.Storage, c.runPanel(t, dev, tuned, o)))
			})
		}
	}
}

// runPanel turns the weights, plans the convolution and runs the steps.
func (c convCase) runPanel(t *testing.T, dev *gpu.Device, target Target, o operands) []byte {
	t.Helper()
	s, shape := target.Storage, c.shape()
	p := newPlanner(&Plan{Graph: &Graph{}, Target: target, Batch: c.n})
	held := func(name string, content []byte) *value {
		v := newValue(name, int64(len(content)))
		v.first = 0
		return v
	}
	x, affine, residual := o.x.Activation(s), o.affine(), o.residual.Activation(s)
	xv, nv, rv := held("x", x), held("norm", affine), held("residual", residual)
	y := newValue("y", int64(len(residual)))
	p.panels("conv", shape, 0, xv, nv, rv, y)
	if c.w == widePicture { // Winograd's tiles are not cut into slices
		p.Steps, p.placed = nil, nil
		tiling := choosePanel(target, shape)
		tiles := ceilDiv(shape.out.Pixels(), tiling.p)
		v := newValue("v", int64(tiles*tiling.p*shape.productsOf())*4)
		p.panelInput("conv", shape, tiling, 0, shape.out.Pixels(), xv, nv, v)
		p.multiplyPanels("conv", shape, tiling, 0, tiles, 0, v, rv, y)
	}
	for _, v := range []*value{xv, nv, rv, y} {
		v.last = len(p.Steps) - 1
	}
	p.place()

	packed := o.packed(s)
	weights, memory := buffer(t, dev, packed, int64(len(packed))), buffer(t, dev, nil, p.ArenaSize)
	copy(memory.Bytes()[xv.at:], x)
	copy(memory.Bytes()[nv.at:], affine)
	copy(memory.Bytes()[rv.at:], residual)
	rec := dev.NewRecorder()
	dispatch := func(k *shaders.Kernel, spec []uint32, groups [3]uint32, push []byte, ranges ...gpu.Range) {
		pipeline, err := dev.NewPipeline(k, spec...)
		if err != nil {
			t.Fatal(err)
		}
		rec.Dispatch(pipeline, groups, push, ranges...)
	}
	squares := len(packed) / int(64*s.Size())
	dispatch(p.kernels.TransposeWeights, []uint32{8}, [3]uint32{3, uint32(ceilDiv(squares, 24)), 1}, shaders.Push(squares, 3), weights.All())
	for _, step := range p.Steps {
		var ranges []gpu.Range
		for _, r := range step.Refs {
			if r.Space == WeightSpace {
				ranges = append(ranges, weights.Slice(r.Offset, r.Size))
			} else {
				ranges = append(ranges, memory.Slice(r.Offset, r.Size))
			}
		}
		dispatch(step.Kernel, step.Spec, step.Groups, step.Push, ranges...)
	}
	commands, err := rec.End()
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Release()
	pending, err := dev.Submit(gpu.Job{Compute: commands})
	if err != nil {
		t.Fatal(err)
	}
	if err := pending.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return memory.Bytes()[y.at : y.at+y.size]
}

// buffer returns host visible memory that begins with the content and goes on with NaNs.
func buffer(t *testing.T, dev *gpu.Device, content []byte, size int64) *gpu.Buffer {
	t.Helper()
	b, err := dev.NewBuffer(size, gpu.Readback)
	if err != nil {
		t.Fatal(err)
	}
	copy(b.Bytes(), kt.Poison(int(size+3)/4*4))
	copy(b.Bytes(), content)
	return b
}

// TestPanelPlanLimit: what conv_panel cannot tell apart is an error, not another image's result.
func TestPanelPlanLimit(t *testing.T) {
	target := someTarget(shaders.F16)
	target.Panel, target.MaxInvocations, target.MaxRange, target.MaxGroups = true, 1024, 1<<40, [3]uint32{1 << 30, 1 << 30, 1 << 30}
	g := newGraph(t, smallConfig(), 32, 32, Outputs{Logits: true})
	for batch, want := range map[int]error{panelGrid: nil, panelGrid + 1: ErrTooLarge} {
		if _, err := NewPlan(g, target, nil, batch, Pixels); !errors.Is(err, want) {
			t.Errorf("a batch of %d: %v, want %v", batch, err, want)
		}
	}
}

// TestPanelParts: a layer with more workgroups than a dispatch may have is cut into dispatches that make all of it.
func TestPanelParts(t *testing.T) {
	target := someTarget(shaders.F16)
	target.Panel, target.MaxInvocations, target.MaxRange = true, 1024, 1<<40
	for _, c := range []convCase{
		{n: 300, in: 512, out: 2048, h: 20, w: 20, kh: 1, kw: 1, sh: 1, sw: 1},          // pictures
		{n: 36, in: 8, out: 4096, h: 1, w: 9000, kh: 1, kw: 1, sh: 1, sw: 1, own: true}, // Winograd's tiles
	} {
		p := newPlanner(&Plan{Graph: &Graph{}, Target: target, Batch: c.n})
		shape, x, y := c.shape(), newValue("x", 1), newValue("y", 1)
		const flops = 1e12
		if c.own {
			tiling := choosePanel(target, shape)
			p.multiplyPanels("conv", shape, tiling, 0, ceilDiv(shape.out.Pixels(), tiling.p), flops, x, x, y)
		} else {
			p.panels("conv", shape, flops, x, x, x, y)
		}
		var done int64
		parts := 0
		for _, s := range p.Steps {
			if s.Kernel != p.kernels.ConvPanel {
				continue
			}
			if s.Groups[0] > panelGrid || s.Groups[1] != 1 || s.Groups[2] != 1 {
				t.Errorf("%v: a step of %v workgroups", c, s.Groups)
			}
			done += s.FLOPs
			parts++
		}
		if parts < 2 || done != flops {
			t.Errorf("%v: %d parts make %d of %d", c, parts, done, int64(flops))
		}
	}
}

// TestPanelKinds: few kinds of conv_panel serve a network, for each takes most of a second to compile.
func TestPanelKinds(t *testing.T) {
	target := someTarget(shaders.F16)
	target.Lane, target.Address, target.Panel, target.MaxInvocations = true, true, true, 1024
	for name, most := range map[string]int{"resnetv2_50x1_bit.goog_distilled_in1k": 8, DefaultModel: 4} {
		v, _ := FindVariant(name)
		g := newGraph(t, v.Config, v.Size, v.Size, Outputs{Logits: true})
		kinds := map[string]bool{}
		for _, s := range newWinogradPlan(t, g, target, defaultWinograd(g, target), 1, Pixels).Steps {
			if isPanel(&s) {
				kinds[fmt.Sprint(s.Spec)] = true
			}
		}
		if len(kinds) == 0 || len(kinds) > most {
			t.Errorf("%s: %d kinds, want at most %d: %v", name, len(kinds), most, kinds)
		}
	}
}

// TestPanelPast: conv_panel reads up to P-1 blocks past the end of a residual, which may lie at the end of the arena.
func TestPanelPast(t *testing.T) {
	for _, s := range storages {
		target := someTarget(s)
		target.Panel, target.MaxInvocations = true, 1024
		p := newPlanner(&Plan{Graph: &Graph{}, Target: target, Batch: 1})
		shape := convCase{n: 1, in: 8, out: 64, h: 9, w: 9, kh: 1, kw: 1, sh: 1, sw: 1, residual: true}.shape()
		x, residual, y := newValue("x", 1), newValue("residual", int64(64*81)*s.Size()), newValue("y", int64(64*81)*s.Size())
		y.alias = residual
		p.panels("conv", shape, 0, x, x, residual, y)
		p.place()
		past := int64(choosePanel(target, shape).p-1) * 8 * s.Size()
		if end := residual.at + residual.size; end+past > p.ArenaSize {
			t.Errorf("%v: %d bytes past %d are read of an arena of %d", s, past, end, p.ArenaSize)
		}
	}
}
