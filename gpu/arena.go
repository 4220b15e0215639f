package gpu

import (
	"errors"
	"fmt"
	"sync"
)

// arenaAlignment suits every vector access and every device's own alignment of storage buffers (at most 256).
const arenaAlignment = 256

// Arena hands out ranges of few large DeviceLocal buffers. Ranges are not given back one by one: Release
// frees them all. It is safe for use from many goroutines.
type Arena struct {
	dev   *Device
	chunk int64

	mu       sync.Mutex
	blocks   []block
	released bool
}

type block struct {
	buffer *Buffer
	used   int64
}

// NewArena makes an empty arena that grows by buffers of chunk bytes, or of what the device allows if that is less.
func (d *Device) NewArena(chunk int64) *Arena {
	return &Arena{dev: d, chunk: max(0, min(chunk, d.largest()))}
}

// Alloc returns a range of size bytes that nobody else has, at a multiple of 256 bytes and of the device's
// alignment of storage buffers. A range above Limits.MaxStorageBufferRange can be had, but not bound to a kernel as a whole.
func (a *Arena) Alloc(size int64) (Range, error) {
	if size <= 0 {
		return Range{}, fmt.Errorf("gpu: arena: %d bytes", size)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.released {
		return Range{}, errors.New("gpu: arena: already released")
	}
	align := max(arenaAlignment, a.dev.info.Limits.MinStorageBufferOffsetAlignment)
	for i := range a.blocks {
		b := &a.blocks[i]
		if at := roundUp(b.used, align); size <= b.buffer.size-at {
			b.used = at + size
			return b.buffer.Slice(at, size), nil
		}
	}
	buffer, err := a.dev.NewBuffer(max(size, a.chunk), DeviceLocal)
	if errors.Is(err, ErrOutOfMemory) && size < a.chunk {
		buffer, err = a.dev.NewBuffer(size, DeviceLocal)
	}
	if err != nil {
		return Range{}, fmt.Errorf("gpu: arena with %s: %w", mib(a.size()), err)
	}
	a.blocks = append(a.blocks, block{buffer, size})
	return buffer.Slice(0, size), nil
}

// Size returns the bytes of all the arena's buffers.
func (a *Arena) Size() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.size()
}

func (a *Arena) size() (sum int64) {
	for _, b := range a.blocks {
		sum += b.buffer.size
	}
	return sum
}

// Release releases the arena's buffers, like Buffer.Release. Calls after the first one, and on nil, do nothing.
func (a *Arena) Release() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.blocks {
		b.buffer.Release()
	}
	a.blocks, a.released = nil, true
}
