package peak

import (
	"context"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// copySize is the size of either of the two buffers: more than any cache holds.
const copySize = 512 << 20

// mostCopies are so many that a device of 10 TB/s takes runTime.
const mostCopies = 400

// prepareCopy makes the load of peak_copy, between two buffers as large as the device's limits and an
// eighth of its free memory allow. A unit is one copy.
func prepareCopy(dev *gpu.Device, l *load) error {
	info := dev.Info()
	group := workgroup(info)
	each := int64(group) * shaders.ProbeVectors * 16 // bytes of a workgroup
	size := min(copySize, info.Limits.MaxStorageBufferRange, info.Limits.MaxMemoryAllocationSize/2, dev.Memory().Budget/8)
	groups := min(max(size/each, 1), int64(info.Limits.MaxWorkGroupCount[0]))

	pipeline, err := dev.NewPipeline(shaders.Probes().Copy, group)
	if err != nil {
		return err
	}
	x, err := l.buffer(dev, groups*each)
	if err != nil {
		return err
	}
	y, err := l.buffer(dev, groups*each)
	if err != nil {
		return err
	}
	if err := fill(dev, x); err != nil {
		return err
	}
	l.unit, l.most = 2*groups*each, mostCopies
	l.record = func(r *gpu.Recorder, units int) {
		for range units {
			r.Dispatch(pipeline, [3]uint32{uint32(groups), 1, 1}, nil, x, y)
		}
	}
	return nil
}

// fill writes memory once, so that what is read is memory of its own, not the system's page of zeros.
func fill(dev *gpu.Device, r gpu.Range) error {
	rec := dev.NewRecorder()
	rec.Fill(r, 0x5eed5eed)
	commands, err := rec.End()
	if err != nil {
		return err
	}
	defer commands.Release()
	pending, err := dev.Submit(gpu.Job{Compute: commands})
	if err != nil {
		return err
	}
	return pending.Wait(context.Background())
}
