package gpu

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// still makes sure that jobs are not done and, after a slice that was on its way, no other begins.
func still(t *testing.T, h *host, jobs ...*Pending) {
	t.Helper()
	before := h.lock.n.Load()
	time.Sleep(200 * time.Millisecond)
	if more := h.lock.n.Load() - before; more > 1 {
		t.Errorf("%d slices began in a pause", more)
	}
	for _, p := range jobs {
		select {
		case <-p.Done():
			t.Error("a job ended in a pause")
		default:
		}
	}
}

// inSlices submits work to a host's device and returns when so many slices have begun.
func inSlices(t *testing.T, h *host, d *Device, slices int32, fences ...uintptr) *Pending {
	t.Helper()
	c, _ := slow(t, d)
	begun := h.lock.n.Load() + slices
	p, err := d.Submit(Job{Compute: c, Fences: fences})
	if err != nil {
		t.Fatal(err)
	}
	for h.lock.n.Load() < begun {
		time.Sleep(100 * time.Microsecond)
	}
	return p
}

func TestPause(t *testing.T) {
	h := newHost(t)
	d := open(t, Options{Host: h.options(), SliceBudget: time.Millisecond})
	if d.Paused() != nil {
		t.Error("paused from the beginning")
	}
	running := inSlices(t, h, d, 2)
	d.Pause()
	d.Pause()
	waiting, given := inSlices(t, h, d, 0), inSlices(t, h, d, 0)
	still(t, h, running, waiting)
	given.Cancel()
	resumed := d.Paused()
	d.Resume()
	<-resumed
	if d.Paused() != nil {
		t.Error("paused after Resume")
	}
	d.Resume()
	for _, p := range []*Pending{running, waiting} {
		if err := p.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := given.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
	// A job that is cancelled in its middle ends in the pause.
	running = inSlices(t, h, d, 2)
	d.Pause()
	still(t, h, running)
	running.Cancel()
	if err := running.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
}

// TestEndInPause: neither Abort nor a Close waits for jobs in a pause, nor is the host left waiting for them.
func TestEndInPause(t *testing.T) {
	for name, end := range map[string]func(*Device){
		"abort":               (*Device).Abort,
		"pause, close":        func(d *Device) { d.Pause(); d.Close() },
		"pause, abort, pause": func(d *Device) { d.Pause(); d.Abort(); d.Abort(); d.Pause() },
	} {
		h := newHost(t)
		d := open(t, Options{Host: h.options(), SliceBudget: time.Millisecond})
		var fences [2]vk.Fence
		for i := range fences {
			var err error
			if fences[i], err = h.device.NewFence(); err != nil {
				t.Fatal(err)
			}
			defer h.device.DestroyFence(fences[i])
		}
		running := inSlices(t, h, d, 2, vk.Address(fences[0]))
		waiting := inSlices(t, h, d, 0, vk.Address(fences[1]))
		end(d)
		for i, p := range []*Pending{running, waiting} {
			if err := p.Wait(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
			if err := h.device.WaitFence(fences[i]); err != nil {
				t.Error(err)
			}
		}
		c := &Commands{dev: d}
		if _, err := d.Submit(Job{Compute: c}); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: submitted afterwards: %v, want ErrClosed", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPauseWithoutSlices: Submit is not held back, and Close ends a pause.
func TestPauseWithoutSlices(t *testing.T) {
	d := open(t, Options{})
	d.Pause()
	if d.Paused() == nil {
		t.Error("not paused")
	}
	works(t, d)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
