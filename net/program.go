package net

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/bitgpu/bitgpu/gpu"
)

// program is a plan recorded on a device. It has slots, each with its own staging memory and
// command buffers, so that one batch is uploaded and another one read back while a third computes.
// All slots, and all programs of a network, share one arena: the device runs one after the other.
//
// Invariants: a slot is either in free or with one Batch. A program that is retired lives until its
// slots have come home. All fields but those of the recipe are guarded by the network's lock.
type program struct {
	*recipe
	net     *Network
	arena   *activations
	free    []*slot
	made    int   // slots recorded
	most    int   // slots that there may be: fewer than slots once memory was short
	retired bool  // out of the network's table
	used    int64 // the network's clock at the last use
}

// recipe is what a program is recorded from. It does not change.
type recipe struct {
	plan      *Plan
	pipelines []*gpu.Pipeline // of the plan's steps
	profile   bool
}

// slots is how many batches of one program are in flight at most.
const slots = 3

// slot is what one batch in flight owns. On devices that share the host's memory, input and staging
// are one buffer, and so are output and readback. Crops need no staging: the device writes them.
type slot struct {
	staging, input, output, readback *gpu.Buffer
	job                              gpu.Job
}

// record makes another slot.
func (p *program) record() (_ *slot, err error) {
	dev, plan := p.net.dev, p.plan
	s := &slot{}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if plan.Input != Crops {
		if s.staging, err = dev.NewBuffer(plan.InputSize, gpu.Upload); err != nil {
			return nil, fmt.Errorf("net: input of a batch: %w", err)
		}
	}
	if s.readback, err = dev.NewBuffer(plan.OutputSize, gpu.Readback); err != nil {
		return nil, fmt.Errorf("net: output of a batch: %w", err)
	}
	s.input, s.output = s.staging, s.readback
	if p.net.copies || s.staging == nil {
		if s.input, err = dev.NewBuffer(plan.InputSize, gpu.DeviceLocal); err != nil {
			return nil, fmt.Errorf("net: input of a batch: %w", err)
		}
	}
	if p.net.copies {
		if s.output, err = dev.NewBuffer(plan.OutputSize, gpu.DeviceLocal); err != nil {
			return nil, fmt.Errorf("net: output of a batch: %w", err)
		}
		if s.staging != nil {
			if s.job.Upload, err = copyCommands(dev, s.input, s.staging); err != nil {
				return nil, err
			}
		}
		if s.job.Readback, err = copyCommands(dev, s.readback, s.output); err != nil {
			return nil, err
		}
	}
	s.job.Compute, err = p.compute(s)
	return s, err
}

func copyCommands(dev *gpu.Device, dst, src *gpu.Buffer) (*gpu.Commands, error) {
	rec := dev.NewRecorder()
	rec.Copy(dst.All(), src.All())
	return rec.End()
}

// compute records the plan's steps with the memory of a slot.
func (p *program) compute(s *slot) (*gpu.Commands, error) {
	rec := p.net.dev.NewRecorder()
	var since int64 // operations since the last cut
	for i, step := range p.plan.Steps {
		if since > 0 && since+step.FLOPs > p.plan.Target.CutFLOPs {
			rec.Cut()
			since = 0
		}
		since += step.FLOPs
		if p.profile && (i == 0 || p.plan.Steps[i-1].Name != step.Name) {
			rec.Step(step.Name)
		}
		bindings := make([]gpu.Range, len(step.Refs))
		for j, ref := range step.Refs {
			bindings[j] = p.resolve(s, ref)
		}
		rec.Work(step.FLOPs)
		rec.Dispatch(p.pipelines[i], step.Groups, step.Push, bindings...)
	}
	return rec.End()
}

// compile returns the pipeline of every step of a plan. Drivers compile on the calling thread, so all
// processors call, each for kernels of its own. When ctx ends it stops, with ctx's error.
func (n *Network) compile(ctx context.Context, plan *Plan) ([]*gpu.Pipeline, error) {
	var different []Step
	seen := map[string]bool{}
	for _, step := range plan.Steps {
		if key := fmt.Sprint(step.Kernel.Name, step.Spec); !seen[key] {
			seen[key] = true
			different = append(different, step)
		}
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			n.dev.Background(func() {
				for i := next.Add(1) - 1; i < int64(len(different)) && ctx.Err() == nil; i = next.Add(1) - 1 {
					if _, err := n.pipeline(different[i]); err != nil {
						return // asked for once more below
					}
				}
			})
		})
	}
	workers.Wait()
	pipelines := make([]*gpu.Pipeline, len(plan.Steps))
	for i, step := range plan.Steps {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var err error
		if pipelines[i], err = n.pipeline(step); err != nil {
			return nil, err
		}
	}
	return pipelines, nil
}

func (n *Network) pipeline(s Step) (*gpu.Pipeline, error) {
	p, err := n.dev.NewPipeline(s.Kernel, s.Spec...)
	if err != nil {
		return nil, fmt.Errorf("net: step %s: %w", s.Name, err)
	}
	return p, nil
}

// resolve finds the memory that a Ref names.
func (p *program) resolve(s *slot, r Ref) gpu.Range {
	switch r.Space {
	case WeightSpace:
		w := p.net.weights.ranges[r.Name]
		return gpu.Range{Buffer: w.Buffer, Offset: w.Offset + r.Offset, Size: r.Size}
	case TableSpace:
		return p.net.table.All()
	case InputSpace:
		return s.input.Slice(r.Offset, r.Size)
	case OutputSpace:
		return s.output.Slice(r.Offset, r.Size)
	}
	return p.arena.buffer.Slice(r.Offset, r.Size)
}

// release frees what a slot holds, as soon as the device is done with it.
func (s *slot) release() {
	for _, c := range []*gpu.Commands{s.job.Upload, s.job.Compute, s.job.Readback} {
		if c != nil {
			c.Release()
		}
	}
	for _, b := range []*gpu.Buffer{s.staging, s.input, s.output, s.readback} {
		if b != nil {
			b.Release()
		}
	}
}
