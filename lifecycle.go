package bitgpu

// This file owns how a model makes room for other work, and its end.

import (
	"errors"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
)

// ErrClosed is wrapped by the errors of calls after Close, and of those that it has ended.
var ErrClosed = net.ErrClosed

// Pause has nothing begin on the devices until Resume: calls wait, and end with their ctx. What a device has begun it
// finishes; with a SliceBudget that is the slice that is running, without one all batches that it has been given. Pictures are
// decoded meanwhile, as far as there is room. It returns at once. Of a closed model it does nothing.
func (m *Model) Pause() {
	m.end.Lock()
	defer m.end.Unlock()
	if m.closed {
		return
	}
	m.paused = true
	for _, e := range m.engines {
		e.dev.Pause()
	}
}

// Resume ends a pause. It returns at once.
func (m *Model) Resume() {
	m.end.Lock()
	defer m.end.Unlock()
	m.paused = false
	for _, e := range m.engines {
		e.dev.Resume()
	}
}

// Trim gives memory of the devices back that only waits to be used again: activations, recorded work with its buffers,
// pictures to be resized. The weights stay, and so do compiled kernels. Calls in flight keep what they use; the next one
// takes some milliseconds more, and gives the same results. It takes some milliseconds itself.
//
// Programs do so when they are not looked at. Go's own memory is not touched; debug.FreeOSMemory gives that back.
func (m *Model) Trim() {
	for _, e := range m.engines {
		e.trim()
	}
}

// Memory returns what the model uses of its devices' memory, in the order of Info.Devices; of closed ones it is zero.
func (m *Model) Memory() []gpu.MemoryUse {
	var all []gpu.MemoryUse
	for _, e := range m.engines {
		all = append(all, e.dev.Memory())
	}
	return all
}

// Close ends a model and frees everything. Batches that the devices have been given are finished: calls that need no others
// return their results. All other calls end with an error that wraps ErrClosed, and so do later ones. What a pause holds
// back is given up.
//
// Close is idempotent. Its own error is about what did not hinder the results, such as a device that failed
// while others did its work, or a cache that could not be written.
func (m *Model) Close() error { return m.close(false) }

// Abort is Close for a program in a hurry: with a SliceBudget it waits for the slices that are running, and gives up the
// batches that they are of. Without one a device cannot be kept from finishing what it has been given, and Abort is
// Close. It may be called while Close waits.
func (m *Model) Abort() error { return m.close(true) }

func (m *Model) close(now bool) error {
	m.end.Lock()
	m.closed = true
	now = now || m.paused
	m.end.Unlock()
	m.calls.close()
	var err error
	for _, e := range m.engines {
		e.refuse(now)
	}
	for _, e := range m.engines {
		err = errors.Join(err, e.close())
	}
	return err
}
