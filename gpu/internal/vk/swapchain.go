//go:build desktop

package vk

// #include "shim_graphics.h"
import "C"

import (
	"unsafe"

	"github.com/vulkan-go/vulkan"
)

// Handles that only windows need.
type (
	Surface   = vulkan.Surface
	Swapchain = vulkan.Swapchain
)

// SwapchainExtension is what a device needs for swapchains.
const SwapchainExtension = "VK_KHR_swapchain"

// SurfaceFrom returns the surface with the given bits.
func SurfaceFrom(bits uintptr) Surface { return to[Surface](bits) }

// SurfaceAt returns the bits of the surface that memory at an address holds.
func SurfaceAt(address uintptr) uintptr { return to[uintptr](C.bgSurfaceAt(C.uintptr_t(address))) }

// DestroySurface destroys a surface that has no swapchain any more.
func (in *Instance) DestroySurface(s Surface) { C.bgDestroySurface(in.c, to[C.VkSurfaceKHR](s)) }

// CanPresent says whether a queue family of a device can show images on a surface.
func (in *Instance) CanPresent(p PhysicalDevice, family uint32, s Surface) (bool, error) {
	var ok C.VkBool32
	r := C.bgSurfaceSupport(in.c, to[C.VkPhysicalDevice](p), C.uint32_t(family), to[C.VkSurfaceKHR](s), &ok)
	return ok != 0, check("vkGetPhysicalDeviceSurfaceSupportKHR", Result(r))
}

// SurfaceFormat is a format and color space that a surface's images can have.
type SurfaceFormat struct{ Format, ColorSpace int32 }

// SurfaceInfo is what a surface allows at the moment.
type SurfaceInfo struct {
	MinImages, MaxImages uint32 // MaxImages 0: no limit
	Width, Height        uint32 // of its images; NoExtent if they decide
	MinWidth, MinHeight  uint32
	MaxWidth, MaxHeight  uint32
	Usage                uint32
	Formats              []SurfaceFormat
	c                    C.bgSurfaceInfo
}

// NoExtent is a surface's width and height where its images decide.
const NoExtent = 0xffffffff

// DescribeSurface asks what a surface allows.
func (in *Instance) DescribeSurface(p PhysicalDevice, s Surface) (*SurfaceInfo, error) {
	i := &SurfaceInfo{}
	r := C.bgDescribeSurface(in.c, to[C.VkPhysicalDevice](p), to[C.VkSurfaceKHR](s), &i.c)
	if err := check("vkGetPhysicalDeviceSurfaceCapabilitiesKHR", Result(r)); err != nil {
		return nil, err
	}
	c := &i.c.capabilities
	i.MinImages, i.MaxImages = uint32(c.minImageCount), uint32(c.maxImageCount)
	i.Width, i.Height = uint32(c.currentExtent.width), uint32(c.currentExtent.height)
	i.MinWidth, i.MinHeight = uint32(c.minImageExtent.width), uint32(c.minImageExtent.height)
	i.MaxWidth, i.MaxHeight = uint32(c.maxImageExtent.width), uint32(c.maxImageExtent.height)
	i.Usage = uint32(c.supportedUsageFlags)
	for _, f := range i.c.formats[:i.c.formatCount] {
		i.Formats = append(i.Formats, SurfaceFormat{int32(f.format), int32(f.colorSpace)})
	}
	return i, nil
}

// Graphics is the calls of a device for drawing and showing. The device must outlive it.
type Graphics struct {
	c   *C.bgGraphics
	dev *Device
}

// NewGraphics looks the calls up. The device must have been made with SwapchainExtension.
func (in *Instance) NewGraphics(d *Device) (*Graphics, error) {
	g := &Graphics{dev: d}
	if err := check("vkGetDeviceProcAddr", Result(C.bgNewGraphics(in.c, d.c, &g.c))); err != nil {
		return nil, err
	}
	return g, nil
}

// Free forgets the calls.
func (g *Graphics) Free() {
	C.bgFreeGraphics(g.c)
	g.c = nil
}

// NewSwapchain makes at least so many images of a surface, in the format with an index in info.Formats, shown in turn at the
// display's rate. old, which may be null, is the swapchain that it replaces.
func (g *Graphics) NewSwapchain(s Surface, info *SurfaceInfo, format int, images, width, height, usage uint32, old Swapchain) (Swapchain, error) {
	var c C.VkSwapchainKHR
	err := g.dev.do("vkCreateSwapchainKHR", func() C.VkResult {
		return C.bgCreateSwapchain(g.c, to[C.VkSurfaceKHR](s), &info.c, C.uint32_t(format), C.uint32_t(images), C.uint32_t(width),
			C.uint32_t(height), C.VkImageUsageFlags(usage), to[C.VkSwapchainKHR](old), &c)
	})
	return to[Swapchain](c), err
}

// DestroySwapchain destroys a swapchain none of whose images is in use any more.
func (g *Graphics) DestroySwapchain(s Swapchain) { C.bgDestroySwapchain(g.c, to[C.VkSwapchainKHR](s)) }

// SwapchainImages returns a swapchain's images.
func (g *Graphics) SwapchainImages(s Swapchain) ([]Image, error) {
	var n C.uint32_t
	list := func(out *C.VkImage) error {
		return g.dev.do("vkGetSwapchainImagesKHR", func() C.VkResult {
			return C.bgSwapchainImages(g.c, to[C.VkSwapchainKHR](s), &n, out)
		})
	}
	if err := list(nil); err != nil || n == 0 {
		return nil, err
	}
	images := make([]Image, n)
	err := list((*C.VkImage)(unsafe.Pointer(&images[0])))
	return images[:n], err
}

// Acquire returns the index of the image to draw next; signal is signalled when it is free. It waits for timeout ns. Errors are
// Timeout, NotReady, OutOfDate, and Suboptimal, with which there is an image all the same.
func (g *Graphics) Acquire(s Swapchain, timeout uint64, signal Semaphore) (uint32, error) {
	var i C.uint32_t
	err := g.dev.do("vkAcquireNextImageKHR", func() C.VkResult {
		return C.bgAcquire(g.c, to[C.VkSwapchainKHR](s), C.uint64_t(timeout), to[C.VkSemaphore](signal), &i)
	})
	return uint32(i), err
}

// Present shows an image when wait is signalled. The caller synchronizes access to the queue. Errors are those of Acquire.
func (g *Graphics) Present(q Queue, s Swapchain, image uint32, wait Semaphore) error {
	return g.dev.do("vkQueuePresentKHR", func() C.VkResult {
		return C.bgPresent(g.c, to[C.VkQueue](q), to[C.VkSwapchainKHR](s), C.uint32_t(image), to[C.VkSemaphore](wait))
	})
}

// SubmitFrame gives a frame's commands to a queue: they write to the image from when wait is signalled on, and when they are done,
// signal and fence are. The caller synchronizes access to the queue.
func (g *Graphics) SubmitFrame(q Queue, c CommandBuffer, wait, signal Semaphore, fence Fence) error {
	return g.dev.do("vkQueueSubmit", func() C.VkResult {
		return C.bgSubmitFrame(g.c, to[C.VkQueue](q), to[C.VkCommandBuffer](c), to[C.VkSemaphore](wait),
			to[C.VkSemaphore](signal), to[C.VkFence](fence))
	})
}
