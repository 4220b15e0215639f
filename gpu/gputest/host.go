package gputest

import (
	"slices"
	"sync"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Host is a program that has Vulkan objects of its own, under the validation layer with its checks of
// synchronization. It belongs to one goroutine. All that it makes lives until the test ends; what the layer
// says then, or of anything that a guest left behind, fails the test.
type Host struct {
	Lock sync.Mutex // of the queue

	t        testing.TB
	loader   *vk.Loader
	instance *vk.Instance
	physical *vk.Physical
	device   *vk.Device
	family   uint32
	queue    vk.Queue
	pool     vk.CommandPool
}

// apiVersion is what instances are made for (vk.NewInstance).
const apiVersion = 1<<22 | 3<<12

// NewHost makes the objects of a program that computes.
func NewHost(t testing.TB) *Host {
	t.Helper()
	h := &Host{t: t}
	var err error
	if h.loader, err = vk.OpenLoader(); err != nil {
		t.Fatal(err)
	}
	h.instance, err = vk.NewInstance(h.loader, true)
	h.must(err)
	t.Cleanup(func() {
		for _, m := range h.instance.Destroy() {
			t.Error(m)
		}
	})
	all, err := h.instance.PhysicalDevices()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d devices, %v", len(all), err)
	}
	h.physical, err = h.instance.Describe(all[0], apiVersion)
	h.must(err)
	family := slices.IndexFunc(h.physical.Families, func(f vk.QueueFamily) bool { return f.Flags&vk.QueueCompute != 0 })
	if family < 0 {
		t.Fatalf("%s cannot compute", h.physical.Name)
	}
	h.family = uint32(family)
	h.device, err = h.physical.NewDevice([]uint32{h.family}, []uint32{1}, h.physical.Features)
	h.must(err)
	t.Cleanup(h.device.Destroy)
	h.queue = h.device.Queue(h.family, 0)
	h.pool, err = h.device.NewCommandPool(h.family)
	h.must(err)
	h.later(func() { h.device.DestroyCommandPool(h.pool) })
	return h
}

func (h *Host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// later destroys something at the end, when the queue is idle.
func (h *Host) later(destroy func()) {
	h.t.Cleanup(func() {
		_ = h.device.WaitIdle()
		destroy()
	})
}

// Options is what the host hands over.
func (h *Host) Options() *gpu.Host {
	f := h.physical.Features
	return &gpu.Host{
		Instance: vk.Address(h.instance.Handle()), PhysicalDevice: vk.Address(h.physical.Handle), Device: vk.Address(h.device.Handle()),
		Queue: vk.Address(h.queue), QueueFamily: h.family, QueueLock: &h.Lock, APIVersion: apiVersion,
		GetInstanceProcAddr: h.loader.GetInstanceProcAddr(),
		Features: gpu.HostFeatures{
			Storage16: f.Storage16, Float16: f.Float16, SubgroupSizeControl: f.SubgroupSizeControl, Int64: f.Int64, BufferAddress: f.BufferAddress,
			CooperativeMatrix: f.CooperativeMatrix, CooperativeMatrix2: f.CooperativeMatrix2,
		},
	}
}

// Family is the queue family.
func (h *Host) Family() uint32 { return h.family }

// Timelines says whether there are timeline semaphores.
func (h *Host) Timelines() bool { return h.physical.Features.TimelineSemaphore }

// memory allocates memory of the first type that has what is wanted.
func (h *Host) memory(size int64, types, want uint32) vk.Memory {
	h.t.Helper()
	for i, t := range h.physical.MemoryTypes {
		if types>>i&1 == 1 && t.Flags&want == want {
			m, err := h.device.Allocate(size, i, false)
			h.must(err)
			h.later(func() { h.device.Free(m) })
			return m
		}
	}
	h.t.Fatal("no memory of the kind that is needed")
	return nil
}

// HostBuffer is a VkBuffer, whose memory the test sees.
type HostBuffer struct {
	Handle uintptr
	Bytes  []byte
	buffer vk.Buffer
}

// Buffer makes a buffer.
func (h *Host) Buffer(size int64) *HostBuffer {
	h.t.Helper()
	b, err := h.device.NewBuffer(size, nil, false)
	h.must(err)
	need, types := h.device.Requirements(b)
	m := h.memory(need, types, vk.MemoryHostVisible|vk.MemoryHostCoherent)
	h.later(func() { h.device.DestroyBuffer(b) })
	h.must(h.device.Bind(b, m))
	bytes, err := h.device.Map(m, size)
	h.must(err)
	return &HostBuffer{vk.Address(b), bytes, b}
}

// HostImage is a VkImage.
type HostImage struct {
	Handle        uintptr
	Width, Height int
	Layout        int32 // that it was left in
	image         vk.Image
}

// Layouts that a host may have its images in.
const (
	LayoutGeneral    = vk.LayoutGeneral
	LayoutShaderRead = vk.LayoutShaderRead
)

// Image makes an image of four bytes a pixel in the device's memory, of a format with red or blue first,
// linear or sRGB.
func (h *Host) Image(width, height int, bgra, srgb bool) *HostImage {
	h.t.Helper()
	format := map[[2]bool]int32{
		{false, false}: vk.FormatRGBA8, {false, true}: vk.FormatRGBA8SRGB, {true, false}: vk.FormatBGRA8, {true, true}: vk.FormatBGRA8SRGB,
	}[[2]bool{bgra, srgb}]
	i, err := h.device.NewImage(format, uint32(width), uint32(height), 1, vk.ImageUsageTransferSrc|vk.ImageUsageTransferDst|vk.ImageUsageSampled)
	h.must(err)
	need, types := h.device.ImageRequirements(i)
	m := h.memory(need, types, vk.MemoryDeviceLocal)
	h.later(func() { h.device.DestroyImage(i) })
	h.must(h.device.BindImage(i, m))
	return &HostImage{vk.Address(i), width, height, vk.LayoutUndefined, i}
}

// HostSemaphore is a VkSemaphore.
type HostSemaphore struct {
	Handle    uintptr
	semaphore vk.Semaphore
}

// Semaphore makes a semaphore, binary or timeline.
func (h *Host) Semaphore(timeline bool) *HostSemaphore {
	h.t.Helper()
	make := h.device.NewBinary
	if timeline {
		make = h.device.NewTimeline
	}
	s, err := make()
	h.must(err)
	h.later(func() { h.device.DestroySemaphore(s) })
	return &HostSemaphore{vk.Address(s), s}
}

// HostFence is a VkFence.
type HostFence struct {
	Handle uintptr
	fence  vk.Fence
}

// Fence makes an unsignalled fence.
func (h *Host) Fence() *HostFence {
	h.t.Helper()
	f, err := h.device.NewFence()
	h.must(err)
	h.later(func() { h.device.DestroyFence(f) })
	return &HostFence{vk.Address(f), f}
}

// Wait waits for a fence and makes it unsignalled again.
func (h *Host) Wait(f *HostFence) {
	h.t.Helper()
	h.must(h.device.WaitFence(f.fence))
	h.must(h.device.ResetFence(f.fence))
}

// Points of semaphores, for Submit.
func (s *HostSemaphore) at(value uint64) vk.TimelinePoint {
	return vk.TimelinePoint{Semaphore: s.semaphore, Value: value}
}

// Point is a semaphore with the value to wait for or to signal; 0 for a binary one.
type Point struct {
	Semaphore *HostSemaphore
	Value     uint64
}

// Fill gives an image its pixels, tightly packed rows, and leaves it in a layout, in a submission that
// waits and signals; fence may be nil. It does not wait for the device.
func (h *Host) Fill(i *HostImage, pixels []byte, layout int32, wait, signal []Point, fence *HostFence) {
	h.t.Helper()
	staging := h.Buffer(int64(len(pixels)))
	copy(staging.Bytes, pixels)
	write := vk.ImageUse{Stage: vk.StageTransfer, Access: vk.AccessTransferWrite, Layout: vk.LayoutTransferDst}
	h.submit(func(c vk.CommandBuffer) {
		h.device.CmdImageBarrier(c, i.image, 1, vk.ImageUse{Stage: vk.StageAll, Layout: i.Layout}, write)
		h.device.CmdCopyToImage(c, staging.buffer, 0, i.image, 0, 0, 0, i.Width, i.Height)
		h.device.CmdImageBarrier(c, i.image, 1, write, vk.ImageUse{Stage: vk.StageAll, Access: vk.AccessMemoryRead, Layout: layout})
	}, wait, signal, fence)
	i.Layout = layout
}

// Pixels reads an image back, when what was submitted before is done.
func (h *Host) Pixels(i *HostImage) []byte {
	h.t.Helper()
	b, f := h.Buffer(int64(4*i.Width*i.Height)), h.Fence()
	read := vk.ImageUse{Stage: vk.StageTransfer, Access: vk.AccessTransferRead, Layout: vk.LayoutTransferSrc}
	h.submit(func(c vk.CommandBuffer) {
		theirs := vk.ImageUse{Stage: vk.StageAll, Access: vk.AccessMemoryRead, Layout: i.Layout}
		h.device.CmdImageBarrier(c, i.image, 1, theirs, read)
		h.device.CmdCopyFromImage(c, vk.ImagePart{Image: i.image, Width: i.Width, Height: i.Height}, b.buffer, 0)
		h.device.CmdImageBarrier(c, i.image, 1, read, theirs)
		h.device.CmdBarrier(c, vk.StageTransfer, vk.AccessTransferWrite, vk.StageHost, vk.AccessHostRead)
	}, nil, nil, f)
	h.Wait(f)
	return slices.Clone(b.Bytes)
}

// Submit has the queue wait and signal.
func (h *Host) Submit(wait, signal []Point, fence *HostFence) {
	h.t.Helper()
	h.submit(func(vk.CommandBuffer) {}, wait, signal, fence)
}

func (h *Host) submit(record func(vk.CommandBuffer), wait, signal []Point, fence *HostFence) {
	h.t.Helper()
	c, err := h.device.BeginCommandBuffer(h.pool)
	h.must(err)
	record(c)
	h.must(h.device.EndCommandBuffer(c))
	points := func(list []Point) (all []vk.TimelinePoint) {
		for _, p := range list {
			all = append(all, p.Semaphore.at(p.Value))
		}
		return all
	}
	var f vk.Fence
	if fence != nil {
		f = fence.fence
	}
	h.Lock.Lock()
	defer h.Lock.Unlock()
	h.must(h.device.Sync(h.queue, points(wait), nil, nil))
	h.must(h.device.Submit(h.queue, []vk.CommandBuffer{c}, nil, vk.TimelinePoint{}, nil))
	h.must(h.device.Sync(h.queue, nil, points(signal), f))
}
