package gpu

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Job is work for one Submit. Any part may be nil.
//
// Jobs run in the order of the Submit calls, and the parts of a job in the order upload, compute, readback.
// Where the device has a transfer queue, an upload or readback that only copies and fills, and has no steps, runs beside
// the other jobs, unless it uses memory that one of them uses too, and one of both writes it.
//
// A job on a host's device may wait for the host's semaphores before its first part, and signal others, and
// fences, after its last one: then nothing of it, and nothing submitted before it, is running any more. A job without parts
// only does that. What is waited for must be signalled by work that has been submitted. After an error of Submit nothing
// has been waited for or signalled; after one of Wait the signals are sent all the same, unless the device is lost.
type Job struct {
	Upload, Compute, Readback *Commands

	Wait, Signal []Semaphore
	Fences       []uintptr // VkFences, unsignalled
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
	if d.hold.over() {
		return nil, ErrClosed
	}
	p := &Pending{dev: d, job: j, sent: make(chan struct{}), done: make(chan struct{}), cancelled: make(chan struct{})}
	for _, c := range []*Commands{j.Upload, j.Compute, j.Readback} {
		if c != nil {
			p.parts = append(p.parts, c)
		}
	}
	var err error
	if p.host, err = d.hostSync(j); err != nil {
		return nil, err
	}
	if len(p.parts) == 0 {
		err := d.wait(&p.host)
		if err == nil {
			err = d.signal(&p.host)
		}
		close(p.sent)
		close(p.done)
		return p, d.noted(err)
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
	if d.slice > 0 {
		d.pace(p)
		d.mu.Unlock()
		return p, nil
	}
	groups := d.plan(j)
	d.mu.Unlock()
	if err = d.wait(&p.host); err == nil {
		err = d.sendAll(p, groups)
	}
	if err != nil {
		err = d.noted(err)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.settle(p, false)
		return nil, err
	}
	close(p.sent)
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

// sendAll gives the groups to their queues, and what the host waits for after them. When it fails, nothing of them is
// running any more.
func (d *Device) sendAll(p *Pending, groups []group) error {
	if err := d.send(groups, p.fence); err != nil {
		_ = d.signal(&p.host) // or the host waits for ever; err is the reason
		return err
	}
	if err := d.signal(&p.host); err != nil {
		return errors.Join(err, d.quiesce(groups, 1))
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
	waits, last := d.semaphores(g)
	submissions := g.submissions()
	l.lock.Lock()
	defer l.lock.Unlock()
	for i, buffers := range submissions {
		var signal vk.TimelinePoint
		var f vk.Fence
		if i == len(submissions)-1 {
			f, signal = fence, last
		}
		if err := d.vk.Submit(l.queue, buffers, waits, signal, f); err != nil {
			return i, err
		}
		waits = nil
	}
	return len(submissions), nil
}

// semaphores are what a group waits for, and what it moves when it is done.
func (d *Device) semaphores(g group) (waits []vk.TimelinePoint, signal vk.TimelinePoint) {
	for other, value := range g.waits {
		if value > 0 {
			waits = append(waits, vk.TimelinePoint{Semaphore: d.lanes[other].timeline, Value: value})
		}
	}
	if g.signal > 0 {
		signal = vk.TimelinePoint{Semaphore: d.lanes[g.lane].timeline, Value: g.signal}
	}
	return waits, signal
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
