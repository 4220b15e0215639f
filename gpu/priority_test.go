package gpu

import (
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// TestRestsBetweenSlices: after each slice the queue is left alone for at least as long as the slice took.
func TestRestsBetweenSlices(t *testing.T) {
	h := newHost(t)
	d := open(t, Options{Host: h.options(), SliceBudget: 2 * time.Millisecond, LowPriority: true})
	c, _ := slow(t, d)
	other, _ := slow(t, d)
	var mu sync.Mutex
	var begun, ended []time.Time
	d.vk.Fault(func(call string) (ok vk.Result) {
		mu.Lock()
		defer mu.Unlock()
		switch call {
		case "vkQueueSubmit":
			begun = append(begun, time.Now())
		case "vkResetFences": // when it has been waited for
			ended = append(ended, time.Now())
		}
		return ok
	})
	defer d.vk.Fault(nil)
	var jobs []*Pending
	for _, c := range []*Commands{c, other} {
		p, err := d.Submit(Job{Compute: c})
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, p)
	}
	for _, p := range jobs {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(begun) < 8 || len(ended) < len(begun)-1 {
		t.Fatalf("%d slices, %d ended", len(begun), len(ended))
	}
	for i := range len(begun) - 1 {
		if took, rest := ended[i].Sub(begun[i]), begun[i+1].Sub(ended[i]); rest < took {
			t.Errorf("slice %d took %v, the rest after it %v", i, took, rest)
		}
	}
}

// TestLowPriorityWorks: the work is the same, on a device with queues of low priority and on a host's, which then works
// in slices; a job that is all copies is none of these.
func TestLowPriorityWorks(t *testing.T) {
	h := newHost(t)
	for _, o := range []Options{{LowPriority: true, Validation: true}, {LowPriority: true, Host: h.options()}, {LowPriority: true, shareQueue: true}} {
		d := open(t, o)
		works(t, d)
		a, b := newBuffer(t, d, 64, Upload), newBuffer(t, d, 64, Readback)
		for range 3 {
			run(t, d, Job{Readback: record(t, d, func(r *Recorder) { r.Copy(b.All(), a.All()) })})
		}
		if want := o.Host != nil || d.info.Type != CPU; want && d.slice != lowSlice {
			t.Errorf("%+v: slices of %v", o, d.slice)
		}
	}
}
