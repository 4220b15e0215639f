package bitgpu

// This file owns opening a model beside other work, and what is told of its progress.

import (
	"context"
	"sync"

	"github.com/bitgpu/bitgpu/loader/hub"
)

// Opening is a model on its way, from OpenAsync. Its methods may be called from many goroutines, and but for Model
// return at once.
type Opening struct {
	done  chan struct{}
	model *Model
	err   error

	mu       sync.Mutex
	progress Progress
}

// Progress is how far an Opening is.
type Progress struct {
	Phase Phase
	Done  int64 // bytes in PhaseFetch, parameters in PhaseWeights, else 0
	Total int64 // that Done ends at; 0 or less if it is not known
}

// Phase is what is being done to open a model. A phase that there is no need for is left out.
type Phase uint8

const (
	PhaseFind    Phase = iota // looking for the weights on this machine, and at what they are
	PhaseFetch                // fetching them
	PhaseDevice               // opening the devices
	PhaseWeights              // bringing the weights onto them; kernels are compiled meanwhile
	PhaseEnd                  // open, or failed
)

// String is one word for the phase.
func (p Phase) String() string {
	return [...]string{"find", "fetch", "device", "weights", "end"}[min(p, PhaseEnd)]
}

// OpenAsync is Open in a goroutine of its own. It returns at once: nothing of the caller's thread touches a file or a
// device. Options.Progress and Options.Fetching are called from other goroutines, as with Open.
//
// If ctx ends, so does the opening, when what it has opened is closed again; a call of a driver that has begun, such as
// the compiling of a kernel, is waited for. After it ctx does not matter.
func OpenAsync(ctx context.Context, name string, o Options) *Opening {
	a := &Opening{done: make(chan struct{})}
	loading, fetching := o.Progress, o.Fetching
	o.phase = func(p Phase) { a.set(Progress{Phase: p}) }
	o.Progress = func(done, total int64) {
		a.set(Progress{PhaseWeights, done, total})
		if loading != nil {
			loading(done, total)
		}
	}
	o.Fetching = func(p hub.Progress) {
		a.set(Progress{PhaseFetch, p.Done, p.Total})
		if fetching != nil {
			fetching(p)
		}
	}
	go func() {
		defer close(a.done)
		a.model, a.err = Open(ctx, name, o)
		a.set(Progress{Phase: PhaseEnd})
	}()
	return a
}

func (a *Opening) set(p Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress = p
}

// Progress tells how far it is.
func (a *Opening) Progress() Progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.progress
}

// Done returns a channel that is closed at the end.
func (a *Opening) Done() <-chan struct{} { return a.done }

// Model waits for the end and returns what Open does. The model is the caller's to close.
func (a *Opening) Model() (*Model, error) {
	<-a.done
	return a.model, a.err
}

// progress adds up what several devices have loaded.
type progress struct {
	tell func(done, total int64)

	mu   sync.Mutex
	done []int64
}

func newProgress(tell func(done, total int64), devices int) *progress {
	return &progress{tell: tell, done: make([]int64, devices)}
}

// of returns what the ith device reports to; nil if nobody listens.
func (p *progress) of(i int) func(done, total int64) {
	if p.tell == nil {
		return nil
	}
	return func(done, total int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done[i] = done
		var sum int64
		for _, n := range p.done {
			sum += n
		}
		p.tell(sum, total*int64(len(p.done)))
	}
}
