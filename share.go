package bitgpu

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
)

// sharing brings a sequence of pictures through one or several devices: jobs, in the order of the inputs, are
// gathered to flights, of which each device takes the next whenever it is free, and flights come out in order.
//
// What holds:
//   - A device has at most depth flights, so that it need not wait for the host between two of them. Of several
//     that could take a flight the one with the fewest gets it.
//   - Nothing is lost: the flights of a device that fails are taken by the others. When none is left, every job
//     is answered with the last one's error.
//   - At the end an idle device takes over what a slower one has not come to: nobody waits for more than the
//     flight that a device is computing.
//   - Memory is bounded: at most ahead jobs, but for those of preload, wait to be taken, and at most window, or one flight, to be answered.
type sharing struct {
	ctx     context.Context
	cancel  context.CancelFunc
	ahead   int
	window  int
	running sync.WaitGroup // goroutines of the workers

	mu         sync.Mutex
	change     *sync.Cond // anything below
	jobs       []*job     // not taken yet, in order
	ended      bool       // there will be no more jobs
	flights    []*flight  // taken and not answered, in order
	held       int        // jobs in flights
	unfinished int        // flights that are neither computed nor given up
	again      []*flight  // whose device has failed
	workers    []*worker
	err        error // why no worker is left
}

// job is one picture on its way; picture and err are valid when it is settled.
type job struct {
	input   Input
	picture picture
	err     error
	settled bool
}

// flight is a run of consecutive jobs. The pictures are those of the jobs without an error, in order, and so
// are the rows of out.
type flight struct {
	jobs     []*job
	pictures []picture
	worker   *worker // whose it is
	runs     int     // workers that compute it
	rescued  bool    // another worker has begun to compute it too
	finished bool    // out or err is there
	out      *Output
	err      error // the answer to all jobs that have none of their own
}

// worker is a device as a sharing sees it.
type worker struct {
	size   int // of its flights
	depth  int
	run    func(ctx context.Context, pictures []picture) (*Output, error)
	failed func(error) // hears why others have to do its work; may be nil

	flying int
	err    error
}

// share starts the workers. The caller adds jobs, ends them, takes what arrives and closes the sharing. err
// says why there are no workers, if there are none.
func share(ctx context.Context, workers []*worker, ahead, window int, err error) *sharing {
	s := &sharing{ahead: ahead, window: window, workers: workers}
	s.change = sync.NewCond(&s.mu)
	if len(workers) == 0 {
		s.err = err
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	context.AfterFunc(s.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.change.Broadcast()
	})
	for _, w := range workers {
		for range w.depth {
			s.running.Go(func() { s.serve(w) })
		}
	}
	return s
}

// close gives up what has not arrived. No picture is read any more after it.
func (s *sharing) close() {
	s.cancel()
	s.running.Wait()
}

// add appends a job, when there is room. It returns false if the sharing has ended.
func (s *sharing) add(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.jobs) >= s.ahead && s.ctx.Err() == nil {
		s.change.Wait()
	}
	s.jobs = append(s.jobs, j)
	s.change.Broadcast()
	return s.ctx.Err() == nil
}

// preload adds jobs for pictures that are at hand, and ends them.
func (s *sharing) preload(pictures iter.Seq[picture]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range pictures {
		s.jobs = append(s.jobs, &job{picture: p, settled: true})
	}
	s.ended = true
	s.change.Broadcast()
}

// end says that there are no more jobs.
func (s *sharing) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.change.Broadcast()
}

// settle completes a job.
func (s *sharing) settle(j *job, p picture, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.picture, j.err, j.settled = p, err, true
	s.change.Broadcast()
}

// arrivals yields flights in order as they are finished: computed, or with an error. It ends with the jobs, or
// with the sharing.
func (s *sharing) arrivals() iter.Seq[*flight] {
	return func(yield func(*flight) bool) {
		for f := s.arrive(); f != nil; f = s.arrive() {
			if !yield(f) {
				return
			}
		}
	}
}

func (s *sharing) arrive() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; s.ctx.Err() == nil; s.change.Wait() {
		s.passErrors()
		if s.err != nil {
			s.giveUp()
		}
		if len(s.flights) > 0 && s.flights[0].finished {
			f := s.flights[0]
			s.flights = s.flights[1:]
			s.held -= len(f.jobs)
			s.change.Broadcast()
			return f
		}
		if s.ended && len(s.jobs)+len(s.flights) == 0 {
			return nil
		}
	}
	return nil
}

// passErrors makes a finished flight of the next jobs if they have no picture.
func (s *sharing) passErrors() {
	n := 0
	for n < len(s.jobs) && s.jobs[n].settled && s.jobs[n].err != nil && (s.held+n == 0 || s.held+n < s.window) {
		n++
	}
	if n > 0 {
		s.depart(n).finish(s, nil, nil)
	}
}

// giveUp answers what no worker will.
func (s *sharing) giveUp() {
	if len(s.flights) == 0 && len(s.jobs) > 0 && s.jobs[0].settled {
		s.depart(1)
	}
	if len(s.flights) > 0 && !s.flights[0].finished {
		s.flights[0].finish(s, nil, s.err)
	}
}

// serve is a goroutine of a worker: it holds one of its flights at a time.
func (s *sharing) serve(w *worker) {
	for {
		f, pictures := s.take(w)
		if f == nil {
			return
		}
		out, err := w.run(s.ctx, pictures)
		s.landed(w, f, out, err)
	}
}

// take waits for work.
func (s *sharing) take(w *worker) (*flight, []picture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; ; s.change.Wait() {
		s.passErrors()
		if s.ctx.Err() != nil || w.err != nil || s.ended && len(s.jobs)+s.unfinished == 0 {
			return nil, nil
		}
		if f := s.next(w); f != nil {
			w.flying++
			f.runs++
			s.change.Broadcast()
			return f, f.pictures
		}
	}
}

// next is the flight that a worker should compute now; nil if there is none.
func (s *sharing) next(w *worker) *flight {
	if len(s.again) > 0 {
		f := s.again[0]
		s.again = s.again[1:]
		f.worker = w
		return f
	}
	idler := func(o *worker) bool { return o.err == nil && o.flying < w.flying && s.gathered(o.size) > 0 }
	if n := s.gathered(w.size); n > 0 && !slices.ContainsFunc(s.workers, idler) {
		f := s.depart(n)
		f.worker = w
		return f
	}
	if s.ended && len(s.jobs) == 0 && w.flying == 0 {
		return s.rescue(w)
	}
	return nil
}

// gathered returns how many jobs make a flight of size pictures, or the last one of fewer; 0 if they are not
// settled yet, or too many wait to be answered.
func (s *sharing) gathered(size int) int {
	n := 0
	for pictures := 0; n < len(s.jobs) && s.jobs[n].settled && pictures < size; n++ {
		if s.jobs[n].err == nil {
			pictures++
		}
		if pictures == size || s.ended && n == len(s.jobs)-1 {
			if n++; s.held > 0 && s.held+n > s.window {
				return 0
			}
			return n
		}
	}
	return 0
}

// depart makes a flight of the next n jobs.
func (s *sharing) depart(n int) *flight {
	f := &flight{jobs: slices.Clone(s.jobs[:n])}
	s.jobs = slices.Delete(s.jobs, 0, n)
	for _, j := range f.jobs {
		if j.err == nil {
			f.pictures = append(f.pictures, j.picture)
			j.picture = nil
		}
	}
	s.flights = append(s.flights, f)
	s.held += n
	s.unfinished++
	s.change.Broadcast()
	return f
}

// rescue finds a flight that waits for another worker to end an earlier one.
func (s *sharing) rescue(w *worker) *flight {
	var computing []*worker
	for _, f := range s.flights {
		switch {
		case f.finished || f.worker == w:
		case !slices.Contains(computing, f.worker):
			computing = append(computing, f.worker)
		case !f.rescued:
			f.rescued = true
			return f
		}
	}
	return nil
}

// landed takes the result of a flight.
func (s *sharing) landed(w *worker, f *flight, out *Output, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.flying--
	f.runs--
	switch {
	case err == nil:
		f.finish(s, out, nil)
	case s.ctx.Err() == nil:
		s.fail(w, err)
		if !f.finished && f.runs == 0 {
			s.again = append(s.again, f)
			slices.SortFunc(s.again, func(a, b *flight) int {
				return cmp.Compare(slices.Index(s.flights, a), slices.Index(s.flights, b))
			})
		}
	}
	s.change.Broadcast()
}

// fail takes a worker out of service.
func (s *sharing) fail(w *worker, err error) {
	if w.err != nil {
		return
	}
	w.err = err
	switch left := slices.ContainsFunc(s.workers, func(o *worker) bool { return o.err == nil }); {
	case !left:
		s.err = err
	case w.failed != nil:
		w.failed(err)
	}
}

// finish sets the result of a flight, unless it has one.
func (f *flight) finish(s *sharing, out *Output, err error) {
	if f.finished {
		return
	}
	f.out, f.err, f.finished, f.pictures = out, err, true, nil
	s.unfinished--
}
