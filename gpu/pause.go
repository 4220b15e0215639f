package gpu

import (
	"sync"
	"time"
)

// hold is what holds back slices that have not begun.
type hold struct {
	mu      sync.Mutex
	resumed chan struct{} // closed by Resume; nil but while paused
	aborted chan struct{} // closed by Abort, and by Close while paused
	closed  bool          // no pause any more
}

// Pause has no slice of a job begin until Resume, on a device with a SliceBudget; the slice that is running ends. On other
// devices the queue has all of a job from Submit on: there it is for those who submit to look at Paused before. It
// returns at once. Of a device that is being closed it does nothing.
func (d *Device) Pause() {
	d.hold.mu.Lock()
	defer d.hold.mu.Unlock()
	if !d.hold.closed && d.hold.resumed == nil {
		d.hold.resumed = make(chan struct{})
	}
}

// Resume ends a pause. It returns at once.
func (d *Device) Resume() {
	d.hold.mu.Lock()
	defer d.hold.mu.Unlock()
	if d.hold.resumed != nil {
		close(d.hold.resumed)
		d.hold.resumed = nil
	}
}

// Paused returns a channel that the next Resume closes; nil if the device is not paused.
func (d *Device) Paused() <-chan struct{} {
	d.hold.mu.Lock()
	defer d.hold.mu.Unlock()
	return d.hold.resumed
}

// Abort ends all jobs in slices (SliceBudget) before their next slice: their Wait returns ErrClosed, as Submit does from
// now on. Jobs on other devices are with the queue, and run to their end. It returns at once, and may be called before Close,
// or while Close waits.
func (d *Device) Abort() {
	d.hold.mu.Lock()
	defer d.hold.mu.Unlock()
	d.hold.closed = true
	d.hold.abort()
}

func (h *hold) abort() {
	select {
	case <-h.aborted:
	default:
		close(h.aborted)
	}
}

// close ends a pause for good: what it holds back is aborted.
func (h *hold) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.resumed != nil {
		h.abort()
	}
}

// over says whether there has been an Abort.
func (h *hold) over() bool {
	select {
	case <-h.aborted:
		return true
	default:
		return false
	}
}

// pass returns when a job's next slice may begin: nil, or why it never will, errCancelled or ErrClosed.
func (d *Device) pass(p *Pending) error {
	if left := time.Until(d.rested); left > 0 {
		rest := time.NewTimer(left)
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-p.cancelled:
		case <-d.hold.aborted:
		}
	}
	for {
		resumed := d.Paused()
		select {
		case <-p.cancelled:
			return errCancelled
		case <-d.hold.aborted:
			return ErrClosed
		default:
		}
		if resumed == nil {
			return nil
		}
		select {
		case <-resumed:
		case <-p.cancelled:
		case <-d.hold.aborted:
		}
	}
}
