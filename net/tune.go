package net

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	// Budget is about how long Tune may take; 0 for no limit. Layers come in the order of the time that they
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
	t := &tuner{dev: dev, graph: g, target: NewTarget(dev.Info(), o.Storage), found: &Tuning{}, times: map[string]float64{}}
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

// errBudget says that the time for tuning is over.
var errBudget = errors.New("net: tuning budget")

func (t *tuner) release() { t.memory.Release() }

// plans makes a plan with every way to run the 3x3 convolutions, by the side of their tiles; 0 is direct.
// A way that a limit of the device forbids has no plan.
func (t *tuner) plans(images int) (map[int]*Plan, error) {
	plans := map[int]*Plan{}
	for _, m := range append([]int{0}, winogradTiles(t.target.Storage)...) {
		w := Winograd{}
		for _, n := range t.graph.Nodes {
			if n.fitsWinograd() {
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
		best, err := t.conv(ctx, k.step)
		if errors.Is(err, errBudget) {
			return nil
		}
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

// conv finds the fastest kernel and tile for a step.
func (t *tuner) conv(ctx context.Context, s Step) (TunedConv, error) {
	c := *s.conv
	best := TunedConv{Layer: c.layer(t.target.Storage), Pixels: c.pixels(), Seconds: math.Inf(1)}
	for _, m := range convFamily {
		if !m.usable(t.target) || m.fast != nil && !m.fast(t.target) {
			continue
		}
		for _, tiling := range m.tilings(t.target, c) {
			candidate := s
			candidate.Kernel = m.kernel(shaders.For(t.target.Storage))
			candidate.Spec, candidate.Groups = tiling.spec(c, s.convBlocks)
			seconds, err := t.time(ctx, candidate, best.Seconds)
			if err != nil {
				return best, err
			}
			if candidate.Kernel == s.Kernel && slices.Equal(candidate.Spec, s.Spec) {
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

// winograds compares the ways to run each kind of 3x3 convolution, where all of their steps were tuned.
func (t *tuner) winograds(ctx context.Context, plans map[int]*Plan) error {
	for _, n := range t.graph.Nodes {
		if !n.fitsWinograd() {
			continue
		}
		var best TunedWinograd
		for _, m := range slices.Sorted(maps.Keys(plans)) {
			seconds, direct, err := t.node(ctx, plans[m], n.Name)
			if errors.Is(err, errBudget) {
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
				return 0, nil, errBudget
			}
			seconds += tuned.Seconds
		case s.Name == name+".input" || s.Name == name+".output":
			one, err := t.time(ctx, s, math.Inf(1))
			if err != nil {
				return 0, nil, err
			}
			seconds += one
		}
	}
	return seconds, c, nil
}

// How often a step is run: the fastest of a few counts, for others only make it slower. Short ones are
// repeated within a run, so that giving them to the device costs nothing beside.
const (
	tuneRuns = 3
	tuneTime = 5 * time.Millisecond
	tuneMost = 64
	hopeless = 1.5 // times the best: not measured any further
)

// time returns the seconds that a step takes, or of one that is far from the best, of its first run.
func (t *tuner) time(ctx context.Context, s Step, best float64) (float64, error) {
	key := fmt.Sprint(s.Kernel.Name, s.Spec, s.Groups, s.Push)
	if known, ok := t.times[key]; ok {
		return known, nil
	}
	seconds, err := t.run(ctx, s, 1) // compiles, and touches the memory
	if err != nil {
		return 0, err
	}
	repeat := int(min(max(tuneTime.Seconds()/max(seconds, 1e-9), 1), tuneMost))
	seconds = math.Inf(1)
	for range tuneRuns {
		one, err := t.run(ctx, s, repeat)
		if err != nil {
			return 0, err
		}
		seconds = min(seconds, one)
		if seconds > hopeless*best {
			break
		}
	}
	t.times[key] = seconds
	return seconds, nil
}

// run runs a step so many times and returns the seconds of one. All that it binds lies in the tuner's
// memory.
func (t *tuner) run(ctx context.Context, s Step, times int) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !t.end.IsZero() && time.Now().After(t.end) {
		return 0, errBudget
	}
	bindings, err := t.bind(ctx, s.Refs)
	if err != nil {
		return 0, err
	}
	pipeline, err := t.dev.NewPipeline(s.Kernel, s.Spec...)
	if err != nil {
		return 0, fmt.Errorf("net: tuning %s: %w", s.Name, err)
	}
	rec := t.dev.NewRecorder()
	for range times {
		rec.Dispatch(pipeline, s.Groups, s.Push, bindings...)
	}
	commands, err := rec.End()
	if err != nil {
		return 0, fmt.Errorf("net: tuning %s: %w", s.Name, err)
	}
	defer commands.Release()
	start := time.Now()
	if err := t.submit(ctx, commands); err != nil {
		return 0, fmt.Errorf("net: tuning %s: %w", s.Name, err)
	}
	return time.Since(start).Seconds() / float64(times), nil
}

func (t *tuner) submit(ctx context.Context, c *gpu.Commands) error {
	pending, err := t.dev.Submit(gpu.Job{Compute: c})
	if err != nil {
		return err
	}
	return pending.Wait(ctx)
}

// bind gives every different range a place in the memory, which grows as needed and is full of small
// positive numbers in either storage type.
func (t *tuner) bind(ctx context.Context, refs []Ref) ([]gpu.Range, error) {
	const small = 0x2c002c00 // two binary16 of 2^-4, or a binary32 of 2e-12
	at, size := map[Ref]int64{}, int64(0)
	for _, r := range refs {
		if _, ok := at[r]; !ok {
			at[r] = size
			size += (r.Size + t.target.Align - 1) / t.target.Align * t.target.Align
		}
	}
	if t.memory == nil || t.memory.Size() < size {
		t.memory.Release()
		var err error
		if t.memory, err = t.dev.NewBuffer(size, gpu.DeviceLocal); err != nil {
			return nil, fmt.Errorf("net: tuning: %w", err)
		}
		rec := t.dev.NewRecorder()
		rec.Fill(t.memory.All(), small)
		fill, err := rec.End()
		if err != nil {
			return nil, fmt.Errorf("net: tuning: %w", err)
		}
		defer fill.Release()
		if err := t.submit(ctx, fill); err != nil {
			return nil, fmt.Errorf("net: tuning: %w", err)
		}
	}
	ranges := make([]gpu.Range, len(refs))
	for i, r := range refs {
		ranges[i] = t.memory.Slice(at[r], r.Size)
	}
	return ranges, nil
}
