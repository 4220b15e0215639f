package net

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
)

// TestTune: what is found is at least as fast as the default, comes in the order of the work, and
// survives JSON. The budget is for one kind of convolution or a few.
func TestTune(t *testing.T) {
	dev := gputest.Open(t)
	var calls int
	found, err := Tune(t.Context(), dev, oneStage(), TuneOptions{
		Storage: shaders.F16, Images: 1, Height: 32, Width: 40, Budget: time.Second,
		Progress: func(done, total int, c TunedConv) {
			calls++
			if done != calls || done > total {
				t.Errorf("call %d: %d of %d", calls, done, total)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Convs) != calls || calls == 0 {
		t.Fatalf("%d convolutions, %d calls", len(found.Convs), calls)
	}
	for _, c := range found.Convs {
		if c.Seconds <= 0 || c.Seconds > c.Default || c.Pixels == 0 || c.Kernel == "" {
			t.Errorf("%+v", c)
		}
	}
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	var back Tuning
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(&back, found) {
		t.Errorf("%v: read back as %+v", err, back)
	}
}

// TestTuneWinograd: of the ways to run a layer the one whose steps take the least together is kept. Times
// of convolutions are made up, those of the transforms are real.
func TestTuneWinograd(t *testing.T) {
	dev := gputest.Open(t)
	g, err := NewGraph(oneStage(), 32, 40, Outputs{Unpooled: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, fast := range []int{1, 16, 36} { // positions of the way that is to win
		tu := &tuner{dev: dev, graph: g, target: NewTarget(dev.Info(), shaders.F16), found: &Tuning{}, times: map[string]float64{}}
		plans, err := tu.plans(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plans {
			for _, s := range p.Steps {
				if s.conv == nil {
					continue
				}
				seconds := 1000.0
				if s.conv.positions == fast {
					seconds = 1
				}
				tu.found.Convs = append(tu.found.Convs, TunedConv{Layer: s.conv.layer(shaders.F16), Pixels: s.conv.pixels(), Seconds: seconds})
			}
		}
		if err := tu.winograds(t.Context(), plans); err != nil {
			t.Fatal(err)
		}
		tu.release()
		if len(tu.found.Winograds) == 0 {
			t.Fatal("no choice was made")
		}
		for _, w := range tu.found.Winograds {
			if want := map[int]int{1: 0, 16: 2, 36: 4}[fast]; w.Tile != want || w.Seconds < 1 || w.Seconds > 500 || w.Layer.Positions != 1 {
				t.Errorf("%+v, want tiles of %d", w, want)
			}
		}
		tu.found.Convs = nil
		tu.found.Winograds = nil
		if err := tu.winograds(t.Context(), plans); err != nil || len(tu.found.Winograds) != 0 {
			t.Errorf("%v: %d choices among convolutions that were not tuned", err, len(tu.found.Winograds))
		}
	}
}

// TestTunePlans: a layer is tried in just those forms in which ChooseWinograd would then run it.
func TestTunePlans(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	g, err := NewGraph(v.Config, 384, 384, Outputs{Unpooled: true})
	if err != nil {
		t.Fatal(err)
	}
	tu := &tuner{graph: g, target: someTarget(shaders.F16)}
	plans, err := tu.plans(1)
	if err != nil || len(plans) != 3 {
		t.Fatalf("%d plans, %v", len(plans), err)
	}
	barred := 0
	for i, n := range g.Nodes {
		if !n.fitsWinograd() {
			continue
		}
		c := g.convShape(i, 1)
		for m, p := range plans {
			target := tu.target
			target.Tuning = &Tuning{Winograds: []TunedWinograd{{Layer: c.layer(shaders.F16), Pixels: c.pixels(), Tile: m}}}
			if p.Winograd[n.Name] == m && ChooseWinograd(g, target)[n.Name] != m {
				t.Errorf("%s is tried with tiles of %d, and would not run so", n.Name, m)
			}
			if p.Winograd[n.Name] != m {
				barred++
			}
		}
	}
	if barred == 0 {
		t.Error("no layer has weights that are too large for one of the forms")
	}
}

// TestTuningIsUsed: plans take the kernel and tile of the entry with the nearest number of pixels, and the
// defaults where there is none or it names something unknown.
func TestTuningIsUsed(t *testing.T) {
	target := Target{Storage: shaders.F16, Lane: true, Texel: true, CPU: true}
	c := convShape{in: Shape{8, 10, 10}, out: Shape{16, 10, 10}, kh: 1, kw: 1, sh: 1, sw: 1, images: 3, positions: 1}
	entry := func(pixels int, kernel string, constants ...uint32) TunedConv {
		return TunedConv{Layer: c.layer(shaders.F16), Pixels: pixels, Kernel: kernel, Constants: constants}
	}
	other := entry(300, "conv_lane_f16", 4, 4)
	other.Layer.Norm = true
	for name, test := range map[string]struct {
		convs     []TunedConv
		kernel    string
		constants []uint32
	}{
		"none":             {nil, "conv_texel_f16", []uint32{2, 4}},
		"exact":            {[]TunedConv{entry(10, "conv_tile_f16"), entry(300, "conv_lane_f16", 4, 3)}, "conv_lane_f16", []uint32{4, 3}},
		"nearest":          {[]TunedConv{entry(10, "conv_tile_f16"), entry(900, "conv_lane_f16", 4, 3)}, "conv_lane_f16", []uint32{4, 3}},
		"other layer":      {[]TunedConv{other}, "conv_texel_f16", []uint32{2, 4}},
		"unknown kernel":   {[]TunedConv{entry(300, "conv_of_tomorrow", 2, 4)}, "conv_texel_f16", []uint32{2, 4}},
		"unknown tile":     {[]TunedConv{entry(300, "conv_lane_f16", 77, 4)}, "conv_texel_f16", []uint32{2, 4}},
		"unusable kernel":  {[]TunedConv{entry(300, "conv_coopmat_f16", 2, 4)}, "conv_texel_f16", []uint32{2, 4}},
		"without constant": {[]TunedConv{entry(300, "conv_tile_f16")}, "conv_tile_f16", nil},
	} {
		target.Tuning = &Tuning{Convs: test.convs}
		m, tiling := chooseConv(target, c)
		if k := m.kernel(shaders.For(shaders.F16)); k.Name != test.kernel || !reflect.DeepEqual(tiling.constants, test.constants) {
			t.Errorf("%s: %s%v, want %s%v", name, k.Name, tiling.constants, test.kernel, test.constants)
		}
	}
}

// TestTunedWinograd: a tuned layer runs as it was found to be fastest, whatever the default is.
func TestTunedWinograd(t *testing.T) {
	g, err := NewGraph(tinyConfig(), 64, 64, Outputs{Unpooled: true})
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Storage: shaders.F16, Lane: true, MaxRange: 1 << 27, MaxGroups: [3]uint32{65535, 65535, 65535}, Align: 256}
	for _, tile := range []int{0, 2, 4} {
		var tuning Tuning
		for i, n := range g.Nodes {
			if n.fitsWinograd() {
				c := g.convShape(i, 1)
				tuning.Winograds = append(tuning.Winograds, TunedWinograd{Layer: c.layer(shaders.F16), Pixels: c.pixels(), Tile: tile})
			}
		}
		target.Tuning = &tuning
		chosen := ChooseWinograd(g, target)
		for _, n := range g.Nodes {
			if n.fitsWinograd() && chosen[n.Name] != tile {
				t.Errorf("%s: tiles of %d, want %d", n.Name, chosen[n.Name], tile)
			}
		}
	}
}

func TestTuneEnds(t *testing.T) {
	dev := gputest.Open(t)
	o := TuneOptions{Storage: shaders.F16, Images: 1, Height: 32, Width: 32, Budget: time.Nanosecond}
	found, err := Tune(t.Context(), dev, tinyConfig(), o)
	if err != nil || len(found.Convs) != 0 {
		t.Errorf("without time: %d convolutions, %v", len(found.Convs), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Budget = 0
	if _, err := Tune(ctx, dev, tinyConfig(), o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTuningMerge(t *testing.T) {
	a := TunedConv{Layer: Layer{In: 8}, Pixels: 10, Kernel: "old"}
	b, c := a, a
	b.Kernel, c.Pixels = "new", 20
	merged := (&Tuning{Convs: []TunedConv{a, c}}).Merge(&Tuning{Convs: []TunedConv{b}})
	if len(merged.Convs) != 2 || merged.conv(a.Layer, 10).Kernel != "new" || merged.conv(a.Layer, 20).Kernel != "old" {
		t.Errorf("merged: %+v", merged.Convs)
	}
	if (*Tuning)(nil).Merge(merged) != merged {
		t.Error("nothing and a tuning is not the tuning")
	}
}
