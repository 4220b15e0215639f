//go:build desktop

package present

import (
	"errors"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// swapchain is the images of a window of one size, and what draws on images of their format.
type swapchain struct {
	handle        vk.Swapchain
	width, height uint32
	format        int32
	readable      bool // its images can be copied
	stale         bool // the surface has changed
	images        []target
	pass          vk.RenderPass
	pipeline      vk.Pipeline
}

// target is an image of a swapchain.
type target struct {
	image       vk.Image
	view        vk.ImageView
	framebuffer vk.Framebuffer
	drawn       vk.Semaphore // waited for before the image is shown
}

// surfaceFits makes sure that there is a swapchain for a window of width x height pixels. It is false if the window has no size, as
// a minimized one.
func (d *Device) surfaceFits(width, height int) (bool, error) {
	if width <= 0 || height <= 0 {
		return false, nil
	}
	if s := d.swap; s != nil && !s.stale && s.width == uint32(width) && s.height == uint32(height) {
		return true, nil
	}
	info, err := d.in.vk.DescribeSurface(d.physical.Handle, d.surface)
	if err != nil {
		return false, d.noted(err)
	}
	w, h := info.Width, info.Height
	if w == vk.NoExtent {
		w, h = min(max(uint32(width), info.MinWidth), info.MaxWidth), min(max(uint32(height), info.MinHeight), info.MaxHeight)
	}
	if w == 0 || h == 0 {
		return false, nil
	}
	if s := d.swap; s != nil && !s.stale && s.width == w && s.height == h {
		return true, nil // the window system is behind
	}
	if err := d.drain(); err != nil {
		return false, err
	}
	return true, d.replaceSwapchain(info, w, h)
}

func (d *Device) replaceSwapchain(info *vk.SurfaceInfo, w, h uint32) error {
	s := &swapchain{width: w, height: h, readable: info.Usage&vk.ImageUsageTransferSrc != 0}
	old := d.swap
	d.swap = s
	var previous vk.Swapchain
	if old != nil {
		previous = old.handle
	}
	format := chooseFormat(info.Formats)
	if format < 0 {
		return errors.New("present: the window has no format")
	}
	s.format = info.Formats[format].Format
	images := info.MinImages + 1
	if info.MaxImages > 0 {
		images = min(images, info.MaxImages)
	}
	usage := vk.ImageUsageColor
	if s.readable {
		usage |= vk.ImageUsageTransferSrc
	}
	var err error
	s.handle, err = d.g.NewSwapchain(d.surface, info, format, images, w, h, usage, previous)
	old.destroy(d)
	if err != nil {
		return d.noted(err)
	}
	return d.noted(s.open(d))
}

func (s *swapchain) open(d *Device) error {
	var err error
	if s.pass, err = d.g.NewRenderPass(s.format); err != nil {
		return err
	}
	if s.pipeline, err = d.g.NewQuadPipeline(d.layout, s.pass, words(vertexCode), words(fragmentCode)); err != nil {
		return err
	}
	images, err := d.g.SwapchainImages(s.handle)
	if err != nil {
		return err
	}
	s.images = make([]target, len(images))
	for i := range s.images {
		t := &s.images[i]
		t.image = images[i]
		if t.view, err = d.g.NewImageView(t.image, s.format, 1); err != nil {
			return err
		}
		if t.framebuffer, err = d.g.NewFramebuffer(s.pass, t.view, s.width, s.height); err != nil {
			return err
		}
		if t.drawn, err = d.vk.NewBinary(); err != nil {
			return err
		}
	}
	return nil
}

// chooseFormat prefers eight bits that are stored as they are, in which colours are blended as most programs do.
func chooseFormat(formats []vk.SurfaceFormat) int {
	for _, want := range []int32{vk.FormatBGRA8, vk.FormatRGBA8} {
		for i, f := range formats {
			if f.Format == want && f.ColorSpace == vk.ColorSpaceSRGB {
				return i
			}
		}
	}
	return len(formats) - 1
}

// destroy frees everything; no frame is in flight. nil does nothing.
func (s *swapchain) destroy(d *Device) {
	if s == nil {
		return
	}
	for _, t := range s.images {
		if t.framebuffer != nil {
			d.g.DestroyFramebuffer(t.framebuffer)
		}
		if t.view != nil {
			d.g.DestroyImageView(t.view)
		}
		if t.drawn != nil {
			d.vk.DestroySemaphore(t.drawn)
		}
	}
	if s.pipeline != nil {
		d.vk.DestroyPipeline(s.pipeline)
	}
	if s.pass != nil {
		d.g.DestroyRenderPass(s.pass)
	}
	if s.handle != nil {
		d.g.DestroySwapchain(s.handle)
	}
	*s = swapchain{}
}
