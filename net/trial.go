package net

// This file owns how the tuner takes the time of a step: alone, with memory of its own.

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
)

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
	size += panelPast
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
