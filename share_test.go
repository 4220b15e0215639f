package bitgpu

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The devices here are functions: time is that of a synctest bubble, and passes only when all wait.

// number is a picture whose result is itself.
type number int

func (number) put([]byte) int         { return 0 }
func (n number) mirrored(int) picture { return n }

// fake is a device that takes so long for a flight and counts what it does.
type fake struct {
	worker
	time time.Duration // of a flight; one is computed at a time, as on a device
	fail func(flight int) error
	turn chan struct{} // whoever is in it computes

	mu                     sync.Mutex
	flights, pictures, now int
	most                   int // in flight at once
}

func newFake(size, depth int, time time.Duration) *fake {
	d := &fake{time: time}
	d.worker = worker{size: size, depth: depth, run: d.compute}
	return d
}

func (d *fake) compute(ctx context.Context, pictures []picture) (*Output, error) {
	d.mu.Lock()
	flight := d.flights
	d.flights++
	d.pictures += len(pictures)
	d.now++
	d.most = max(d.most, d.now)
	if d.turn == nil {
		d.turn = make(chan struct{}, 1)
	}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.now--
	}()
	select {
	case d.turn <- struct{}{}:
		select {
		case <-time.After(d.time):
		case <-ctx.Done():
		}
		<-d.turn
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if d.fail != nil {
		if err := d.fail(flight); err != nil {
			return nil, err
		}
	}
	t := &Tensor{Shape: []int{len(pictures), 1}}
	for _, p := range pictures {
		t.Data = append(t.Data, float32(p.(number)))
	}
	return &Output{Logits: t}, nil
}

func workers(devices ...*fake) (all []*worker) {
	for _, d := range devices {
		all = append(all, &d.worker)
	}
	return all
}

var errPicture = errors.New("no picture")

// feed adds n jobs, each of which takes so long to decode, one after the other; bad ones have no picture.
func feed(s *sharing, n int, each time.Duration, bad func(i int) bool) {
	go func() {
		defer s.end()
		for i := range n {
			j := &job{input: Input{Name: fmt.Sprint(i)}}
			if !s.add(j) {
				return
			}
			time.Sleep(each)
			if bad != nil && bad(i) {
				s.settle(j, nil, errPicture)
			} else {
				s.settle(j, number(i), nil)
			}
		}
	}()
}

// collect takes all results and makes sure that they are in order and complete.
func collect(t *testing.T, s *sharing, n int, bad func(i int) bool) (failed []error) {
	t.Helper()
	i := 0
	for f := range s.arrivals() {
		for r := range f.results() {
			switch isBad := bad != nil && bad(i); {
			case r.Input.Name != fmt.Sprint(i):
				t.Fatalf("result %d is that of input %s", i, r.Input.Name)
			case isBad != errors.Is(r.Err, errPicture):
				t.Errorf("input %d: error %v", i, r.Err)
			case !isBad && r.Err != nil:
				failed = append(failed, r.Err)
			case !isBad && int(r.Output.Logits.Data[0]) != i:
				t.Errorf("input %d has the result of %v", i, r.Output.Logits.Data)
			}
			i++
		}
	}
	if i != n {
		t.Errorf("%d results of %d inputs", i, n)
	}
	return failed
}

// bubble runs a test in a synctest bubble and returns the time that passed there.
func bubble(t *testing.T, run func(t *testing.T)) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		run(t)
		took = time.Since(start)
	})
	return took
}

// TestShareKeepsTheOrder has devices of several speeds and batch sizes, and pictures that fail, at the start, the
// end and between.
func TestShareKeepsTheOrder(t *testing.T) {
	for _, bad := range []func(i int) bool{nil, func(i int) bool { return i < 20 || i%3 == 1 || i > 90 }, func(int) bool { return true }} {
		for _, n := range []int{0, 1, 7, 101} {
			bubble(t, func(t *testing.T) {
				a, b, c := newFake(4, 2, 10*time.Millisecond), newFake(1, 2, 3*time.Millisecond), newFake(3, 3, 50*time.Millisecond)
				s := share(t.Context(), workers(a, b, c), 8, 32, nil)
				defer s.close()
				feed(s, n, time.Millisecond, bad)
				if failed := collect(t, s, n, bad); failed != nil {
					t.Error(failed)
				}
			})
		}
	}
}

// TestDeviceNeverWaitsForDecode: where decoding keeps up, the device computes all the time, though decoding,
// computing and the consumer take turns at being slow, and though each batch is to be gathered first.
func TestDeviceNeverWaitsForDecode(t *testing.T) {
	const flights, size = 20, 4
	d := newFake(size, flightsAlone, 40*time.Millisecond)
	took := bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(d), size+2, 4*size, nil)
		defer s.close()
		feed(s, flights*size, 9*time.Millisecond, nil) // 36 ms for a batch
		i := 0
		for f := range s.arrivals() {
			if i++; i%2 == 0 { // who takes the results is away for longer than a batch takes
				time.Sleep(70 * time.Millisecond)
			}
			_ = f
		}
	})
	if d.most != flightsAlone {
		t.Errorf("%d batches in flight, want %d", d.most, flightsAlone)
	}
	// The first batch's decoding, then nothing but computing.
	if want := (36 + flights*40 + 70) * time.Millisecond; took > want {
		t.Errorf("took %v, want at most %v", took, want)
	}
}

// TestIdleDeviceGoesFirst: pictures that come one at a time are spread over the devices.
func TestIdleDeviceGoesFirst(t *testing.T) {
	a, b := newFake(1, 2, 10*time.Millisecond), newFake(1, 2, 10*time.Millisecond)
	bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(a, b), 4, 8, nil)
		defer s.close()
		feed(s, 40, 6*time.Millisecond, nil)
		collect(t, s, 40, nil)
	})
	if a.pictures != 20 || b.pictures != 20 || a.most != 1 || b.most != 1 {
		t.Errorf("%d and %d pictures, %d and %d at once", a.pictures, b.pictures, a.most, b.most)
	}
}

// TestSlowDeviceHoldsNobodyBack: the slow one costs the others at most the batch that it computes.
func TestSlowDeviceHoldsNobodyBack(t *testing.T) {
	const n = 1000
	fast, slow := newFake(4, 2, 4*time.Millisecond), newFake(4, 2, time.Second)
	took := bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(fast, slow), 10, 2000, nil)
		defer s.close()
		feed(s, n, 0, nil)
		collect(t, s, n, nil)
	})
	if want := 1100 * time.Millisecond; took > want {
		t.Errorf("took %v, want at most %v: 1 s alone, or one batch of the slow one", took, want)
	}
	if slow.flights > 3 || fast.pictures < n-8 {
		t.Errorf("the slow device had %d batches, the fast one %d pictures", slow.flights, fast.pictures)
	}
}

// TestWindowBoundsWhatWaits: behind a device that does not come back, the others stop at the window.
func TestWindowBoundsWhatWaits(t *testing.T) {
	const window = 50
	fast, stuck := newFake(2, 2, time.Millisecond), newFake(2, 2, time.Hour)
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := share(ctx, workers(stuck, fast), 10, window, nil)
		feed(s, 1_000_000, 0, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if fast.pictures > window || fast.pictures < window-8 {
			t.Errorf("%d pictures were computed, the window has %d", fast.pictures, window)
		}
		if s.held > window || len(s.jobs) > s.ahead {
			t.Errorf("%d pictures are held and %d wait", s.held, len(s.jobs))
		}
		cancel()
		if f := s.arrive(); f != nil {
			t.Error("a flight arrived after the end")
		}
		s.close()
	})
}

// TestFailedPicturesAreBounded: so do pictures that fail, when nobody takes the results.
func TestFailedPicturesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(newFake(2, 2, 0)), 10, 20, nil)
		feed(s, 1000, 0, func(int) bool { return true })
		synctest.Wait()
		if s.held > 20 {
			t.Errorf("%d are held", s.held)
		}
		collect(t, s, 1000, func(int) bool { return true })
		s.close()
	})
}

// TestNothingIsLost: whichever devices fail, and whenever, every picture is answered as long as one is left, and
// with the last one's error when none is.
func TestNothingIsLost(t *testing.T) {
	broken := errors.New("broken")
	after := func(n int) func(int) error {
		return func(flight int) error {
			if flight >= n {
				return fmt.Errorf("%w after %d", broken, n)
			}
			return nil
		}
	}
	for _, n := range []int{1, 60} {
		for a := range 4 {
			for b := range 4 {
				var heard atomic.Int32
				devices := []*fake{newFake(4, 2, 7*time.Millisecond), newFake(3, 2, 5*time.Millisecond), newFake(2, 2, 50*time.Millisecond)}
				for _, d := range devices {
					d.failed = func(err error) {
						if !errors.Is(err, broken) {
							t.Error(err)
						}
						heard.Add(1)
					}
				}
				devices[0].fail, devices[1].fail = after(a), after(b)
				bubble(t, func(t *testing.T) {
					s := share(t.Context(), workers(devices...), 10, 40, nil)
					defer s.close()
					feed(s, n, time.Millisecond, nil)
					if failed := collect(t, s, n, nil); failed != nil {
						t.Errorf("%d pictures, failures after %d and %d flights: %v", n, a, b, failed)
					}
				})
				if n == 60 && heard.Load() != 2 {
					t.Errorf("%d failures were told of", heard.Load())
				}
			}
		}
	}
	a, b := newFake(4, 2, time.Millisecond), newFake(4, 2, 2*time.Millisecond)
	a.fail, b.fail = after(2), after(1)
	bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(a, b), 10, 40, nil)
		defer s.close()
		feed(s, 60, time.Millisecond, nil)
		failed := collect(t, s, 60, nil)
		if len(failed) != 60-3*4 || !errors.Is(failed[0], broken) {
			t.Errorf("%d errors: %v", len(failed), failed)
		}
	})
	bubble(t, func(t *testing.T) {
		s := share(t.Context(), nil, 10, 40, broken)
		defer s.close()
		feed(s, 30, 0, func(i int) bool { return i%2 == 0 })
		if failed := collect(t, s, 30, func(i int) bool { return i%2 == 0 }); len(failed) != 15 {
			t.Errorf("without a device: %v", failed)
		}
	})
}

// TestShareEnds: closing ends all goroutines in the middle of everything.
func TestShareEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	bubble(t, func(t *testing.T) {
		a, b := newFake(2, 2, time.Second), newFake(2, 2, time.Second)
		s := share(t.Context(), workers(a, b), 6, 40, nil)
		feed(s, 1_000_000, time.Microsecond, nil)
		time.Sleep(time.Millisecond)
		s.close()
		if a.now+b.now != 0 {
			t.Error("devices are busy")
		}
	}) // which makes sure that none is left in it
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// TestPreload: jobs that are at hand need no settling.
func TestPreload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := share(t.Context(), workers(newFake(4, 2, time.Millisecond), newFake(3, 2, time.Millisecond)), 1, 8, nil)
		defer s.close()
		s.preload(slices.Values([]picture{number(0), number(1), number(2), number(3), number(4), number(5), number(6), number(7), number(8)}))
		var got []float32
		for f := range s.arrivals() {
			got = append(got, f.out.Logits.Data...)
		}
		if !slices.Equal(got, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8}) {
			t.Error(got)
		}
	})
}
