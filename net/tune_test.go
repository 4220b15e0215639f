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

// TestTune: every convolution of the network and of its Winograd forms is measured, what was found is what
// plans then use, and it survives JSON.
func TestTune(t *testing.T) {
	dev := gputest.Open(t)
	config := oneStage()
	var calls int
	found, err := Tune(t.Context(), dev, config, TuneOptions{
		Storage: shaders.F16, Images: 1, Height: 32, Width: 40,
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
	if len(found.Convs) != calls || len(found.Winograds) == 0 {
		t.Fatalf("%d convolutions, %d calls, %d choices of transforms", len(found.Convs), calls, len(found.Winograds))
	}
	for _, c := range found.Convs {
		if c.Seconds <= 0 || c.Seconds > c.Default {
			t.Errorf("%+v: %g s, default %g s", c.Layer, c.Seconds, c.Default)
		}
	}
	for _, w := range found.Winograds {
		if w.Seconds <= 0 || w.Seconds > w.Direct || (w.Tile == 0) != (w.Seconds == w.Direct) {
			t.Errorf("%+v: tiles of %d, %g s, direct %g s", w.Layer, w.Tile, w.Seconds, w.Direct)
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
