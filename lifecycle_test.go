package bitgpu_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
)

// TestTrim: memory comes back, also beside running calls, and the answers stay the same to the bit.
func TestTrim(t *testing.T) {
	for _, o := range []bitgpu.Options{{}, {Preprocessor: bitgpu.PreprocessGPU}} {
		m := demo(t, o)
		img, x := open(photo), noise(3, 96, 64)
		run := func() []float32 {
			v, err := m.Embed(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Forward(t.Context(), x, logits)
			if err != nil {
				t.Fatal(err)
			}
			return append(v, out.Logits.Data...)
		}
		used := func() int64 { return m.Memory()[0].Used }
		least := used()
		want := run()
		most := used()
		m.Trim()
		if now := used(); most <= least || now > least {
			t.Errorf("%v: %d bytes when opened, %d in use, %d after Trim", o.Preprocessor, least, most, now)
		}
		if got := run(); !slices.Equal(got, want) {
			t.Errorf("%v: other answers after Trim", o.Preprocessor)
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					m.Trim()
				}
			}
		}()
		for range 10 {
			if got := run(); !slices.Equal(got, want) {
				t.Errorf("%v: other answers beside Trim", o.Preprocessor)
			}
		}
		close(stop)
		<-stopped
		if m.Trim(); used() > least {
			t.Errorf("%v: %d bytes in the end", o.Preprocessor, used())
		}
		m.Close()
		if m.Trim(); used() != 0 {
			t.Error("a closed model uses memory")
		}
	}
}

// idle makes sure that a call has no answer yet.
func idle(t *testing.T, c <-chan bitgpu.Result) {
	t.Helper()
	select {
	case r := <-c:
		t.Fatalf("answered while paused: %v", r.Err)
	case <-time.After(50 * time.Millisecond):
	}
}

// TestPause: calls wait, end with their ctx, and go on. A batch in slices stops in its middle.
func TestPause(t *testing.T) {
	for _, slice := range []time.Duration{0, time.Millisecond} {
		m := demo(t, bitgpu.Options{SliceBudget: slice})
		want, err := m.Embed(t.Context(), open(photo))
		if err != nil {
			t.Fatal(err)
		}
		m.Pause()
		m.Pause() // once is enough
		m.Trim()
		ctx, cancel := context.WithCancel(t.Context())
		leaving, staying := m.Go(ctx, bitgpu.Input{Path: photo}, logits), m.Go(t.Context(), bitgpu.Input{Path: photo}, bitgpu.Outputs{Embedding: true})
		idle(t, leaving)
		idle(t, staying)
		cancel()
		if r := <-leaving; !errors.Is(r.Err, context.Canceled) {
			t.Errorf("%v: cancelled while paused: %v", slice, r.Err)
		}
		idle(t, staying)
		m.Resume()
		if r := <-staying; r.Err != nil || !slices.Equal(r.Output.Embedding.Data, want) {
			t.Errorf("%v: another answer after the pause, error %v", slice, r.Err)
		}
		m.Resume()
	}
}

// large runs a picture that takes a while, in a goroutine.
func large(ctx context.Context, m *bitgpu.Model) <-chan bitgpu.Result {
	c := make(chan bitgpu.Result, 1)
	go func() {
		out, err := m.Forward(ctx, noise(1, 320, 320), logits)
		c <- bitgpu.Result{Output: out, Err: err}
	}()
	return c
}

// submissions counts those to a host's queue.
type submissions struct {
	sync.Locker
	n atomic.Int64
}

func (s *submissions) Lock() {
	s.Locker.Lock()
	s.n.Add(1)
}

// wait waits for so many more.
func (s *submissions) wait(more int64) {
	for end := s.n.Load() + more; s.n.Load() < end; {
		time.Sleep(100 * time.Microsecond)
	}
}

// counted opens the demo network on a host's device, whose submissions are counted.
func counted(t *testing.T, o bitgpu.Options) (*bitgpu.Model, *submissions) {
	t.Helper()
	h := gputest.NewHost(t)
	s := &submissions{Locker: &h.Lock}
	o.Host, o.CacheDir = h.Options(), "none"
	o.Host.QueueLock = s
	m, err := bitgpu.Open(t.Context(), bitgpu.Demo, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, s
}

// TestPauseInSlices stops a batch in its middle, where its ctx still ends it.
func TestPauseInSlices(t *testing.T) {
	m, sent := counted(t, bitgpu.Options{SliceBudget: time.Millisecond})
	want := <-large(t.Context(), m)
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		c := large(ctx, m)
		sent.wait(3)
		m.Pause()
		before := sent.n.Load()
		time.Sleep(200 * time.Millisecond)
		if more := sent.n.Load() - before; more > 1 { // one may have been on its way
			t.Errorf("%d slices began in a pause", more)
		}
		idle(t, c)
		if cancelled {
			cancel()
			if r := <-c; !errors.Is(r.Err, context.Canceled) {
				t.Errorf("cancelled while paused: %v", r.Err)
			}
			m.Resume()
			c = large(t.Context(), m)
		}
		m.Resume()
		if r := <-c; r.Err != nil || !slices.Equal(r.Output.Logits.Data, want.Output.Logits.Data) {
			t.Errorf("another answer after a pause, error %v", r.Err)
		}
		cancel()
	}
}

// TestCloseInFlight: a call whose batch the device has is answered by Close, and given up by Abort and by Close in a pause
// if it is in slices; what has not begun ends with ErrClosed in any case.
func TestCloseInFlight(t *testing.T) {
	for _, slice := range []time.Duration{0, time.Millisecond} {
		for name, end := range map[string]func(m *bitgpu.Model) error{
			"Close": (*bitgpu.Model).Close,
			"Abort": (*bitgpu.Model).Abort,
			"Pause, Close": func(m *bitgpu.Model) error {
				m.Pause()
				return m.Close()
			},
			"Close, Abort": func(m *bitgpu.Model) error {
				closed := make(chan error)
				go func() { closed <- m.Close() }()
				time.Sleep(5 * time.Millisecond)
				return errors.Join(m.Abort(), <-closed)
			},
		} {
			m, sent := counted(t, bitgpu.Options{SliceBudget: slice})
			c := large(t.Context(), m)
			sent.wait(1)
			if err := end(m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r := <-c
			switch {
			case name == "Close" || slice == 0:
				if r.Err != nil {
					t.Errorf("%v, %s: %v", slice, name, r.Err)
				}
			case !errors.Is(r.Err, bitgpu.ErrClosed):
				t.Errorf("%v, %s: %v, want ErrClosed", slice, name, r.Err)
			}
			m.Pause() // of a closed model: nothing
			m.Resume()
			if _, err := m.Embed(t.Context(), open(photo)); !errors.Is(err, bitgpu.ErrClosed) {
				t.Errorf("%v, %s: afterwards %v, want ErrClosed", slice, name, err)
			}
			for r := range m.Stream(t.Context(), slices.Values([]bitgpu.Input{{Path: photo}, {Path: photo}}), logits) {
				if !errors.Is(r.Err, bitgpu.ErrClosed) {
					t.Errorf("a stream afterwards: %v, want ErrClosed", r.Err)
				}
			}
		}
	}
}
