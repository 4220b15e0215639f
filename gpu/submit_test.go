package gpu

import "testing"

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
