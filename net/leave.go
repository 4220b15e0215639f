package net

import (
	"context"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
)

// results lists what a plan gives, in the order of Output.
func (p *Plan) results() (all []*Result, shapes [][]int) {
	add := func(r *Result, spatial bool) {
		if r == nil {
			return
		}
		shape := []int{p.Batch, r.Shape.C}
		if spatial {
			shape = append(shape, r.Shape.H, r.Shape.W)
		}
		all, shapes = append(all, r), append(shapes, shape)
	}
	add(p.Logits, false)
	add(p.Embedding, false)
	add(p.Unpooled, true)
	for _, m := range p.Maps {
		add(m, true)
	}
	return all, shapes
}

// ResultShape is the shape of the only result that batches of a kind give: float32 in row-major order,
// images first.
func (n *Network) ResultShape(s BatchSpec) ([]int, error) {
	plan, err := n.Plan(s)
	if err != nil {
		return nil, err
	}
	results, shapes := plan.results()
	if len(results) != 1 {
		return nil, fmt.Errorf("net: %d results, want one", len(results))
	}
	return shapes[0], nil
}

// Leave submits a batch whose only result (Network.ResultShape) stays on the device: it is copied to dst,
// and then the job signals what after says. It takes the place of Submit and Wait; the batch's room comes
// back when the device is done. After an error the batch is over too.
func (b *Batch) Leave(dst gpu.Range, after gpu.Job, owner *uint32) (*gpu.Pending, error) {
	pending, err := b.leave(dst, after, owner)
	if b.pending == nil {
		b.giveBack()
		return nil, err
	}
	last := b.pending
	if pending != nil {
		last = pending
	}
	go func(b Batch) {
		_ = last.Wait(context.Background()) // whoever waits for pending is told
		b.giveBack()
	}(*b)
	return pending, err
}

// leave sets b.pending when the batch has been submitted.
func (b *Batch) leave(dst gpu.Range, after gpu.Job, owner *uint32) (*gpu.Pending, error) {
	plan, dev := b.program.plan, b.program.net.dev
	results, shapes := plan.results()
	if len(results) != 1 {
		return nil, fmt.Errorf("net: %d results, want one", len(results))
	}
	r, each := results[0], product(shapes[0][1:])*4
	if want := int64(plan.Batch) * each; dst.Size != want {
		return nil, fmt.Errorf("net: %d bytes for results of %d", dst.Size, want)
	}
	rec := dev.NewRecorder()
	if owner != nil {
		rec.Acquire(dst, *owner)
	}
	for i := range int64(plan.Batch) {
		rec.Copy(dst.Buffer.Slice(dst.Offset+i*each, each), b.slot.output.Slice(r.Offset+i*int64(r.Stride)*4, each))
	}
	if owner != nil {
		rec.Release(dst, *owner)
	}
	var err error
	if after.Compute, err = rec.End(); err != nil {
		return nil, fmt.Errorf("net: results: %w", err)
	}
	defer after.Compute.Release()
	job := b.slot.job
	job.Readback = nil
	if b.pending, err = dev.Submit(job); err != nil {
		b.pending = nil
		return nil, b.failed(err)
	}
	pending, err := dev.Submit(after)
	if err != nil {
		return nil, fmt.Errorf("net: results: %w", err)
	}
	return pending, nil
}
