package net

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
)

// room is where a network's batches run: recorded programs, and one arena for the activations of all of
// them. A batch takes a slot of its program at Begin and gives it back at its end.
//
// Where memory is short, what only waits to be used again is given up first: other programs' idle slots, and
// the arena that a larger one takes the place of. If that is not enough, Begin waits until batches in flight
// have ended, and others queue behind it. It fails only when nothing is in flight any more.
//
// Everything is guarded by the network's lock.
type room struct {
	arena    *activations // of all programs in the table; nil until the first
	programs map[BatchSpec]*program
	clock    int64
	out      int           // batches begun and not ended
	short    int           // callers of Begin that wait for memory
	wake     chan struct{} // closed and replaced when waiting callers should look again
	closed   bool
}

// mostPrograms is how many programs a network keeps recorded; the longest unused goes first.
const mostPrograms = 8

// activations is the arena in device memory. One that has been replaced by a larger one lives until
// the batches that were begun with it have ended: they may not have been submitted yet.
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

// Begin takes room for a batch. If all room of this kind is in flight, or memory is short, it waits for
// batches to end, or for ctx; while the device is paused, for gpu.Device.Resume. Who begins several batches before submitting them may wait for itself.
func (n *Network) Begin(ctx context.Context, spec BatchSpec) (*Batch, error) {
	r, err := n.recipe(ctx, spec)
	if err != nil {
		return nil, err
	}
	short := false
	defer func() {
		if short {
			n.mu.Lock()
			n.short--
			n.broadcast()
			n.mu.Unlock()
		}
	}()
	for {
		resumed := n.dev.Paused()
		b, wake, err := n.tryBegin(spec, r, resumed != nil, &short)
		if b != nil || err != nil {
			return b, err
		}
		select {
		case <-wake:
		case <-resumed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// recipe returns what a program of a kind is made from. It takes its time where kernels are new, and the
// lock is not held meanwhile.
func (n *Network) recipe(ctx context.Context, spec BatchSpec) (*recipe, error) {
	n.mu.Lock()
	p, closed := n.programs[spec], n.closed
	n.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case p != nil:
		return p.recipe, nil
	}
	plan, err := n.Plan(spec)
	if err != nil {
		return nil, err
	}
	pipelines, err := n.compile(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &recipe{plan, pipelines, spec.Profile}, nil
}

// tryBegin returns a batch if there is room, else a channel that is closed when there may be. short says
// that the caller waits for memory.
func (n *Network) tryBegin(spec BatchSpec, r *recipe, paused bool, short *bool) (*Batch, <-chan struct{}, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, nil, ErrClosed
	case paused, n.short > 0 && !*short:
		return nil, n.wake, nil
	}
	p, s, err := n.take(spec, r)
	if errors.Is(err, gpu.ErrOutOfMemory) && n.retireOthers(spec) {
		p, s, err = n.take(spec, r)
	}
	switch {
	case errors.Is(err, gpu.ErrOutOfMemory) && n.out > 0:
		if !*short {
			*short = true
			n.short++
		}
		return nil, n.wake, nil
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, n.wake, nil
	}
	p.arena.batches++
	n.out++
	return &Batch{program: p, slot: s}, nil, nil
}

// take returns a kind's program and a slot of it; nil if all of them are with batches.
func (n *Network) take(spec BatchSpec, r *recipe) (*program, *slot, error) {
	p, err := n.program(spec, r)
	if err != nil {
		return nil, nil, err
	}
	if last := len(p.free) - 1; last >= 0 {
		s := p.free[last]
		p.free = p.free[:last]
		return p, s, nil
	}
	if p.made == p.most {
		return p, nil, nil
	}
	s, err := p.record()
	if errors.Is(err, gpu.ErrOutOfMemory) && p.made > 0 {
		p.most = p.made // fewer in flight, rather than nothing kept of the others
		return p, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p.made++
	return p, s, nil
}

// program returns the program for a kind of batch.
func (n *Network) program(spec BatchSpec, r *recipe) (*program, error) {
	n.clock++
	if p, ok := n.programs[spec]; ok {
		p.used = n.clock
		return p, nil
	}
	if n.arena == nil || n.arena.buffer.Size() < r.plan.ArenaSize {
		n.retireAll()
		buffer, err := n.dev.NewBuffer(max(r.plan.ArenaSize, 1), gpu.DeviceLocal)
		if err != nil {
			return nil, fmt.Errorf("net: activations of a batch of %d at %dx%d: %w", spec.Images, spec.Width, spec.Height, err)
		}
		n.arena = &activations{buffer: buffer}
	}
	if len(n.programs) >= mostPrograms {
		oldest := spec
		for key, p := range n.programs {
			if q := n.programs[oldest]; q == nil || p.used < q.used {
				oldest = key
			}
		}
		n.retire(oldest)
	}
	p := &program{recipe: r, net: n, arena: n.arena, most: slots, used: n.clock}
	n.programs[spec] = p
	return p, nil
}

// retireAll takes all programs out of the table, and their arena away.
func (n *Network) retireAll() {
	for key := range n.programs {
		n.retire(key)
	}
	if n.arena != nil {
		n.arena.retire()
		n.arena = nil
	}
}

// Trim gives back the device's memory that only waits to be used again: recorded programs with their buffers, and the arena
// of activations. Batches in flight keep theirs until they end. The next batch of a kind allocates and records anew,
// and gives the same results.
func (n *Network) Trim() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retireAll()
	n.broadcast()
}

// retireOthers retires the programs of other kinds and says whether that has freed memory.
func (n *Network) retireOthers(spec BatchSpec) (freed bool) {
	for key, p := range n.programs {
		if key != spec {
			freed = freed || len(p.free) > 0
			n.retire(key)
		}
	}
	return freed
}

func (n *Network) retire(key BatchSpec) {
	p := n.programs[key]
	delete(n.programs, key)
	p.retired = true
	p.releaseRetired()
}

// giveBack ends a batch.
func (b *Batch) giveBack() {
	p, n := b.program, b.program.net
	n.mu.Lock()
	defer n.mu.Unlock()
	p.free = append(p.free, b.slot)
	p.releaseRetired()
	p.arena.batches--
	p.arena.releaseIdle()
	n.out--
	n.broadcast()
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

// broadcast wakes all that wait.
func (n *Network) broadcast() {
	close(n.wake)
	n.wake = make(chan struct{})
}
