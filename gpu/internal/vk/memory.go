package vk

// #include "shim.h"
import "C"

import "unsafe"

// NewBuffer makes a buffer for storage and transfers, shared by the queue families given, and with an address where
// that is wanted (Features.BufferAddress). It has no memory yet.
func (d *Device) NewBuffer(size int64, families []uint32, addressable bool) (Buffer, error) {
	var c C.VkBuffer
	usage := BufferUsage
	if addressable {
		usage |= bufferUsageAddress
	}
	err := d.do("vkCreateBuffer", func() C.VkResult {
		return C.bgCreateBuffer(d.c, C.uint64_t(size), C.VkBufferUsageFlags(usage), C.uint32_t(len(families)),
			(*C.uint32_t)(unsafe.SliceData(families)), &c)
	})
	return to[Buffer](c), err
}

// DestroyBuffer destroys a buffer that no queue uses any more.
func (d *Device) DestroyBuffer(b Buffer) { C.bgDestroyBuffer(d.c, to[C.VkBuffer](b)) }

// Requirements returns the bytes of memory that a buffer needs and a bit for each memory type it can have.
func (d *Device) Requirements(b Buffer) (size int64, types uint32) {
	var s C.uint64_t
	var t C.uint32_t
	C.bgBufferRequirements(d.c, to[C.VkBuffer](b), &s, &t)
	return clamp(uint64(s)), uint32(t)
}

// Allocate allocates memory of a type, given by its index in Physical.MemoryTypes; addressable for buffers that are.
func (d *Device) Allocate(size int64, memoryType int, addressable bool) (Memory, error) {
	var c C.VkDeviceMemory
	err := d.do("vkAllocateMemory", func() C.VkResult {
		return C.bgAllocate(d.c, C.uint64_t(size), C.uint32_t(memoryType), C.VkBool32(btoi(addressable)), &c)
	})
	return to[Memory](c), err
}

// Free frees memory and ends its mapping. Buffers bound to it must be gone.
func (d *Device) Free(m Memory) { C.bgFree(d.c, to[C.VkDeviceMemory](m)) }

// Bind gives a buffer its memory.
func (d *Device) Bind(b Buffer, m Memory) error {
	return d.do("vkBindBufferMemory", func() C.VkResult {
		return C.bgBind(d.c, to[C.VkBuffer](b), to[C.VkDeviceMemory](m))
	})
}

// BufferAddress returns the device's address of an addressable buffer that has memory.
func (d *Device) BufferAddress(b Buffer) uint64 {
	return uint64(C.bgBufferAddress(d.c, to[C.VkBuffer](b)))
}

// Map maps the first size bytes of host visible memory for as long as it lives.
func (d *Device) Map(m Memory, size int64) ([]byte, error) {
	var p unsafe.Pointer
	err := d.do("vkMapMemory", func() C.VkResult { return C.bgMap(d.c, to[C.VkDeviceMemory](m), &p) })
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// Invalidate makes what the device wrote to mapped memory that is not coherent visible to the host.
func (d *Device) Invalidate(m Memory) error {
	return d.do("vkInvalidateMappedMemoryRanges", func() C.VkResult {
		return C.bgInvalidate(d.c, to[C.VkDeviceMemory](m))
	})
}
