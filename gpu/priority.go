package gpu

import (
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/background"
)

// This file owns Options.LowPriority.

// lowSlice is the slice budget of a device that is to rest between slices, if none is given.
const lowSlice = 20 * time.Millisecond

// makeWay decides how a device with LowPriority makes way for other work.
func (d *Device) makeWay(o Options) {
	threads := o.Host == nil && d.info.Type == CPU && background.Threads
	d.rests = d.low && !threads
	if d.rests && d.slice == 0 {
		d.slice = lowSlice
	}
}

// rest has the device rest after a slice, if it is to.
func (d *Device) rest(took time.Duration) {
	if d.rests {
		d.rested = time.Now().Add(took)
	}
}

// Background calls f, of a device with LowPriority on a thread that makes way for other programs where the system knows such. It is
// for what the processor does for the device.
func (d *Device) Background(f func()) {
	if d.low {
		background.Run(f)
		return
	}
	f()
}
