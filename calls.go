package bitgpu

// This file owns calls that nobody waits for.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrBusy is wrapped by the error of Go when too many calls are waiting.
var ErrBusy = errors.New("too many calls are waiting")

// mostCalls bounds the calls that wait.
const mostCalls = 1024

// Go begins to run a picture and returns at once: it waits for no file, no device and no other call. The channel that it
// returns gets the Result, which nobody need take, and is closed.
//
// Calls of Go begin in order, a few at a time; a picture that takes longer to read may be overtaken. When ctx ends, the
// answer is its error, at once; when the model is closed, that of calls that have not begun wraps ErrClosed. At most
// 1024 calls wait, then ErrBusy is the answer. Input.Open is called from another goroutine. For many pictures there is Stream.
func (m *Model) Go(ctx context.Context, in Input, want Outputs) <-chan Result {
	c := &call{ctx: ctx, in: in, want: want, result: make(chan Result, 1)}
	if m.calls.add(c, flightsAlone*len(m.engines)) {
		go m.serve()
	}
	return c.result
}

// serve runs calls until none waits.
func (m *Model) serve() {
	held := new(waiting)
	for c := m.calls.next(); c != nil; c = m.calls.next() {
		var out *Output
		p, err := m.decode(c.ctx, c.in, held)
		if err == nil {
			out, err = m.single(c.ctx, p, m.pictures(1, c.want))
		}
		m.calls.answer(c, out, err)
	}
}

// calls are those of Go that have not begun, in order.
//
// Invariants: goroutines that run calls are there only while there are any. Every call is answered once, by the
// goroutine that runs it, or at the end of its ctx, or by close.
type calls struct {
	mu      sync.Mutex
	waiting []*call
	running int // goroutines
	closed  bool
}

type call struct {
	ctx    context.Context
	in     Input
	want   Outputs
	result chan Result // has room for the answer

	stop     func() bool // ends the watch over ctx
	answered bool        // guarded by calls.mu
}

// add queues a call, or answers it. It returns whether a further goroutine should run calls, of at most most.
func (q *calls) add(c *call, most int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case c.ctx.Err() != nil:
		q.end(c, nil, fmt.Errorf("bitgpu: %w", c.ctx.Err()))
		return false
	case q.closed:
		q.end(c, nil, fmt.Errorf("bitgpu: %w", ErrClosed))
		return false
	case len(q.waiting) == mostCalls:
		q.end(c, nil, fmt.Errorf("bitgpu: %w: %d of them", ErrBusy, mostCalls))
		return false
	}
	c.stop = context.AfterFunc(c.ctx, func() { q.cancelled(c) })
	q.waiting = append(q.waiting, c)
	if q.running == most {
		return false
	}
	q.running++
	return true
}

// next takes the first call that waits; nil ends the goroutine.
func (q *calls) next() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running--
		return nil
	}
	c := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return c
}

func (q *calls) answer(c *call, out *Output, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(c, out, err)
}

// cancelled answers a call whose ctx has ended. Whoever is running it ends too.
func (q *calls) cancelled(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *call) bool { return w == c })
	q.end(c, nil, fmt.Errorf("bitgpu: %w", c.ctx.Err()))
}

// close answers all calls that wait, and all later ones.
func (q *calls) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, c := range q.waiting {
		q.end(c, nil, fmt.Errorf("bitgpu: %w", ErrClosed))
	}
	q.waiting = nil
}

// end answers a call unless it has been; q.mu is held.
func (q *calls) end(c *call, out *Output, err error) {
	if c.answered {
		return
	}
	c.answered = true
	if c.stop != nil {
		c.stop()
	}
	c.result <- Result{Input: c.in, Output: out, Err: err}
	close(c.result)
}
