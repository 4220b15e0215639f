package vk

// #include "shim.h"
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// Device is a logical device with its function pointers.
type Device struct {
	c     *C.bgDevice
	owned bool
	fault atomic.Pointer[func(call string) Result]
}

// NewDevice makes a device with so many queues of each of the families (at most two of each), with the features
// switched on. extensions are further ones, at most 16.
func (p *Physical) NewDevice(families, queues []uint32, f Features, extensions ...string) (*Device, error) {
	d := &Device{owned: true}
	if len(families) != len(queues) {
		return nil, check("vkCreateDevice", TooManyObjects)
	}
	names, free, err := cStrings("vkCreateDevice", extensions)
	if err != nil {
		return nil, err
	}
	defer free()
	r := C.bgCreateDevice(p.in.c, to[C.VkPhysicalDevice](p.Handle), &p.c, f.bits(), C.uint32_t(len(families)),
		(*C.uint32_t)(unsafe.SliceData(families)), (*C.uint32_t)(unsafe.SliceData(queues)), C.uint32_t(len(extensions)),
		names, &d.c)
	if err := check("vkCreateDevice", Result(r)); err != nil {
		return nil, err
	}
	return d, nil
}

// AdoptDevice uses a device that somebody else made of an instance and will destroy.
func (in *Instance) AdoptDevice(handle DeviceHandle) (*Device, error) {
	d := &Device{}
	if err := check("vkGetDeviceProcAddr", Result(C.bgAdoptDevice(in.c, to[C.VkDevice](handle), &d.c))); err != nil {
		return nil, err
	}
	return d, nil
}

// Owned says whether Destroy destroys the device.
func (d *Device) Owned() bool { return d.owned }

// Handle returns the device's Vulkan handle.
func (d *Device) Handle() DeviceHandle { return to[DeviceHandle](d.c.handle) }

// Destroy destroys the device, unless it is adopted. Everything made from it must be gone.
func (d *Device) Destroy() {
	C.bgDestroyDevice(d.c, C.VkBool32(btoi(d.owned)))
	d.c = nil
}

// Fault makes calls fail, for tests: f is asked before each call that can fail, and the call is not made but
// answered with f's result where that is not Success. nil ends it.
func (d *Device) Fault(f func(call string) Result) {
	if f == nil {
		d.fault.Store(nil)
		return
	}
	d.fault.Store(&f)
}

// do makes a call that can fail, unless a fault is planned for it.
func (d *Device) do(call string, f func() C.VkResult) error {
	if fault := d.fault.Load(); fault != nil {
		if r := (*fault)(call); r != Success {
			return check(call, r)
		}
	}
	return check(call, Result(f()))
}

// Queue returns a queue that the device was made with.
func (d *Device) Queue(family, index uint32) Queue {
	return to[Queue](C.bgQueue(d.c, C.uint32_t(family), C.uint32_t(index)))
}

// TimelinePoint is a value of a timeline semaphore.
type TimelinePoint struct {
	Semaphore Semaphore
	Value     uint64
}

// maxWaits is what a submission may wait for: one point of each of two timelines.
const maxWaits = 2

// Submit gives command buffers to a queue. They start when the points waited for (at most two) are reached;
// when they are done, the point signal is (if it has a semaphore), and then the fence (if there is one).
// The caller synchronizes access to the queue.
func (d *Device) Submit(q Queue, buffers []CommandBuffer, waits []TimelinePoint, signal TimelinePoint, fence Fence) error {
	var semaphores [maxWaits]Semaphore
	var values [maxWaits]uint64
	if len(waits) > maxWaits {
		return check("vkQueueSubmit", TooManyObjects)
	}
	for i, w := range waits {
		semaphores[i], values[i] = w.Semaphore, w.Value
	}
	return d.do("vkQueueSubmit", func() C.VkResult {
		return C.bgSubmit(d.c, to[C.VkQueue](q), C.uint32_t(len(buffers)),
			(*C.VkCommandBuffer)(unsafe.Pointer(unsafe.SliceData(buffers))), C.uint32_t(len(waits)),
			(*C.VkSemaphore)(unsafe.Pointer(&semaphores[0])), (*C.uint64_t)(unsafe.Pointer(&values[0])),
			to[C.VkSemaphore](signal.Semaphore), C.uint64_t(signal.Value), to[C.VkFence](fence))
	})
}

// QueueWaitIdle waits until a queue has nothing to do. The caller synchronizes access to the queue.
func (d *Device) QueueWaitIdle(q Queue) error {
	return d.do("vkQueueWaitIdle", func() C.VkResult { return C.bgQueueWaitIdle(d.c, to[C.VkQueue](q)) })
}

// WaitIdle waits until all queues have nothing to do. The caller synchronizes access to all of them.
func (d *Device) WaitIdle() error {
	return d.do("vkDeviceWaitIdle", func() C.VkResult { return C.bgDeviceWaitIdle(d.c) })
}

// NewFence makes an unsignalled fence.
func (d *Device) NewFence() (f Fence, err error) {
	var c C.VkFence
	err = d.do("vkCreateFence", func() C.VkResult { return C.bgCreateFence(d.c, &c) })
	return to[Fence](c), err
}

// ResetFence makes a fence unsignalled again.
func (d *Device) ResetFence(f Fence) error {
	return d.do("vkResetFences", func() C.VkResult { return C.bgResetFence(d.c, to[C.VkFence](f)) })
}

// WaitFence blocks until a fence is signalled.
func (d *Device) WaitFence(f Fence) error {
	return d.do("vkWaitForFences", func() C.VkResult {
		return C.bgWaitFence(d.c, to[C.VkFence](f), C.VK_WHOLE_SIZE)
	})
}

// DestroyFence destroys a fence that no queue will signal any more.
func (d *Device) DestroyFence(f Fence) { C.bgDestroyFence(d.c, to[C.VkFence](f)) }

// NewTimeline makes a timeline semaphore with the value 0.
func (d *Device) NewTimeline() (Semaphore, error) {
	var c C.VkSemaphore
	err := d.do("vkCreateSemaphore", func() C.VkResult { return C.bgCreateTimeline(d.c, &c) })
	return to[Semaphore](c), err
}

// DestroySemaphore destroys a semaphore that no queue uses any more.
func (d *Device) DestroySemaphore(s Semaphore) { C.bgDestroySemaphore(d.c, to[C.VkSemaphore](s)) }
