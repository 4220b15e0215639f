package peak

import (
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// mostGroups are so many workgroups that a device of 80 TFLOP/s takes runTime.
const mostGroups = 1 << 15

// prepareFMA makes the load of peak_fma. A unit is a workgroup.
func prepareFMA(dev *gpu.Device, l *load) error {
	info := dev.Info()
	size := workgroup(info)
	steps, rounds := uint32(32), uint32(512)
	if info.Type == gpu.CPU {
		// In a loop CPU drivers choose between the old and the new value of every variable, by the invocations
		// that are still in it: too many for the registers. So there is no loop, but 24 KiB of code.
		steps, rounds = 256, 1
	}
	pipeline, err := dev.NewPipeline(shaders.Probes().FMA, size, steps, rounds)
	if err != nil {
		return err
	}
	l.unit = 2 * shaders.ProbeChains * int64(steps) * int64(rounds) * int64(size)
	l.most = int(min(mostGroups, info.Limits.MaxWorkGroupCount[0]))
	y, err := l.buffer(dev, int64(l.most)*int64(size)*4)
	if err != nil {
		return err
	}
	l.record = func(r *gpu.Recorder, units int) {
		r.Dispatch(pipeline, [3]uint32{uint32(units), 1, 1}, shaders.Push(float32(0.5), float32(1)), y)
	}
	return nil
}
