package gpu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Pending is a submitted job.
type Pending struct {
	dev   *Device
	job   Job
	parts []*Commands
	host  hostSync
	fence vk.Fence
	sent  chan struct{} // closed when the queue has been given all of it, or it is given up
	done  chan struct{}
	err   error // valid when done is closed

	cancelled chan struct{} // closed by Cancel
	cancel    sync.Once
	elapsed   map[*Commands][]float64 // of a job in slices: what each piece took by the host's clock, in ns
	last      time.Time               // when its last slice began, if it had any
}

// track hands a running job over to the goroutine that waits for its lane.
func (d *Device) track(p *Pending, groups []group) {
	d.work.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range groups {
		if g.signal > 0 {
			for _, c := range g.parts {
				d.lanes[g.lane].live = append(d.lanes[g.lane].live, livePart{c, g.signal, p})
			}
		}
	}
	l := &d.lanes[groups[len(groups)-1].lane]
	l.jobs = append(l.jobs, p)
	if !l.watched {
		l.watched = true
		go d.watch(l)
	}
}

// watch waits for the jobs that end on a lane, one after the other, until there is none.
func (d *Device) watch(l *lane) {
	for {
		d.mu.Lock()
		if len(l.jobs) == 0 {
			l.watched = false
			d.mu.Unlock()
			return
		}
		p := l.jobs[0]
		d.mu.Unlock()
		err := d.vk.WaitFence(p.fence)
		if err == nil {
			err = d.invalidate(p)
		}
		if err == nil {
			err = d.learnAll(p)
		}
		if err = d.noted(err); err != nil && !errors.Is(err, ErrDeviceLost) {
			// Nobody can tell any more what the device is doing.
			d.lost.Store(true)
			err = fmt.Errorf("%w: %w", ErrDeviceLost, err)
		}
		d.mu.Lock()
		l.jobs = l.jobs[1:]
		d.settle(p, err == nil)
		d.mu.Unlock()
		p.err = err
		close(p.done)
		d.work.Done()
	}
}

// invalidate makes what a finished job wrote visible to the host, where memory is not coherent.
func (d *Device) invalidate(p *Pending) error {
	for _, c := range p.parts {
		for _, b := range c.readback {
			if err := d.vk.Invalidate(b.memory); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle ends a job's use of its commands and buffers, and destroys what was released meanwhile; d.mu is held.
// Nothing of a lost device is destroyed before Close.
func (d *Device) settle(p *Pending, done bool) {
	for i := range d.lanes {
		d.lanes[i].forget(p)
	}
	lost := d.lost.Load()
	for _, c := range p.parts {
		c.inFlight, c.done = false, done
		for _, b := range c.buffers {
			b.uses--
			if b.released && b.uses == 0 && !lost {
				b.destroy()
			}
		}
		if c.released && !lost {
			c.destroy()
		}
	}
	switch {
	case lost:
		d.stale = append(d.stale, p.fence)
	case !done:
		d.fences = append(d.fences, p.fence)
	default:
		if err := d.vk.ResetFence(p.fence); err != nil {
			d.stale = append(d.stale, p.fence)
			return
		}
		d.fences = append(d.fences, p.fence)
	}
}

// Wait returns when the job is done: nil, or ErrDeviceLost, or a *ValidationError. When ctx ends first it
// returns ctx's error, and the job runs on. It may be called often and from many goroutines.
func (p *Pending) Wait(ctx context.Context) error {
	select {
	case <-p.done:
	default:
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("gpu: wait: %w", ctx.Err())
		}
	}
	if p.err != nil {
		return fmt.Errorf("gpu: wait: %w", p.err)
	}
	return p.dev.messages()
}

// Sent returns a channel that is closed when the queue has been given all of the job, and so a host may wait for what it
// signals; at once but on a device with a SliceBudget.
func (p *Pending) Sent() <-chan struct{} { return p.sent }

// Done returns a channel that is closed when the job is done.
func (p *Pending) Done() <-chan struct{} { return p.done }
