package gpu

import (
	"sync/atomic"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

func TestUploadComputeReadback(t *testing.T) {
	const n = 1000
	for _, share := range []bool{false, true} {
		d := open(t, Options{shareQueue: share})
		up, down := newBuffer(t, d, 4*n, Upload), newBuffer(t, d, 4*n, Readback)
		x, y := newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, DeviceLocal)
		p := newPipeline(t, d, affineKernel())
		job := Job{
			Upload:   record(t, d, func(r *Recorder) { r.Copy(x.All(), up.All()) }),
			Compute:  record(t, d, func(r *Recorder) { r.Dispatch(p, groupsOf64(n), push(n, 3, 7), x.All(), y.All()) }),
			Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), y.All()) }),
		}
		for run1 := range uint32(3) {
			putWords(up, func(i int) uint32 { return uint32(i) + run1 })
			run(t, d, job)
			for i, v := range words(down) {
				if want := 3*(uint32(i)+run1) + 7; v != want {
					t.Fatalf("share %v, run %d: y[%d] = %d, want %d", share, run1, i, v, want)
				}
			}
		}
	}
}

// Memory that is not coherent is invalidated once a job has written it, and only then.
func TestReadbackIsInvalidated(t *testing.T) {
	d := open(t, Options{})
	x, down := newBuffer(t, d, 64, Upload), newBuffer(t, d, 64, Readback)
	x.coherent, down.coherent = false, false
	var invalidated atomic.Int32
	d.vk.Fault(func(call string) vk.Result {
		if call == "vkInvalidateMappedMemoryRanges" {
			invalidated.Add(1)
		}
		return vk.Success
	})
	reads := record(t, d, func(r *Recorder) { r.Copy(newBuffer(t, d, 64, DeviceLocal).All(), x.All()) })
	writes := record(t, d, func(r *Recorder) { r.Copy(down.All(), x.All()) })
	if reads.toHost || !writes.toHost {
		t.Error("a barrier to the host stands where the host cannot see what is written, or not where it can")
	}
	run(t, d, Job{Upload: reads})
	if n := invalidated.Load(); n != 0 {
		t.Errorf("%d invalidations after a job that writes nothing for the host", n)
	}
	run(t, d, Job{Readback: writes})
	if n := invalidated.Load(); n != 1 {
		t.Errorf("%d invalidations, want 1", n)
	}
}

// Jobs of several frames, each with its own buffers around one shared arena, as a pipeline of batches has them.
func TestFramesInFlight(t *testing.T) {
	const n, frames, rounds = 2048, 3, 8
	for _, share := range []bool{false, true} {
		d := open(t, Options{shareQueue: share})
		p := newPipeline(t, d, affineKernel())
		arena := newBuffer(t, d, 4*n, DeviceLocal)
		var ups, downs [frames]*Buffer
		var jobs [frames]Job
		var pending [frames]*Pending
		for f := range jobs {
			up, down := newBuffer(t, d, 4*n, Upload), newBuffer(t, d, 4*n, Readback)
			in, out := newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, DeviceLocal)
			ups[f], downs[f] = up, down
			jobs[f] = Job{
				Upload: record(t, d, func(r *Recorder) { r.Copy(in.All(), up.All()) }),
				Compute: record(t, d, func(r *Recorder) {
					r.Dispatch(p, groupsOf64(n), push(n, 3, 0), in.All(), arena.All())
					r.Dispatch(p, groupsOf64(n), push(n, 1, 1), arena.All(), out.All())
				}),
				Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), out.All()) }),
			}
		}
		finish := func(f, round int) {
			if err := pending[f].Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, v := range words(downs[f]) {
				if want := 3*uint32(i+100*f+round) + 1; v != want {
					t.Fatalf("share %v, frame %d, round %d: y[%d] = %d, want %d", share, f, round, i, v, want)
				}
			}
		}
		for round := range rounds {
			for f := range jobs {
				if round > 0 {
					finish(f, round-1)
				}
				putWords(ups[f], func(i int) uint32 { return uint32(i + 100*f + round) })
				var err error
				if pending[f], err = d.Submit(jobs[f]); err != nil {
					t.Fatal(err)
				}
			}
		}
		for f := range jobs {
			finish(f, rounds-1)
		}
		for l := range d.lanes {
			if n := len(d.lanes[l].live) + len(d.lanes[l].jobs); n != 0 {
				t.Errorf("share %v: %d parts are still on lane %d", share, n, l)
			}
		}
	}
}
