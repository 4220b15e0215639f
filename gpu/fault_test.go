package gpu

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// failOnce makes the nth call of a name fail, counted from 0.
func failOnce(d *Device, call string, nth int32, r vk.Result) {
	var n atomic.Int32
	d.vk.Fault(func(name string) vk.Result {
		if name == call && n.Add(1) == nth+1 {
			return r
		}
		return vk.Success
	})
}

// works runs a small job and checks its result.
func works(t *testing.T, d *Device) {
	t.Helper()
	const n = 256
	p := newPipeline(t, d, affineKernel())
	x, y := newBuffer(t, d, 4*n, Upload), newBuffer(t, d, 4*n, Readback)
	putWords(x, func(i int) uint32 { return uint32(i) })
	run(t, d, Job{Compute: record(t, d, func(r *Recorder) { r.Dispatch(p, groupsOf64(n), push(n, 2, 1), x.All(), y.All()) })})
	for i, v := range words(y) {
		if v != 2*uint32(i)+1 {
			t.Fatalf("y[%d] = %d", i, v)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(t, Options{})
	for _, test := range []struct {
		call   string
		result vk.Result
	}{
		{"vkCreateBuffer", vk.OutOfHostMemory},
		{"vkAllocateMemory", vk.OutOfDeviceMemory},
		{"vkAllocateMemory", vk.TooManyObjects},
		{"vkBindBufferMemory", vk.OutOfDeviceMemory},
		{"vkMapMemory", vk.MemoryMapFailed},
	} {
		failOnce(d, test.call, 0, test.result)
		_, err := d.NewBuffer(4096, Upload)
		if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), test.result.Error()) {
			t.Errorf("%s: %v, want ErrOutOfMemory with %v", test.call, err, test.result)
		}
	}
	if m := d.Memory(); m.Used != 0 || d.allocs != 0 || len(d.buffers) != 0 {
		t.Errorf("%d bytes, %d allocations and %d buffers after failures", m.Used, d.allocs, len(d.buffers))
	}
	for _, call := range []string{"vkCreatePipelineLayout", "vkCreateComputePipelines"} {
		failOnce(d, call, 0, vk.OutOfDeviceMemory)
		if _, err := d.NewPipeline(affineKernel()); !errors.Is(err, ErrOutOfMemory) {
			t.Errorf("%s: %v, want ErrOutOfMemory", call, err)
		}
	}
	d.vk.Fault(nil)
	works(t, d)
}

func TestOutOfMemoryWhileRecording(t *testing.T) {
	d := open(t, Options{})
	p, x := newPipeline(t, d, inplaceKernel()), newBuffer(t, d, 256, DeviceLocal)
	for _, call := range []string{
		"vkCreateCommandPool", "vkCreateDescriptorPool", "vkCreateQueryPool", "vkAllocateCommandBuffers",
		"vkBeginCommandBuffer", "vkAllocateDescriptorSets", "vkEndCommandBuffer",
	} {
		failOnce(d, call, 0, vk.OutOfHostMemory)
		r := d.NewRecorder()
		r.Step("all")
		r.Dispatch(p, [3]uint32{1, 1, 1}, push(1, 1, 1), x.All())
		if _, err := r.End(); !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), call) {
			t.Errorf("%s: %v, want ErrOutOfMemory", call, err)
		}
		if len(d.commands) != 0 {
			t.Errorf("%s: commands are left", call)
		}
	}
	d.vk.Fault(nil)
	works(t, d)
}

// A submission that fails between the parts of a job leaves nothing running and can be made again.
func TestOutOfMemoryWhileSubmitting(t *testing.T) {
	for _, share := range []bool{false, true} {
		d := open(t, Options{shareQueue: share})
		p := newPipeline(t, d, inplaceKernel())
		x, up, down := newBuffer(t, d, 256, DeviceLocal), newBuffer(t, d, 256, Upload), newBuffer(t, d, 256, Readback)
		putWords(up, func(i int) uint32 { return uint32(i) })
		job := Job{
			Upload: record(t, d, func(r *Recorder) { r.Copy(x.All(), up.All()) }),
			Compute: record(t, d, func(r *Recorder) {
				r.Dispatch(p, [3]uint32{1, 1, 1}, push(64, 1, 1), x.All())
				r.Cut()
				r.Dispatch(p, [3]uint32{1, 1, 1}, push(64, 1, 1), x.All())
			}),
			Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), x.All()) }),
		}
		submissions := int32(2)
		if share {
			submissions = 4
		}
		for nth := range submissions {
			failOnce(d, "vkQueueSubmit", nth, vk.OutOfDeviceMemory)
			if _, err := d.Submit(job); !errors.Is(err, ErrOutOfMemory) || errors.Is(err, ErrDeviceLost) {
				t.Errorf("share %v, submission %d: %v, want ErrOutOfMemory", share, nth, err)
			}
		}
		d.vk.Fault(nil)
		run(t, d, job)
		for i, v := range words(down) {
			if v != uint32(i)+2 {
				t.Fatalf("share %v: x[%d] = %d", share, i, v)
			}
		}
	}
}

// When the device cannot even be waited for after a submission that failed halfway, it is lost.
func TestDeviceLostWhileSubmitting(t *testing.T) {
	d := open(t, Options{})
	x := newBuffer(t, d, 256, DeviceLocal)
	c := record(t, d, func(r *Recorder) {
		r.Fill(x.All(), 1)
		r.Cut()
		r.Fill(x.All(), 2)
	})
	var submissions atomic.Int32
	d.vk.Fault(func(call string) vk.Result {
		switch {
		case call == "vkQueueSubmit" && submissions.Add(1) == 2:
			return vk.OutOfHostMemory
		case call == "vkQueueWaitIdle":
			return vk.DeviceLost
		}
		return vk.Success
	})
	if _, err := d.Submit(Job{Compute: c}); !errors.Is(err, ErrDeviceLost) {
		t.Errorf("%v, want ErrDeviceLost", err)
	}
	if _, err := d.Submit(Job{Compute: c}); !errors.Is(err, ErrDeviceLost) {
		t.Errorf("again: %v, want ErrDeviceLost", err)
	}
}

func TestDeviceLost(t *testing.T) {
	for _, call := range []string{"vkQueueSubmit", "vkWaitForFences"} {
		d := open(t, Options{})
		p := newPipeline(t, d, inplaceKernel())
		x := newBuffer(t, d, 1<<20, DeviceLocal)
		fill := record(t, d, func(r *Recorder) { r.Fill(x.All(), 1) })
		c := record(t, d, func(r *Recorder) {
			for range 20 {
				r.Dispatch(p, groupsOf64(1<<18), push(1<<18, 1, 1), x.All())
			}
		})
		failOnce(d, call, 0, vk.DeviceLost)
		pending, err := d.Submit(Job{Upload: fill, Compute: c})
		if err == nil {
			err = pending.Wait(t.Context())
			if again := pending.Wait(t.Context()); !errors.Is(again, ErrDeviceLost) {
				t.Errorf("%s: second Wait: %v", call, again)
			}
		}
		if !errors.Is(err, ErrDeviceLost) || !strings.Contains(err.Error(), call) {
			t.Fatalf("%s: %v, want ErrDeviceLost", call, err)
		}
		c.Release()
		x.Release()
		if _, err := d.NewBuffer(64, Upload); !errors.Is(err, ErrDeviceLost) {
			t.Errorf("%s: NewBuffer: %v", call, err)
		}
		if _, err := d.NewPipeline(affineKernel()); !errors.Is(err, ErrDeviceLost) {
			t.Errorf("%s: NewPipeline: %v", call, err)
		}
		if _, err := d.NewRecorder().End(); !errors.Is(err, ErrDeviceLost) {
			t.Errorf("%s: End: %v", call, err)
		}
		if _, err := d.Submit(Job{Compute: fill}); !errors.Is(err, ErrDeviceLost) {
			t.Errorf("%s: Submit: %v", call, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: Close: %v", call, err)
		}
		works(t, open(t, Options{}))
	}
}

func TestOpenFails(t *testing.T) {
	// Open cleans up after itself whichever of its steps fails: the layer would complain about objects left.
	if _, err := Open(Options{Validation: true, Device: "none of these"}); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
	var invalid *ValidationError
	if _, err := Open(Options{Validation: true, Device: "none of these"}); errors.As(err, &invalid) {
		t.Error(err)
	}
}
