// Package peak measures what a device can do at most, with kernels that do nothing else: what
// networks reach is told as a share of it. Each kind of peak is a probe, a file of its own here that
// is entered in the list of probes. The package knows devices and kernels, and no network.
package peak

import (
	"context"
	"fmt"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
)

// Units of a Peak's rate.
const (
	FLOPs = "FLOP/s" // a fused multiply-add counts two
	Bytes = "B/s"    // read and written together
)

// Names of the peaks.
const (
	FMA  = "fma_fp32" // binary32 multiply-adds in registers
	Copy = "copy"     // a kernel that copies memory larger than caches
)

// Peak is the best rate that a probe saw.
type Peak struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"` // FLOPs or Bytes
	Rate float64 `json:"rate"` // units, not billions of them
}

// probe measures one kind of peak. prepare makes its load; without a kernel to record if the device
// cannot run it. The caller releases what prepare has made, be it that it failed.
type probe struct {
	name, unit string
	prepare    func(*gpu.Device, *load) error
}

// probes are in the order of the results.
var probes = [...]probe{
	{FMA, FLOPs, prepareFMA},
	{Copy, Bytes, prepareCopy},
}

// load is work that can be given to a device in any amount.
type load struct {
	unit    int64 // operations or bytes of one unit of work
	most    int   // units in one run
	record  func(r *gpu.Recorder, units int)
	buffers []*gpu.Buffer
}

// buffer makes a buffer of the load's.
func (l *load) buffer(dev *gpu.Device, size int64) (gpu.Range, error) {
	b, err := dev.NewBuffer(size, gpu.DeviceLocal)
	if err != nil {
		return gpu.Range{}, err
	}
	l.buffers = append(l.buffers, b)
	return b.All(), nil
}

func (l *load) release() {
	for _, b := range l.buffers {
		b.Release()
	}
}

// Measure runs all probes on a device, a second or two in all, with 1 GiB of its memory at most. The
// device should do nothing else meanwhile. The error wraps ctx's or those of package gpu.
func Measure(ctx context.Context, dev *gpu.Device) ([]Peak, error) {
	var peaks []Peak
	for _, p := range probes {
		rate, err := p.measure(ctx, dev)
		if err != nil {
			return nil, fmt.Errorf("peak: %s: %w", p.name, err)
		}
		if rate > 0 {
			peaks = append(peaks, Peak{p.name, p.unit, rate})
		}
	}
	return peaks, nil
}

// Best returns the highest rate of a unit, 0 if there is none.
func Best(peaks []Peak, unit string) (rate float64) {
	for _, p := range peaks {
		if p.Unit == unit {
			rate = max(rate, p.Rate)
		}
	}
	return rate
}

// measure returns 0 if the device cannot run the probe.
func (p probe) measure(ctx context.Context, dev *gpu.Device) (float64, error) {
	l := &load{}
	defer l.release()
	if err := p.prepare(dev, l); err != nil || l.record == nil {
		return 0, err
	}
	return l.rate(ctx, dev)
}

// A run lasts about runTime, so that its submission costs nothing beside it and no watchdog minds. The
// best of mostRuns counts, or of fewer that take mostTime.
const (
	runTime  = 40 * time.Millisecond
	mostRuns = 8
	mostTime = 10 * runTime
)

// rate finds the amount of work that takes runTime, and the best rate of runs with it.
func (l *load) rate(ctx context.Context, dev *gpu.Device) (float64, error) {
	if _, err := l.time(ctx, dev, 1, 1); err != nil { // the driver may compile now, and page memory in
		return 0, err
	}
	units := 1
	for {
		took, err := l.time(ctx, dev, units, 1)
		if err != nil {
			return 0, err
		}
		if took >= runTime/2 || units == l.most {
			break
		}
		grow := min(max(float64(runTime)/float64(took), 1.5), 16)
		units = min(int(float64(units)*grow)+1, l.most)
	}
	took, err := l.time(ctx, dev, units, mostRuns)
	if err != nil {
		return 0, err
	}
	return float64(l.unit) * float64(units) / took.Seconds(), nil
}

// time returns the shortest of several runs, from submission to the end.
func (l *load) time(ctx context.Context, dev *gpu.Device, units, runs int) (best time.Duration, err error) {
	rec := dev.NewRecorder()
	l.record(rec, units)
	commands, err := rec.End()
	if err != nil {
		return 0, err
	}
	defer commands.Release()
	begin := time.Now()
	for i := 0; i < runs && (i < 2 || time.Since(begin) < mostTime); i++ {
		start := time.Now()
		pending, err := dev.Submit(gpu.Job{Compute: commands})
		if err != nil {
			return 0, err
		}
		if err := pending.Wait(ctx); err != nil {
			return 0, err
		}
		if took := max(time.Since(start), 1); i == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// workgroup is the size of the probes' workgroups: enough for any device to hide latencies.
func workgroup(info gpu.Info) uint32 {
	return min(256, info.Limits.MaxWorkGroupSize[0], info.Limits.MaxWorkGroupInvocations)
}
