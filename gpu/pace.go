package gpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// This file owns the submission of jobs in slices (Options.SliceBudget): one after the other, each when the one before it is
// done, so that whoever shares the queue gets in between.
//
// Invariants: one goroutine paces, and only while there are jobs. A job that waits here is in flight for everybody else. A
// job is not begun before the last one is done, so none of them conflict.

// errCancelled is the error of a job that was given up between two slices.
var errCancelled = fmt.Errorf("gpu: cancelled: %w", context.Canceled)

// pace queues a job that has been claimed; d.mu is held.
func (d *Device) pace(p *Pending) {
	d.work.Add(1)
	d.paced = append(d.paced, p)
	if !d.pacing {
		d.pacing = true
		go d.paceAll()
	}
}

func (d *Device) paceAll() {
	for {
		d.mu.Lock()
		if len(d.paced) == 0 {
			d.pacing = false
			d.mu.Unlock()
			return
		}
		p := d.paced[0]
		d.paced = d.paced[1:]
		d.mu.Unlock()
		groups, err := d.sendSlices(p)
		close(p.sent)
		if err == nil {
			d.track(p, groups)
			<-p.done
			if !p.last.IsZero() {
				d.rest(time.Since(p.last))
			}
		} else {
			err = d.noted(err)
			d.mu.Lock()
			d.settle(p, false)
			d.mu.Unlock()
			p.err = err
			close(p.done)
		}
		d.work.Done()
	}
}

// sendSlices gives a job to the device, but for the last slice waiting for each. When it fails, nothing of the job is running any more.
func (d *Device) sendSlices(p *Pending) (groups []group, err error) {
	err = d.prepare(p)
	if failure := d.wait(&p.host); failure != nil {
		return nil, errors.Join(err, failure)
	}
	if err == nil {
		d.mu.Lock()
		groups = d.plan(p.job)
		d.mu.Unlock()
		err = d.sendPieces(p, groups)
	}
	// Whatever became of the job, the host must not wait for ever.
	if failure := d.signal(&p.host); err == nil && failure != nil {
		err = errors.Join(failure, d.quiesce(groups, 1))
	}
	return groups, err
}

// prepare has a job's commands in the best pieces, if it is still to run.
func (d *Device) prepare(p *Pending) error {
	if err := d.pass(p); err != nil {
		return err
	}
	if d.lost.Load() {
		return ErrDeviceLost
	}
	for _, c := range p.parts {
		if err := c.recut(); err != nil {
			return err
		}
	}
	return nil
}

// sendPieces gives the groups to their queues. When it fails, nothing of them is running any more.
func (d *Device) sendPieces(p *Pending, groups []group) error {
	sent := 0
	for i, g := range groups {
		var fence vk.Fence
		if i == len(groups)-1 {
			fence = p.fence
		}
		send := d.sendGroup
		if g.lane == computeLane {
			send = p.sendPaced
		}
		n, err := send(g, fence)
		sent += n
		switch {
		case (errors.Is(err, errCancelled) || errors.Is(err, ErrClosed)) && n > 0:
			// Its last slice has been waited for, and so has what that waited for.
			return err
		case err != nil:
			return errors.Join(err, d.quiesce(groups[:i+1], sent))
		}
	}
	return nil
}

// sendPaced sends a group of the compute lane in slices.
func (p *Pending) sendPaced(g group, fence vk.Fence) (sent int, err error) {
	d := p.dev
	queue := newSliceQueue(d, g)
	waits, signal := d.semaphores(g)
	l := &d.lanes[computeLane]
	for !queue.empty() {
		if err := d.pass(p); err != nil {
			return sent, err
		}
		buffers := queue.next(sliceShare * float64(d.slice))
		var point vk.TimelinePoint
		var mine vk.Fence
		f := fence
		if queue.empty() {
			point = signal
		} else {
			if mine, err = d.takeFence(); err != nil {
				return sent, err
			}
			f = mine
		}
		start := time.Now()
		p.last = start
		l.lock.Lock()
		err = d.vk.Submit(l.queue, buffers, waits, point, f)
		l.lock.Unlock()
		if err == nil {
			sent++
			if mine != nil {
				err = d.waitSlice(mine)
			}
		}
		if err != nil {
			d.mu.Lock()
			if mine != nil {
				d.stale = append(d.stale, mine)
			}
			d.mu.Unlock()
			return sent, err
		}
		waits = nil
		if mine != nil {
			took := time.Since(start)
			queue.took(took)
			d.rest(took)
		}
	}
	p.elapsed = queue.elapsed
	return sent, nil
}

// waitSlice waits for a slice and gives its fence back.
func (d *Device) waitSlice(fence vk.Fence) error {
	if err := d.vk.WaitFence(fence); err != nil {
		return err
	}
	if err := d.vk.ResetFence(fence); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fences = append(d.fences, fence)
	return nil
}

// learnAll takes the times of a job that has ended well.
func (d *Device) learnAll(p *Pending) error {
	if p.elapsed == nil {
		return nil
	}
	for _, c := range p.parts {
		if elapsed := p.elapsed[c]; elapsed != nil {
			if err := d.learn(c, elapsed); err != nil {
				return err
			}
		}
	}
	return nil
}

// sliceQueue is the pieces of a group on their way.
type sliceQueue struct {
	buffers  []vk.CommandBuffer
	pieces   []*piece
	measured []bool
	owners   []*Commands
	at, last int     // the next piece, and the first of the slice before it
	scale    float64 // how much longer than estimated, of pieces that have never been measured
	elapsed  map[*Commands][]float64
}

func newSliceQueue(d *Device, g group) *sliceQueue {
	q := &sliceQueue{scale: 1, elapsed: map[*Commands][]float64{}}
	for _, c := range g.parts {
		e := &c.encoded[computeLane]
		for i := range e.pieces {
			q.buffers = append(q.buffers, e.segments[i])
			q.pieces = append(q.pieces, &e.pieces[i])
			q.measured = append(q.measured, e.measured)
			q.owners = append(q.owners, c)
		}
		q.elapsed[c] = make([]float64, 0, len(e.pieces))
	}
	return q
}

func (q *sliceQueue) empty() bool { return q.at == len(q.buffers) }

// estimate is how long piece i may take, in ns.
func (q *sliceQueue) estimate(i int) float64 {
	if q.measured[i] {
		return q.pieces[i].estimate
	}
	return q.pieces[i].estimate * q.scale
}

// next takes the pieces of the next slice: at least one, else what fits into most ns and has all its pipelines compiled.
func (q *sliceQueue) next(most float64) []vk.CommandBuffer {
	q.last = q.at
	sum := 0.0
	for ; q.at < len(q.buffers); q.at++ {
		sum += q.estimate(q.at)
		if q.at > q.last && (sum > most || q.pieces[q.at].fresh || q.pieces[q.at-1].fresh) {
			break
		}
	}
	if q.empty() { // never to be waited for here
		q.share(0)
	}
	return q.buffers[q.last:q.at]
}

// took hears how long the slice took by the host's clock.
func (q *sliceQueue) took(t time.Duration) {
	sum, new := 0.0, true
	for i := q.last; i < q.at; i++ {
		sum += q.pieces[i].estimate
		new = new && !q.measured[i] && !q.pieces[i].fresh
	}
	if new && sum > 0 {
		const least, most = 1.0 / 64, 8
		now := min(max(float64(t)/sum, least), most)
		q.scale = max(now, (q.scale+now)/2)
	}
	q.share(float64(t))
}

// share divides the time of a slice among its pieces.
func (q *sliceQueue) share(t float64) {
	sum := 0.0
	for i := q.last; i < q.at; i++ {
		sum += q.pieces[i].estimate
	}
	for i := q.last; i < q.at; i++ {
		c, each := q.owners[i], q.pieces[i].estimate
		if t > 0 && sum > 0 {
			each *= t / sum
		}
		q.elapsed[c] = append(q.elapsed[c], each)
	}
}

// Cancel gives a job up. On a device with a SliceBudget what has not begun of it is left out, and Wait returns an error that
// wraps context.Canceled; what is in its buffers then is undefined. Elsewhere, and once the job's last slice has begun, it
// does nothing.
func (p *Pending) Cancel() { p.cancel.Do(func() { close(p.cancelled) }) }
