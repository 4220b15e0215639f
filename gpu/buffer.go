package gpu

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Usage says where a buffer's memory is and who can reach it.
type Usage int

const (
	DeviceLocal Usage = iota // the device's own memory, out of the host's reach
	Upload                   // written by the host, read by the device: visible to both and coherent
	Readback                 // written by the device, read by the host: cached by the host where possible
)

func (u Usage) String() string {
	switch u {
	case DeviceLocal:
		return "device local"
	case Upload:
		return "upload"
	case Readback:
		return "readback"
	}
	return fmt.Sprintf("Usage(%d)", int(u))
}

// Buffer is a piece of memory that kernels and copies work on. What is in it at first is undefined.
type Buffer struct {
	dev      *Device
	size     int64
	usage    Usage
	handle   vk.Buffer
	address  uint64 // 0 where there are none (Info.BufferAddress), and of an adopted buffer
	adopted  bool
	memory   vk.Memory
	bytes    int64 // of memory
	heap     int
	coherent bool

	// Guarded by dev.mu.
	mapped   []byte
	uses     int // by jobs in flight
	released bool
	gone     bool
}

// slack pads buffers so that a kernel may read whole 16-byte vectors up to the end of any range.
const slack = 16

// texelBytes is the size of a texel, of kernels that read a buffer as such.
const texelBytes = slack

// NewBuffer makes a buffer of size bytes. ErrOutOfMemory if the device, its limits or the budget do not allow it.
func (d *Device) NewBuffer(size int64, u Usage) (*Buffer, error) {
	if u < DeviceLocal || u > Readback {
		return nil, fmt.Errorf("gpu: buffer of %v", u)
	}
	if size <= 0 {
		return nil, fmt.Errorf("gpu: %v buffer of %d bytes", u, size)
	}
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	b, err := d.newBuffer(size, u)
	if err != nil {
		return nil, fmt.Errorf("gpu: %v buffer of %s: %w", u, mib(size), err)
	}
	if err := d.messages(); err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

func (d *Device) newBuffer(size int64, u Usage) (_ *Buffer, err error) {
	if limit := d.largest(); size > limit {
		return nil, fmt.Errorf("%w: the largest that %s allows is %s", ErrOutOfMemory, d.info.Name, mib(limit))
	}
	b := &Buffer{dev: d, size: size, usage: u}
	if b.handle, err = d.vk.NewBuffer(roundUp(size, slack), d.families, d.features.BufferAddress); err != nil {
		return nil, d.noted(err)
	}
	if err := d.allocate(b); err != nil {
		d.vk.DestroyBuffer(b.handle)
		return nil, err
	}
	if err = d.vk.Bind(b.handle, b.memory); err == nil && u != DeviceLocal {
		b.mapped, err = d.vk.Map(b.memory, size)
	}
	if err == nil && d.features.BufferAddress {
		b.address = d.vk.BufferAddress(b.handle)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buffers[b] = struct{}{}
	if err != nil {
		b.destroy()
		return nil, d.noted(err)
	}
	return b, nil
}

// largest is the size of the largest buffer.
func (d *Device) largest() int64 {
	return min(d.info.Limits.MaxMemoryAllocationSize, d.info.Limits.MaxBufferSize) &^ (slack - 1)
}

// Size returns the size in bytes.
func (b *Buffer) Size() int64 { return b.size }

// Bytes returns the buffer's memory, which stays where it is until the buffer is destroyed; nil for a
// DeviceLocal buffer and for one that is destroyed. Nothing may touch it after Release or Close.
func (b *Buffer) Bytes() []byte {
	b.dev.mu.Lock()
	defer b.dev.mu.Unlock()
	return b.mapped
}

// Release gives the buffer up. Its memory is freed when the last job in flight that uses it is done; of a
// lost device, which may still be busy, with Close. Calls after the first one, and on nil, do nothing.
func (b *Buffer) Release() {
	if b == nil {
		return
	}
	b.dev.mu.Lock()
	defer b.dev.mu.Unlock()
	b.released = true
	if b.uses == 0 && !b.dev.lost.Load() {
		b.destroy()
	}
}

// destroy frees everything; dev.mu is held, and no queue uses the buffer any more.
func (b *Buffer) destroy() {
	if b.gone {
		return
	}
	b.gone, b.released = true, true
	b.mapped = nil
	d := b.dev
	delete(d.buffers, b)
	if b.adopted {
		return
	}
	d.vk.DestroyBuffer(b.handle)
	d.vk.Free(b.memory)
	d.heapUsed[b.heap] -= b.bytes
	d.allocs--
}

// Range is a part of a buffer.
type Range struct {
	Buffer       *Buffer
	Offset, Size int64 // bytes
}

// Slice returns size bytes from off on. A range outside of the buffer is an error where it is used.
func (b *Buffer) Slice(off, size int64) Range { return Range{b, off, size} }

// All returns the whole buffer.
func (b *Buffer) All() Range { return Range{b, 0, b.size} }

// check returns an error unless r is a part of a buffer of d.
func (r Range) check(d *Device) error {
	switch {
	case r.Buffer == nil:
		return errors.New("no buffer")
	case r.Buffer.dev != d:
		return errors.New("the buffer is another device's")
	case r.Offset < 0 || r.Size <= 0 || r.Offset > r.Buffer.size-r.Size:
		return fmt.Errorf("bytes [%d, +%d) of a buffer of %d bytes", r.Offset, r.Size, r.Buffer.size)
	}
	return nil
}

func (r Range) binding() vk.Binding {
	return vk.Binding{Buffer: r.Buffer.handle, Offset: r.Offset, Size: r.Size}
}

// roundUp returns the smallest multiple of unit, a power of 2, that is not below n.
func roundUp(n, unit int64) int64 { return (n + unit - 1) &^ (unit - 1) }

// mib writes a number of bytes for people.
func mib(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
