package net

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// TuneOptions say for which batches to tune.
type TuneOptions struct {
	Storage               shaders.Storage
	Images, Height, Width int
	// Budget is when Tune begins nothing new any more; 0 for no limit. Layers come in the order of the time that they
	// can save, so that what is left out matters least.
	Budget time.Duration
	// Progress, if set, hears of every layer that is done, of all.
	Progress func(done, total int, found TunedConv)
}

// Tune tries the kernels and tiles that can run the layers of a network, each alone with memory of its
// own, and returns the fastest. The device should do nothing else meanwhile. When the budget or ctx ends,
// what was found so far is the answer; it is an error only if ctx ends.
func Tune(ctx context.Context, dev *gpu.Device, c Config, o TuneOptions) (*Tuning, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	g, err := NewGraph(c, o.Height, o.Width, Outputs{Unpooled: true})
	if err != nil {
		return nil, err
	}
	t := &tuner{dev: dev, graph: g, target: NewTarget(dev.Info(), o.Storage).Suited(g), found: &Tuning{}, times: map[string]float64{}}
	defer t.release()
	if o.Budget > 0 {
		t.end = time.Now().Add(o.Budget)
	}
	plans, err := t.plans(o.Images)
	if err != nil {
		return nil, err
	}
	if err := t.convs(ctx, plans, o.Progress); err != nil {
		return nil, err
	}
	return t.found, t.winograds(ctx, plans)
}

// tuner is a Tune at work.
type tuner struct {
	dev    *gpu.Device
	graph  *Graph
	target Target
	end    time.Time // zero for never
	memory *gpu.Buffer
	found  *Tuning
	times  map[string]float64 // seconds of steps, by what decides them
}

// errUntuned says that the time was over before a convolution was tuned.
var errUntuned = errors.New("net: not tuned")

// over reports whether the budget is spent. A kind of convolution that was begun is finished.
func (t *tuner) over() bool { return !t.end.IsZero() && time.Now().After(t.end) }

func (t *tuner) release() { t.memory.Release() }

// plans makes a plan with every way to run the 3x3 convolutions, by the side of their tiles; 0 is direct, and
// so are in all plans those that may not run in tiles of that side. A way that a limit of the device forbids
// has no plan.
func (t *tuner) plans(images int) (map[int]*Plan, error) {
	plans := map[int]*Plan{}
	for _, m := range append([]int{0}, winogradTiles()...) {
		w := Winograd{}
		for i, n := range t.graph.Nodes {
			if n.fitsWinograd() && slices.Contains(t.graph.convShape(i, 1).winogradTiles(t.target.Storage), m) {
				w[n.Name] = m
			}
		}
		p, err := NewPlan(t.graph, t.target, w, images, Pixels)
		switch {
		case err == nil:
			plans[m] = p
		case m == 0 || !errors.Is(err, ErrTooLarge):
			return nil, err
		}
	}
	return plans, nil
}

// task is a kind of convolution, with the steps of all plans that do it.
type task struct {
	step  Step
	flops int64
}

// convs tunes all kinds of convolutions of the plans.
func (t *tuner) convs(ctx context.Context, plans map[int]*Plan, progress func(int, int, TunedConv)) error {
	type kind struct {
		layer  Layer
		pixels int
	}
	tasks := map[kind]*task{}
	for _, p := range plans {
		for _, s := range p.Steps {
			if s.conv == nil {
				continue
			}
			k := kind{s.conv.layer(t.target.Storage), s.conv.pixels()}
			if tasks[k] == nil {
				tasks[k] = &task{step: s}
			}
			tasks[k].flops += s.FLOPs
		}
	}
	var order []*task
	for _, k := range tasks {
		order = append(order, k)
	}
	slices.SortFunc(order, func(a, b *task) int {
		return cmp.Or(cmp.Compare(b.flops, a.flops), cmp.Compare(a.step.Name, b.step.Name))
	})
	for i, k := range order {
		if t.over() {
			return nil
		}
		best, err := t.conv(ctx, k.step)
		if err != nil {
			return err
		}
		t.found.Convs = append(t.found.Convs, best)
		if progress != nil {
			progress(i+1, len(order), best)
		}
	}
	return nil
}

// conv finds the fastest kernel and tile for a step, which are taken without statistics: those cost little, and change the
// bindings.
func (t *tuner) conv(ctx context.Context, s Step) (TunedConv, error) {
	c := *s.conv
	c.stats = false
	best := TunedConv{Layer: c.layer(t.target.Storage), Pixels: c.pixels(), Seconds: math.Inf(1)}
	if t.target.Panel {
		return t.panel(ctx, s.Name, c, best)
	}
	_, usual := chooseConv(t.target, c)
	for _, m := range convFamily {
		if !m.usable(t.target) || m.fast != nil && !m.fast(t.target) {
			continue
		}
		for _, tiling := range m.tilings(t.target, c) {
			candidate := s
			candidate.Kernel = m.kernel(shaders.For(t.target.Storage))
			candidate.Spec, candidate.Push, candidate.Groups = tiling.dispatch(c, s.convFirst, s.convBlocks)
			candidate.Refs = slices.Clone(s.Refs[:5])
			if tiling.chunk > 0 {
				candidate.Refs = append(candidate.Refs, s.Refs[4])
			}
			seconds, err := t.time(ctx, candidate, best.Seconds)
			if err != nil {
				return best, err
			}
			if candidate.Kernel == s.Kernel && slices.Equal(tiling.constants, usual.constants) {
				best.Default = seconds
			}
			if seconds > hopeless*best.Seconds {
				break // its other tiles will not make up for that
			}
			if seconds < best.Seconds {
				best.Kernel, best.Constants, best.Seconds = candidate.Kernel.Name, tiling.constants, seconds
			}
		}
	}
	return best, nil
}

// panel finds the fastest tiling of conv_panel for a layer.
func (t *tuner) panel(ctx context.Context, name string, c convShape, best TunedConv) (TunedConv, error) {
	best.Kernel = shaders.For(t.target.Storage).ConvPanel.Name
	for i, tiling := range panelTilings(t.target, c) {
		p := newPlanner(&Plan{Graph: t.graph, Target: t.target, Batch: c.images})
		tiles := tiling.slice(c)
		v := newValue("panels", int64(tiles)*tiling.bytes(c))
		y := newValue("result", int64(c.images*c.out.C*c.out.Pixels())*p.blockBytes())
		p.multiplyPanels(name, c, tiling, 0, tiles, 0, v, y, y)
		var seconds float64
		for _, s := range p.Steps {
			one, err := t.time(ctx, s, best.Seconds)
			if err != nil {
				return best, err
			}
			seconds += one
		}
		seconds *= float64(ceilDiv(c.out.Pixels(), tiling.p)) / float64(tiles)
		if i == 0 {
			best.Default = seconds
		}
		if seconds < best.Seconds {
			best.Constants, best.Seconds = tiling.constants(), seconds
		}
	}
	return best, nil
}

// winograds compares the ways to run each kind of 3x3 convolution, where all of their steps were tuned.
func (t *tuner) winograds(ctx context.Context, plans map[int]*Plan) error {
	for _, n := range t.graph.Nodes {
		if !n.fitsWinograd() {
			continue
		}
		if t.over() {
			return nil
		}
		var best TunedWinograd
		for _, m := range slices.Sorted(maps.Keys(plans)) {
			seconds, direct, err := t.node(ctx, plans[m], n.Name)
			if errors.Is(err, errUntuned) {
				return nil
			}
			if err != nil {
				return err
			}
			if m == 0 {
				best = TunedWinograd{Layer: direct.layer(t.target.Storage), Pixels: direct.pixels(), Seconds: seconds, Direct: seconds}
			} else if seconds < best.Seconds {
				best.Tile, best.Seconds = m, seconds
			}
		}
		if known := t.found.winograd(best.Layer, best.Pixels); known == nil || known.Pixels != best.Pixels {
			t.found.Winograds = append(t.found.Winograds, best)
		}
	}
	return nil
}

// node adds up the times of the steps of a node; the shape is that of its convolution.
func (t *tuner) node(ctx context.Context, p *Plan, name string) (seconds float64, c *convShape, err error) {
	for _, s := range p.Steps {
		switch {
		case s.Name == name && s.conv != nil:
			c = s.conv
			tuned := t.found.conv(c.layer(t.target.Storage), c.pixels())
			if tuned == nil || tuned.Pixels != c.pixels() {
				return 0, nil, errUntuned
			}
			seconds += tuned.Seconds
		case s.Name == name+".input" || s.Name == name+".output" || s.Name == name+".panels":
			one, err := t.time(ctx, s, math.Inf(1))
			if err != nil {
				return 0, nil, err
			}
			seconds += one
		}
	}
	return seconds, c, nil
}
