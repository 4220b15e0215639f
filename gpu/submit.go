package gpu

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Job is work for one Submit. Any part may be nil.
//
// Jobs run in the order of the Submit calls, and the parts of a job in the order upload, compute, readback.
// Where the device has a transfer queue, an upload or readback that only copies and fills, and has no steps, runs beside
// the other jobs, unless it uses memory that one of them uses too, and one of both writes it.
type Job struct {
	Upload, Compute, Readback *Commands
}

// Pending is a submitted job.
type Pending struct {
	dev   *Device
	parts []*Commands
	fence vk.Fence
	done  chan struct{}
	err   error // valid when done is closed
}

// Submit gives a job to the device and returns at once. Commands that are in flight cannot be submitted again,
// nor released ones, nor such as use released buffers. Safe for many goroutines.
//
// After a *ValidationError the job may be running all the same; Close waits for it.
func (d *Device) Submit(j Job) (*Pending, error) {
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	p, err := d.submit(j)
	if err != nil {
		return nil, fmt.Errorf("gpu: submit: %w", err)
	}
	if err := d.messages(); err != nil {
		return nil, err
	}
	return p, nil
}

func (d *Device) submit(j Job) (*Pending, error) {
	d.order.Lock()
	defer d.order.Unlock()
	p := &Pending{dev: d, done: make(chan struct{})}
	for _, c := range []*Commands{j.Upload, j.Compute, j.Readback} {
		if c != nil {
			p.parts = append(p.parts, c)
		}
	}
	if len(p.parts) == 0 {
		close(p.done)
		return p, nil
	}
	fence, err := d.takeFence()
	if err != nil {
		return nil, d.noted(err)
	}
	p.fence = fence
	d.mu.Lock()
	if err := d.claim(p.parts); err != nil {
		d.fences = append(d.fences, fence)
		d.mu.Unlock()
		return nil, err
	}
	groups := d.plan(j)
	d.mu.Unlock()
	if err := d.send(groups, fence); err != nil {
		err = d.noted(err)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.settle(p, false)
		return nil, err
	}
	d.track(p, groups)
	return p, nil
}

// takeFence returns an unsignalled fence.
func (d *Device) takeFence() (vk.Fence, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.fences); n > 0 {
		f := d.fences[n-1]
		d.fences = d.fences[:n-1]
		return f, nil
	}
	return d.vk.NewFence()
}

// claim marks commands and their buffers as in flight, or says why they cannot be; d.mu is held.
func (d *Device) claim(parts []*Commands) error {
	for i, c := range parts {
		switch {
		case c.dev != d:
			return errors.New("the commands are another device's")
		case c.released:
			return errors.New("the commands have been released")
		case c.inFlight:
			return errors.New("the commands are still in flight")
		}
		for _, other := range parts[:i] {
			if other == c {
				return errors.New("the same commands twice in one job")
			}
		}
		for _, b := range c.buffers {
			if b.released {
				return fmt.Errorf("the commands use a released %v buffer of %s", b.usage, mib(b.size))
			}
		}
	}
	for _, c := range parts {
		c.inFlight, c.done = true, false
		for _, b := range c.buffers {
			b.uses++
		}
	}
	return nil
}

// send gives the groups to their queues; fence is signalled when the last one is done. When it fails, nothing
// of them is running any more.
func (d *Device) send(groups []group, fence vk.Fence) error {
	sent := 0
	for i, g := range groups {
		var signalled vk.Fence
		if i == len(groups)-1 {
			signalled = fence
		}
		n, err := d.sendGroup(g, signalled)
		sent += n
		if err != nil {
			return errors.Join(err, d.quiesce(groups[:i+1], sent))
		}
	}
	return nil
}

// sendGroup gives one group to its queue, in as many submissions as its cuts ask for. It returns how many
// the queue has taken.
func (d *Device) sendGroup(g group, fence vk.Fence) (sent int, err error) {
	l := &d.lanes[g.lane]
	var waits []vk.TimelinePoint
	for other, value := range g.waits {
		if value > 0 {
			waits = append(waits, vk.TimelinePoint{Semaphore: d.lanes[other].timeline, Value: value})
		}
	}
	submissions := g.submissions()
	l.lock.Lock()
	defer l.lock.Unlock()
	for i, buffers := range submissions {
		var signal vk.TimelinePoint
		var f vk.Fence
		if i == len(submissions)-1 {
			f = fence
			if g.signal > 0 {
				signal = vk.TimelinePoint{Semaphore: l.timeline, Value: g.signal}
			}
		}
		if err := d.vk.Submit(l.queue, buffers, waits, signal, f); err != nil {
			return i, err
		}
		waits = nil
	}
	return len(submissions), nil
}

// quiesce waits until the queues of the groups are idle, if they were given anything.
func (d *Device) quiesce(groups []group, sent int) error {
	if sent == 0 || d.lost.Load() {
		return nil
	}
	for _, g := range groups {
		l := &d.lanes[g.lane]
		l.lock.Lock()
		err := d.vk.QueueWaitIdle(l.queue)
		l.lock.Unlock()
		if err != nil {
			d.lost.Store(true)
			return err
		}
	}
	return nil
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

// Done returns a channel that is closed when the job is done.
func (p *Pending) Done() <-chan struct{} { return p.done }

// lane is a queue as the scheduler sees it.
type lane struct {
	used     bool
	family   uint32
	queue    vk.Queue
	lock     sync.Locker  // held while the queue is used
	timeline vk.Semaphore // counts the groups done, if there is more than one lane

	// Guarded by Device.mu.
	point   uint64     // the last value that the timeline was asked to reach
	live    []livePart // what may still be running
	jobs    []*Pending // that end on this lane, oldest first
	watched bool       // a goroutine waits for the first of them
}
