package gpu

import (
	"errors"
	"fmt"
	"math/bits"
	"sort"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// MemoryUse says how much of the device's own memory is in use, in bytes.
type MemoryUse struct {
	Used   int64 // by buffers of this Device
	Budget int64 // what more can be allocated at this moment
}

// Memory asks for the device's memory. Of a closed device it is zero.
func (d *Device) Memory() MemoryUse {
	if d.use() != nil {
		return MemoryUse{}
	}
	defer d.life.RUnlock()
	heap := mainHeap(d.physical)
	d.mu.Lock()
	defer d.mu.Unlock()
	return MemoryUse{Used: d.heapUsed[heap], Budget: max(0, d.available(heap))}
}

// available is how many bytes of a heap may still be allocated; d.mu is held.
func (d *Device) available(heap int) int64 {
	budget, usage := d.physical.MemoryBudget()
	left := budget[heap] - max(usage[heap], d.heapUsed[heap])
	if d.budget > 0 && d.physical.Heaps[heap].Flags&vk.HeapDeviceLocal != 0 {
		left = min(left, d.budget-d.ownUsed())
	}
	return left
}

// ownUsed is how much of the device's own memory is allocated; d.mu is held.
func (d *Device) ownUsed() (sum int64) {
	for i, h := range d.physical.Heaps {
		if h.Flags&vk.HeapDeviceLocal != 0 {
			sum += d.heapUsed[i]
		}
	}
	return sum
}

// allocate gives a buffer memory of the best type that has room, within the budget.
func (d *Device) allocate(b *Buffer) error {
	size, allowed := d.vk.Requirements(b.handle)
	types := rankMemory(d.physical.MemoryTypes, allowed, b.usage)
	if len(types) == 0 {
		return fmt.Errorf("%w: %s has no memory of this kind", ErrOutOfMemory, d.info.Name)
	}
	var failure error
	for _, t := range types {
		heap := d.physical.MemoryTypes[t].Heap
		if err := d.reserve(heap, size); err != nil {
			failure = err
			continue
		}
		memory, err := d.vk.Allocate(size, t, d.features.BufferAddress)
		if err == nil {
			b.memory, b.bytes, b.heap = memory, size, heap
			b.coherent = d.physical.MemoryTypes[t].Flags&vk.MemoryHostCoherent != 0
			return nil
		}
		d.mu.Lock()
		d.heapUsed[heap] -= size
		d.allocs--
		used := d.heapUsed[heap]
		d.mu.Unlock()
		failure = fmt.Errorf("%w (%s of this heap in use)", d.noted(err), mib(used))
		if !errors.Is(err, vk.OutOfDeviceMemory) && !errors.Is(err, vk.OutOfHostMemory) {
			break
		}
	}
	return failure
}

// reserve counts an allocation, or says why it may not be made.
func (d *Device) reserve(heap int, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.allocs >= d.info.Limits.MaxAllocations {
		return fmt.Errorf("%w: there are %d buffers already, the most that %s allows", ErrOutOfMemory, d.allocs, d.info.Name)
	}
	if left := d.available(heap); size > left {
		return fmt.Errorf("%w: %s in use, %s left in the budget of %s", ErrOutOfMemory, mib(d.heapUsed[heap]),
			mib(max(0, left)), d.info.Name)
	}
	d.heapUsed[heap] += size
	d.allocs++
	return nil
}

// rankMemory lists the indices of the memory types that a usage can have, best first. allowed has a bit for each type.
func rankMemory(types []vk.MemoryType, allowed uint32, u Usage) []int {
	var need, want, avoid uint32
	switch u {
	case DeviceLocal:
		// Memory that the host can reach as well is scarce on many discrete devices.
		need, avoid = vk.MemoryDeviceLocal, vk.MemoryHostVisible
	case Upload:
		need, avoid = vk.MemoryHostVisible|vk.MemoryHostCoherent, vk.MemoryDeviceLocal|vk.MemoryHostCached
	case Readback:
		need, want = vk.MemoryHostVisible, vk.MemoryHostCached
		avoid = vk.MemoryDeviceLocal
	}
	const known = vk.MemoryDeviceLocal | vk.MemoryHostVisible | vk.MemoryHostCoherent | vk.MemoryHostCached
	score := func(i int) int {
		f := types[i].Flags
		s := 4*bits.OnesCount32(f&want) - bits.OnesCount32(f&avoid)
		if u == Readback && f&vk.MemoryHostCoherent == 0 {
			s -= 2
		}
		return s
	}
	var fit []int
	for i, t := range types {
		if allowed>>i&1 == 1 && t.Flags&need == need && t.Flags&^known == 0 {
			fit = append(fit, i)
		}
	}
	sort.SliceStable(fit, func(a, b int) bool { return score(fit[a]) > score(fit[b]) })
	return fit
}
