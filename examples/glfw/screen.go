package main

import (
	"github.com/go-gl/glfw/v3.3/glfw"
	vk "github.com/vulkan-go/vulkan"
)

// screen shows a picture in the window.
type screen struct {
	device    *device
	window    *glfw.Window
	picture   *texture
	swapchain vk.Swapchain
	images    []vk.Image
	size      vk.Extent2D
}

// draw shows the picture in the size that the window has now. It is false if it should be drawn once more, as the window has changed.
func (s *screen) draw() (drawn bool, err error) {
	err = settled(func() error {
		drawn, err = s.drawOnce()
		return err
	})
	return drawn, err
}

func (s *screen) drawOnce() (bool, error) {
	width, height := s.window.GetFramebufferSize()
	if width == 0 || height == 0 {
		return true, nil // minimized
	}
	d := s.device
	if s.swapchain == nil {
		if err := s.make(width, height); err != nil {
			return false, err
		}
	}
	var index uint32
	var result vk.Result
	err := d.fenced(func(fence vk.Fence) vk.Result {
		result = vk.AcquireNextImage(d.device, s.swapchain, vk.MaxUint64, nil, fence, &index)
		return result
	})
	if result == vk.ErrorOutOfDate {
		s.close()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	target := s.images[index]
	err = d.submit(func(c vk.CommandBuffer) {
		transition(c, target, vk.ImageLayoutUndefined, vk.ImageLayoutTransferDstOptimal)
		vk.CmdBlitImage(c, s.picture.image, vk.ImageLayoutTransferSrcOptimal, target, vk.ImageLayoutTransferDstOptimal, 1, []vk.ImageBlit{{
			SrcSubresource: colorLayer, SrcOffsets: [2]vk.Offset3D{{}, {X: int32(s.picture.width), Y: int32(s.picture.height), Z: 1}},
			DstSubresource: colorLayer, DstOffsets: [2]vk.Offset3D{{}, {X: int32(s.size.Width), Y: int32(s.size.Height), Z: 1}},
		}}, vk.FilterLinear)
		transition(c, target, vk.ImageLayoutTransferDstOptimal, vk.ImageLayoutPresentSrc)
	})
	if err != nil {
		return false, err
	}
	d.lock.Lock()
	result = vk.QueuePresent(d.queue, &vk.PresentInfo{
		SType: vk.StructureTypePresentInfo, SwapchainCount: 1, PSwapchains: []vk.Swapchain{s.swapchain}, PImageIndices: []uint32{index},
	})
	d.lock.Unlock()
	if result == vk.ErrorOutOfDate || result == vk.Suboptimal {
		s.close()
		return false, nil
	}
	return true, check("vkQueuePresentKHR", result)
}

// make makes the swapchain for a window of so many pixels.
func (s *screen) make(width, height int) error {
	d := s.device
	var caps vk.SurfaceCapabilities
	if err := check("vkGetPhysicalDeviceSurfaceCapabilitiesKHR", vk.GetPhysicalDeviceSurfaceCapabilities(d.physical, d.surface, &caps)); err != nil {
		return err
	}
	caps.Deref()
	caps.CurrentExtent.Deref()
	if s.size = caps.CurrentExtent; s.size.Width == vk.MaxUint32 { // the window decides
		s.size = vk.Extent2D{Width: uint32(width), Height: uint32(height)}
	}
	var n uint32
	vk.GetPhysicalDeviceSurfaceFormats(d.physical, d.surface, &n, nil)
	formats := make([]vk.SurfaceFormat, n)
	vk.GetPhysicalDeviceSurfaceFormats(d.physical, d.surface, &n, formats)
	for i := range formats {
		formats[i].Deref()
	}
	format := formats[0]
	for _, f := range formats { // one that takes colours as they are
		if f.Format == vk.FormatB8g8r8a8Unorm || f.Format == vk.FormatR8g8b8a8Unorm {
			format = f
		}
	}
	var made vk.Swapchain // not in s: C must not see an address of what holds Go's pointers
	err := check("vkCreateSwapchainKHR", vk.CreateSwapchain(d.device, &vk.SwapchainCreateInfo{
		SType: vk.StructureTypeSwapchainCreateInfo, Surface: d.surface, MinImageCount: caps.MinImageCount,
		ImageFormat: format.Format, ImageColorSpace: format.ColorSpace, ImageExtent: s.size, ImageArrayLayers: 1,
		ImageUsage: vk.ImageUsageFlags(vk.ImageUsageTransferDstBit), PreTransform: caps.CurrentTransform,
		CompositeAlpha: vk.CompositeAlphaOpaqueBit, PresentMode: vk.PresentModeFifo, Clipped: vk.True,
	}, nil, &made))
	s.swapchain = made
	if err != nil {
		return err
	}
	vk.GetSwapchainImages(d.device, s.swapchain, &n, nil)
	s.images = make([]vk.Image, n)
	return check("vkGetSwapchainImagesKHR", vk.GetSwapchainImages(d.device, s.swapchain, &n, s.images))
}

// close destroys the swapchain.
func (s *screen) close() {
	if s.swapchain == nil {
		return
	}
	s.device.lock.Lock()
	vk.DeviceWaitIdle(s.device.device)
	s.device.lock.Unlock()
	vk.DestroySwapchain(s.device.device, s.swapchain, nil)
	s.swapchain = nil
}
