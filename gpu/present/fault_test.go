//go:build desktop

package present

import (
	"errors"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// fail makes the next call of a name fail.
func (w *window) fail(call string, r vk.Result) {
	failed := false
	w.d.vk.Fault(func(name string) vk.Result {
		if name == call && !failed {
			failed = true
			return r
		}
		return vk.Success
	})
}

// stale has the next frame make another swapchain.
func (w *window) stale() { w.d.swap.stale = true }

// A lost device or surface is told of as such, whichever call meets with it; then the device is good for Close, and the window for
// another device.
func TestLost(t *testing.T) {
	withWindow(t, func(w *window) {
		for _, test := range []struct {
			call  string
			r     vk.Result
			want  error
			stale bool
		}{
			{"vkQueueSubmit", vk.DeviceLost, gpu.ErrDeviceLost, false},
			{"vkWaitForFences", vk.DeviceLost, gpu.ErrDeviceLost, false},
			{"vkAcquireNextImageKHR", vk.DeviceLost, gpu.ErrDeviceLost, false},
			{"vkQueuePresentKHR", vk.DeviceLost, gpu.ErrDeviceLost, false},
			{"vkCreateImage", vk.DeviceLost, gpu.ErrDeviceLost, false},
			{"vkQueueWaitIdle", vk.DeviceLost, gpu.ErrDeviceLost, true},
			{"vkCreateSwapchainKHR", vk.DeviceLost, gpu.ErrDeviceLost, true},
			{"vkAcquireNextImageKHR", vk.SurfaceLost, ErrSurfaceLost, false},
			{"vkQueuePresentKHR", vk.SurfaceLost, ErrSurfaceLost, false},
			{"vkCreateSwapchainKHR", vk.SurfaceLost, ErrSurfaceLost, true},
		} {
			w.works()
			w.d.swap.stale = test.stale
			w.fail(test.call, test.r)
			shown, err := w.frame(320, 240)
			if shown || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.call) {
				t.Errorf("%s: shown %v, %v, want %v", test.call, shown, err, test.want)
			}
			w.d.vk.Fault(nil)
			if shown, err := w.d.Frame(320, 240, Color{}, nil); shown || !errors.Is(err, test.want) {
				t.Errorf("%s: another frame: shown %v, %v, want %v", test.call, shown, err, test.want)
			}
			w.close()
			if !w.open() {
				return
			}
		}
		w.works()
	})
}

// Memory that is not there is an error, after which all can be destroyed.
func TestOutOfMemory(t *testing.T) {
	withWindow(t, func(w *window) {
		for _, call := range []string{
			"vkCreateSwapchainKHR", "vkGetSwapchainImagesKHR", "vkCreateRenderPass", "vkCreateGraphicsPipelines", "vkCreateImageView",
			"vkCreateFramebuffer", "vkCreateSemaphore", "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkResetCommandPool", "vkQueueSubmit",
		} {
			w.works()
			w.stale()
			texture := w.d.white // not to fail for a texture
			w.fail(call, vk.OutOfDeviceMemory)
			quads := []Quad{{W: 10, H: 10, Kind: Image, Texture: texture}}
			if _, err := w.d.Frame(320, 240, Color{}, quads); !errors.Is(err, gpu.ErrOutOfMemory) || !strings.Contains(err.Error(), call) {
				t.Errorf("%s: %v, want ErrOutOfMemory", call, err)
			}
			w.close()
			if !w.open() {
				return
			}
		}
	})
}

// A texture that has no memory leaves the frames alone.
func TestOutOfMemoryForTextures(t *testing.T) {
	withWindow(t, func(w *window) {
		w.works()
		for _, call := range []string{"vkCreateImage", "vkAllocateMemory", "vkBindImageMemory", "vkCreateImageView", "vkCreateBuffer", "vkBindBufferMemory", "vkMapMemory"} {
			w.fail(call, vk.OutOfDeviceMemory)
			if _, err := w.frame(320, 240); !errors.Is(err, gpu.ErrOutOfMemory) || !strings.Contains(err.Error(), call) {
				t.Errorf("%s: %v, want ErrOutOfMemory", call, err)
			}
			w.d.vk.Fault(nil)
			w.works()
		}
		var kept []*Texture
		var err error
		for err == nil {
			var texture *Texture
			if texture, err = w.d.NewTexture(R8, 1, 1, 1); err == nil {
				kept = append(kept, texture)
			}
		}
		// One is the device's own, and those of the last frames may still be in use.
		if n := len(kept); !errors.Is(err, gpu.ErrOutOfMemory) || n > maxTextures-1 || n < maxTextures-4 {
			t.Errorf("%v after %d textures, want ErrOutOfMemory", err, n)
		}
		for _, texture := range kept {
			texture.Release()
			texture.Release()
		}
		for range len(w.d.frames) { // that may have used them
			if _, err := w.d.Frame(320, 240, Color{}, nil); err != nil {
				t.Error(err)
			}
		}
		w.works()
	})
}

// A swapchain that does not fit the window any more is replaced, and one that hardly fits it too; a display that is busy is asked later.
func TestOutOfDate(t *testing.T) {
	withWindow(t, func(w *window) {
		for _, test := range []struct {
			call     string
			r        vk.Result
			shown    bool
			replaced bool
		}{
			{"vkAcquireNextImageKHR", vk.OutOfDate, false, true},
			{"vkAcquireNextImageKHR", vk.Timeout, false, false},
			{"vkAcquireNextImageKHR", vk.NotReady, false, false},
			{"vkQueuePresentKHR", vk.OutOfDate, true, true},
			{"vkQueuePresentKHR", vk.Suboptimal, true, true},
		} {
			w.works()
			before := w.d.swap
			w.fail(test.call, test.r)
			if shown, err := w.frame(320, 240); shown != test.shown || err != nil {
				t.Errorf("%s %v: shown %v, %v", test.call, test.r, shown, err)
			}
			w.d.vk.Fault(nil)
			w.works()
			if replaced := w.d.swap != before; replaced != test.replaced {
				t.Errorf("%s %v: another swapchain: %v", test.call, test.r, replaced)
			}
		}
	})
}
