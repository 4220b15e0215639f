package net

import (
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
// slots have come home. All fields but plan are guarded by the network's lock.
type program struct {
	net     *Network
	plan    *Plan
	profile bool
	arena   *activations
	free    []*slot
	made    int   // slots recorded
	retired bool  // out of the network's table
	used    int64 // the network's clock at the last use
}

// activations is the arena in device memory. One that has been replaced by a larger one lives until
// the batches that were begun with it have ended: they may not have been submitted yet. Guarded by the
// network's lock.
type activations struct {
	buffer  *gpu.Buffer
	batches int // begun and not ended
	retired bool
}

func (a *activations) retire() {
	a.retired = true
	a.releaseIdle()
}

func (a *activations) releaseIdle() {
	if a.retired && a.batches == 0 {
		a.buffer.Release()
	}
}

// slots is how many batches of one program are in flight at most.
const slots = 3

// slot is what one batch in flight owns. On devices that share the host's memory, input and staging
// are one buffer, and so are output and readback.
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
	if s.staging, err = dev.NewBuffer(plan.InputSize, gpu.Upload); err != nil {
		return nil, fmt.Errorf("net: input of a batch: %w", err)
	}
	if s.readback, err = dev.NewBuffer(plan.OutputSize, gpu.Readback); err != nil {
		return nil, fmt.Errorf("net: output of a batch: %w", err)
	}
	s.input, s.output = s.staging, s.readback
	if p.net.copies {
		if s.input, err = dev.NewBuffer(plan.InputSize, gpu.DeviceLocal); err != nil {
			return nil, fmt.Errorf("net: input of a batch: %w", err)
		}
		if s.output, err = dev.NewBuffer(plan.OutputSize, gpu.DeviceLocal); err != nil {
			return nil, fmt.Errorf("net: output of a batch: %w", err)
		}
		if s.job.Upload, err = copyCommands(dev, s.input, s.staging); err != nil {
			return nil, err
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
	pipelines, err := p.pipelines()
	if err != nil {
		return nil, err
	}
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
		rec.Dispatch(pipelines[i], step.Groups, step.Push, bindings...)
	}
	return rec.End()
}

// pipelines returns the pipeline of every step. Drivers compile on the calling thread, so all processors
// call; the device makes each pipeline once.
func (p *program) pipelines() ([]*gpu.Pipeline, error) {
	steps := p.plan.Steps
	made, errs := make([]*gpu.Pipeline, len(steps)), make([]error, len(steps))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(steps)); i = next.Add(1) - 1 {
				if made[i], errs[i] = p.net.dev.NewPipeline(steps[i].Kernel, steps[i].Spec...); errs[i] != nil {
					errs[i] = fmt.Errorf("net: step %s: %w", steps[i].Name, errs[i])
				}
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err // the same fault in every step that shares a kernel: one is enough
		}
	}
	return made, nil
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

// take returns a free slot, recording another one if there is room; nil if all are in flight.
func (p *program) take() (*slot, error) {
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		p.arena.batches++
		return s, nil
	}
	if p.made == slots {
		return nil, nil
	}
	s, err := p.record()
	if err != nil {
		return nil, err
	}
	p.made++
	p.arena.batches++
	return s, nil
}

// give brings a slot home.
func (p *program) give(s *slot) {
	p.free = append(p.free, s)
	p.releaseRetired()
	p.arena.batches--
	p.arena.releaseIdle()
}

// releaseRetired frees the slots of a retired program that are home.
func (p *program) releaseRetired() {
	if p.retired {
		for _, s := range p.free {
			s.release()
		}
		p.free = nil
	}
}
