package gpu

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// slow records so much work that it is still running when Submit returns.
func slow(t *testing.T, d *Device) (*Commands, *Buffer) {
	const n = 1 << 20
	p, x := newPipeline(t, d, inplaceKernel()), newBuffer(t, d, 4*n, DeviceLocal)
	return record(t, d, func(r *Recorder) {
		r.Fill(x.All(), 0)
		for range 30 {
			r.Dispatch(p, groupsOf64(n), push(n, 1, 1), x.All())
		}
	}), x
}

func TestCloseWithWorkInFlight(t *testing.T) {
	for _, share := range []bool{false, true} {
		d := open(t, Options{shareQueue: share})
		c, x := slow(t, d)
		down := newBuffer(t, d, 4096, Readback)
		pending, err := d.Submit(Job{Compute: c, Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), x.Slice(0, 4096)) })})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-pending.Done():
		default:
			t.Error("closed before the work was done")
		}
		if err := pending.Wait(t.Context()); err != nil {
			t.Errorf("Wait after Close: %v", err)
		}
	}
}

func TestAfterClose(t *testing.T) {
	d := open(t, Options{})
	k := affineKernel()
	b, c := newBuffer(t, d, 64, Upload), record(t, d, func(*Recorder) {})
	newPipeline(t, d, k)
	a := d.NewArena(1024)
	if _, err := a.Alloc(8); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.Release()
	c.Release()
	a.Release()
	if b.Bytes() != nil {
		t.Error("a buffer is still mapped")
	}
	_, buffer := d.NewBuffer(64, Upload)
	_, pipeline := d.NewPipeline(k)
	_, commands := d.NewRecorder().End()
	_, submit := d.Submit(Job{Compute: c})
	_, times := c.Times()
	_, adopt := d.AdoptBuffer(1, 1)
	for i, err := range []error{buffer, pipeline, commands, submit, times, adopt} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d: %v, want ErrClosed", i, err)
		}
	}
	if d.Memory() != (MemoryUse{}) {
		t.Error("a closed device has memory")
	}
	var none *Device
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestWaitCancelled(t *testing.T) {
	d := open(t, Options{})
	c, _ := slow(t, d)
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := pending.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	if _, err := d.Submit(Job{Compute: c}); err == nil {
		t.Error("commands in flight were submitted again")
	}
	if _, err := c.Times(); err == nil {
		t.Error("times of commands in flight")
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := pending.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := pending.Wait(ctx); err != nil {
		t.Errorf("a job that is done, with a context that has ended: %v", err)
	}
	run(t, d, Job{Compute: c})
}

func TestSubmitErrors(t *testing.T) {
	d, other := open(t, Options{}), open(t, Options{})
	c, theirs := record(t, d, func(*Recorder) {}), record(t, other, func(*Recorder) {})
	run(t, d, Job{})
	if _, err := d.Submit(Job{Compute: theirs}); err == nil {
		t.Error("another device's commands were submitted")
	}
	if _, err := d.Submit(Job{Upload: c, Readback: c}); err == nil {
		t.Error("the same commands were submitted twice in one job")
	}
	run(t, d, Job{Readback: c})
}

// What one job leaves on the device the next one finds, whoever submits it.
func TestJobsAreOrdered(t *testing.T) {
	const n, jobs = 4096, 30
	for _, share := range []bool{false, true} {
		d := open(t, Options{shareQueue: share})
		p := newPipeline(t, d, inplaceKernel())
		x, down := newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, Readback)
		run(t, d, Job{Upload: record(t, d, func(r *Recorder) { r.Fill(x.All(), 1) })})
		want := uint32(1)
		for i := range uint32(jobs) {
			c := record(t, d, func(r *Recorder) { r.Dispatch(p, groupsOf64(n), push(n, 3, i), x.All()) })
			if _, err := d.Submit(Job{Compute: c}); err != nil {
				t.Fatal(err)
			}
			c.Release()
			want = want*3 + i
		}
		run(t, d, Job{Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), x.All()) })})
		for i, v := range words(down) {
			if v != want {
				t.Fatalf("share %v: x[%d] = %d, want %d", share, i, v, want)
			}
		}
	}
}

func TestValidationMessagesAreErrors(t *testing.T) {
	d, err := Open(Options{Validation: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.messages(); err != nil {
		t.Fatal(err)
	}
	provoke := func() {
		b, err := d.vk.NewBuffer(0, nil, false) // VUID-VkBufferCreateInfo-size-00912
		if err == nil {
			d.vk.DestroyBuffer(b)
		}
	}
	k := affineKernel()
	newPipeline(t, d, k)
	b := newBuffer(t, d, 64, Upload)
	c := record(t, d, func(r *Recorder) { r.Fill(b.All(), 0) })
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	if err := pending.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"NewBuffer":   func() error { _, err := d.NewBuffer(64, Upload); return err },
		"NewPipeline": func() error { _, err := d.NewPipeline(k); return err },
		"End":         func() error { _, err := d.NewRecorder().End(); return err },
		"Submit":      func() error { _, err := d.Submit(Job{}); return err },
		"Wait":        func() error { return pending.Wait(t.Context()) },
	} {
		provoke()
		var invalid *ValidationError
		if err := call(); !errors.As(err, &invalid) || len(invalid.Messages) == 0 {
			t.Errorf("%s: %v, want a ValidationError", name, err)
		}
		if err := call(); err != nil {
			t.Errorf("%s: the message came twice: %v", name, err)
		}
	}
	provoke()
	var invalid *ValidationError
	if err := d.Close(); !errors.As(err, &invalid) {
		t.Errorf("Close: %v, want a ValidationError", err)
	}
}
