package vk

// #include "shim.h"
import "C"

import "unsafe"

// NewCommandPool makes a pool for command buffers of a queue family.
func (d *Device) NewCommandPool(family uint32) (CommandPool, error) {
	var c C.VkCommandPool
	err := d.do("vkCreateCommandPool", func() C.VkResult {
		return C.bgCreateCommandPool(d.c, C.uint32_t(family), &c)
	})
	return to[CommandPool](c), err
}

// DestroyCommandPool destroys a pool and its command buffers.
func (d *Device) DestroyCommandPool(p CommandPool) {
	C.bgDestroyCommandPool(d.c, to[C.VkCommandPool](p))
}

// BeginCommandBuffer allocates a command buffer that may be submitted again and again, and opens it.
func (d *Device) BeginCommandBuffer(p CommandPool) (CommandBuffer, error) {
	var c C.VkCommandBuffer
	err := d.do("vkAllocateCommandBuffers", func() C.VkResult {
		return C.bgAllocateCommandBuffer(d.c, to[C.VkCommandPool](p), &c)
	})
	if err == nil {
		err = d.do("vkBeginCommandBuffer", func() C.VkResult { return C.bgBegin(d.c, c) })
	}
	return to[CommandBuffer](c), err
}

// EndCommandBuffer closes a command buffer.
func (d *Device) EndCommandBuffer(c CommandBuffer) error {
	return d.do("vkEndCommandBuffer", func() C.VkResult { return C.bgEnd(d.c, to[C.VkCommandBuffer](c)) })
}

// CmdDispatch binds a pipeline, its descriptor set (none if the kernel binds nothing) and push constants,
// and starts workgroups, with numbers from base on. base is 0 for pipelines that were not made for parts.
func (d *Device) CmdDispatch(c CommandBuffer, p Pipeline, layout PipelineLayout, set DescriptorSet, push []byte, base, groups [3]uint32) {
	C.bgCmdDispatch(d.c, to[C.VkCommandBuffer](c), to[C.VkPipeline](p), to[C.VkPipelineLayout](layout),
		to[C.VkDescriptorSet](set), unsafe.Pointer(unsafe.SliceData(push)), C.uint32_t(len(push)),
		(*C.uint32_t)(&base[0]), (*C.uint32_t)(&groups[0]))
}

// CmdCopy copies src to dst, of the same size.
func (d *Device) CmdCopy(c CommandBuffer, dst, src Binding) {
	C.bgCmdCopy(d.c, to[C.VkCommandBuffer](c), to[C.VkBuffer](src.Buffer), C.uint64_t(src.Offset),
		to[C.VkBuffer](dst.Buffer), C.uint64_t(dst.Offset), C.uint64_t(src.Size))
}

// CmdFill repeats a word over dst, whose offset and size are multiples of 4.
func (d *Device) CmdFill(c CommandBuffer, dst Binding, word uint32) {
	C.bgCmdFill(d.c, to[C.VkCommandBuffer](c), to[C.VkBuffer](dst.Buffer), C.uint64_t(dst.Offset),
		C.uint64_t(dst.Size), C.uint32_t(word))
}

// CmdBarrier makes the given stages and accesses (Stage*, Access*) of what follows wait for those of what
// came before, with all memory.
func (d *Device) CmdBarrier(c CommandBuffer, srcStage, srcAccess, dstStage, dstAccess uint32) {
	C.bgCmdBarrier(d.c, to[C.VkCommandBuffer](c), C.VkPipelineStageFlags(srcStage), C.VkAccessFlags(srcAccess),
		C.VkPipelineStageFlags(dstStage), C.VkAccessFlags(dstAccess))
}

// NewTimestamps makes a pool of n timestamps.
func (d *Device) NewTimestamps(n int) (QueryPool, error) {
	var c C.VkQueryPool
	err := d.do("vkCreateQueryPool", func() C.VkResult { return C.bgCreateTimestamps(d.c, C.uint32_t(n), &c) })
	return to[QueryPool](c), err
}

// DestroyTimestamps destroys a pool of timestamps that no queue uses any more.
func (d *Device) DestroyTimestamps(p QueryPool) { C.bgDestroyTimestamps(d.c, to[C.VkQueryPool](p)) }

// CmdResetTimestamps forgets the first n timestamps; they must be, before they are written again.
func (d *Device) CmdResetTimestamps(c CommandBuffer, p QueryPool, n int) {
	C.bgCmdResetTimestamps(d.c, to[C.VkCommandBuffer](c), to[C.VkQueryPool](p), C.uint32_t(n))
}

// CmdTimestamp takes the time when all that was recorded before is done.
func (d *Device) CmdTimestamp(c CommandBuffer, p QueryPool, i int) {
	C.bgCmdTimestamp(d.c, to[C.VkCommandBuffer](c), to[C.VkQueryPool](p), C.uint32_t(i))
}

// Timestamps returns the first n timestamps, in ticks. NotReady if one has not been taken.
func (d *Device) Timestamps(p QueryPool, n int) ([]uint64, error) {
	ticks := make([]uint64, n)
	err := d.do("vkGetQueryPoolResults", func() C.VkResult {
		return C.bgTimestamps(d.c, to[C.VkQueryPool](p), C.uint32_t(n), (*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(ticks))))
	})
	return ticks, err
}
