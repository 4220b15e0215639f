package vk

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/vulkan-go/vulkan"
)

// Image is an image's handle.
type Image = vulkan.Image

// Formats, layouts, usages and accesses of images.
const (
	FormatRGBA8     = int32(vulkan.FormatR8g8b8a8Unorm)
	FormatRGBA8SRGB = int32(vulkan.FormatR8g8b8a8Srgb)
	FormatBGRA8     = int32(vulkan.FormatB8g8r8a8Unorm)
	FormatBGRA8SRGB = int32(vulkan.FormatB8g8r8a8Srgb)

	LayoutUndefined   = int32(vulkan.ImageLayoutUndefined)
	LayoutGeneral     = int32(vulkan.ImageLayoutGeneral)
	LayoutShaderRead  = int32(vulkan.ImageLayoutShaderReadOnlyOptimal)
	LayoutTransferSrc = int32(vulkan.ImageLayoutTransferSrcOptimal)
	LayoutTransferDst = int32(vulkan.ImageLayoutTransferDstOptimal)
	LayoutPresent     = int32(vulkan.ImageLayoutPresentSrc)

	ImageUsageTransferSrc = uint32(vulkan.ImageUsageTransferSrcBit)
	ImageUsageTransferDst = uint32(vulkan.ImageUsageTransferDstBit)
	ImageUsageSampled     = uint32(vulkan.ImageUsageSampledBit)

	AccessTransferRead = uint32(vulkan.AccessTransferReadBit)

	// FamilyIgnored stands for no change of the owner.
	FamilyIgnored = ^uint32(0)
)

// NewImage makes a two-dimensional image. It has no memory yet.
func (d *Device) NewImage(format int32, width, height, levels, usage uint32) (Image, error) {
	var c C.VkImage
	err := d.do("vkCreateImage", func() C.VkResult {
		return C.bgCreateImage(d.c, C.int32_t(format), C.uint32_t(width), C.uint32_t(height), C.uint32_t(levels),
			C.VkImageUsageFlags(usage), &c)
	})
	return to[Image](c), err
}

// DestroyImage destroys an image of NewImage that no queue uses any more.
func (d *Device) DestroyImage(i Image) { C.bgDestroyImage(d.c, to[C.VkImage](i)) }

// ImageRequirements returns the bytes of memory that an image needs and a bit for each memory type it can have.
func (d *Device) ImageRequirements(i Image) (size int64, types uint32) {
	var s C.uint64_t
	var t C.uint32_t
	C.bgImageRequirements(d.c, to[C.VkImage](i), &s, &t)
	return clamp(uint64(s)), uint32(t)
}

// BindImage gives an image its memory.
func (d *Device) BindImage(i Image, m Memory) error {
	return d.do("vkBindImageMemory", func() C.VkResult {
		return C.bgBindImage(d.c, to[C.VkImage](i), to[C.VkDeviceMemory](m))
	})
}

// ImageUse is how an image is used before or after a barrier.
type ImageUse struct {
	Stage, Access uint32
	Layout        int32
}

// CmdImageBarrier has the first levels of an image change from one use to another.
func (d *Device) CmdImageBarrier(c CommandBuffer, i Image, levels uint32, from, into ImageUse) {
	d.imageBarrier(c, i, 0, levels, 0, from, into, FamilyIgnored, FamilyIgnored)
}

// ImagePart is a rectangle of a level of a layer of an image.
type ImagePart struct {
	Image               Image
	Level, Layer        uint32
	X, Y, Width, Height int
}

// CmdImageOwner has the level and layer of a part change from one use to another, and from one queue family to another
// unless both are the same.
func (d *Device) CmdImageOwner(c CommandBuffer, p ImagePart, from, into ImageUse, fromFamily, intoFamily uint32) {
	if fromFamily == intoFamily {
		fromFamily, intoFamily = FamilyIgnored, FamilyIgnored
	}
	d.imageBarrier(c, p.Image, p.Level, 1, p.Layer, from, into, fromFamily, intoFamily)
}

func (d *Device) imageBarrier(c CommandBuffer, i Image, level, levels, layer uint32, from, into ImageUse, fromFamily, intoFamily uint32) {
	C.bgCmdImageBarrier(d.c, to[C.VkCommandBuffer](c), to[C.VkImage](i), C.uint32_t(level), C.uint32_t(levels), C.uint32_t(layer),
		C.VkPipelineStageFlags(from.Stage), C.VkAccessFlags(from.Access), C.int32_t(from.Layout), C.uint32_t(fromFamily),
		C.VkPipelineStageFlags(into.Stage), C.VkAccessFlags(into.Access), C.int32_t(into.Layout), C.uint32_t(intoFamily))
}

// CmdBufferOwner has a part of a buffer change from one queue family to another. Recorded on both families' queues, in that
// order, with a semaphore between.
func (d *Device) CmdBufferOwner(c CommandBuffer, b Binding, fromFamily, intoFamily uint32) {
	C.bgCmdBufferOwner(d.c, to[C.VkCommandBuffer](c), to[C.VkBuffer](b.Buffer), C.uint64_t(b.Offset), C.uint64_t(b.Size),
		C.uint32_t(fromFamily), C.uint32_t(intoFamily))
}

// CmdCopyToImage copies tightly packed rows to a rectangle of a level.
func (d *Device) CmdCopyToImage(c CommandBuffer, b Buffer, offset int64, i Image, level uint32, x, y, width, height int) {
	C.bgCmdCopyToImage(d.c, to[C.VkCommandBuffer](c), to[C.VkBuffer](b), C.uint64_t(offset), to[C.VkImage](i),
		C.uint32_t(level), C.int32_t(x), C.int32_t(y), C.uint32_t(width), C.uint32_t(height))
}

// CmdCopyFromImage copies a part of an image, in the layout for that, to tightly packed rows.
func (d *Device) CmdCopyFromImage(c CommandBuffer, p ImagePart, b Buffer, offset int64) {
	C.bgCmdCopyFromImage(d.c, to[C.VkCommandBuffer](c), to[C.VkImage](p.Image), C.uint32_t(p.Level), C.uint32_t(p.Layer),
		C.int32_t(p.X), C.int32_t(p.Y), C.uint32_t(p.Width), C.uint32_t(p.Height), to[C.VkBuffer](b), C.uint64_t(offset))
}

// NewBinary makes a binary semaphore.
func (d *Device) NewBinary() (Semaphore, error) {
	var c C.VkSemaphore
	err := d.do("vkCreateSemaphore", func() C.VkResult { return C.bgCreateBinary(d.c, &c) })
	return to[Semaphore](c), err
}

// Sync has a queue wait for semaphores, and signal others and a fence (if there is one) when all that it was given
// before is done. The value of a binary semaphore is 0. The caller synchronizes access to the queue.
func (d *Device) Sync(q Queue, waits, signals []TimelinePoint, fence Fence) error {
	if max(len(waits), len(signals)) > C.BG_MAX_SYNC {
		return check("vkQueueSubmit", TooManyObjects)
	}
	var semaphores [2][C.BG_MAX_SYNC]Semaphore
	var values [2][C.BG_MAX_SYNC]uint64
	timelines := false
	for side, list := range [][]TimelinePoint{waits, signals} {
		for i, p := range list {
			semaphores[side][i], values[side][i] = p.Semaphore, p.Value
			timelines = timelines || p.Value > 0
		}
	}
	return d.do("vkQueueSubmit", func() C.VkResult {
		return C.bgSubmitSync(d.c, to[C.VkQueue](q), C.VkBool32(btoi(timelines)),
			C.uint32_t(len(waits)), (*C.VkSemaphore)(unsafe.Pointer(&semaphores[0][0])), (*C.uint64_t)(unsafe.Pointer(&values[0][0])),
			C.uint32_t(len(signals)), (*C.VkSemaphore)(unsafe.Pointer(&semaphores[1][0])), (*C.uint64_t)(unsafe.Pointer(&values[1][0])),
			to[C.VkFence](fence))
	})
}

// WaitFenceFor waits for a fence for so many ns; Timeout if that is not enough.
func (d *Device) WaitFenceFor(f Fence, timeout uint64) error {
	return d.do("vkWaitForFences", func() C.VkResult { return C.bgWaitFence(d.c, to[C.VkFence](f), C.uint64_t(timeout)) })
}
