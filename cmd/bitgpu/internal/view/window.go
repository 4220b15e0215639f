//go:build desktop

package view

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu/gpu/present"
	"github.com/go-gl/glfw/v3.3/glfw"
)

// window is a GLFW window. All of it but wake belongs to the main thread.
type window struct {
	*glfw.Window
	waker waker
}

// waker wakes the main thread as long as there is a window.
type waker struct {
	mu   sync.Mutex
	open bool
}

func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		glfw.PostEmptyEvent()
	}
}

// openWindow opens a window of width x height points. The caller runs on the main thread, and closes it.
func openWindow(title string, width, height int, visible bool) (*window, error) {
	if err := glfw.Init(); err != nil {
		return nil, fmt.Errorf("no window can be opened: %w", err)
	}
	if !glfw.VulkanSupported() {
		glfw.Terminate()
		return nil, fmt.Errorf("no window can be opened: GLFW finds no Vulkan that shows windows here")
	}
	glfw.WindowHint(glfw.ClientAPI, glfw.NoAPI)
	glfw.WindowHint(glfw.ScaleToMonitor, glfw.True)
	if !visible {
		glfw.WindowHint(glfw.FocusOnShow, glfw.False)
	}
	handle, err := glfw.CreateWindow(width, height, title, nil, nil)
	if err != nil {
		glfw.Terminate()
		return nil, fmt.Errorf("no window can be opened: %w", err)
	}
	handle.SetSizeLimits(480, 360, glfw.DontCare, glfw.DontCare)
	w := &window{Window: handle}
	w.waker.open = true
	return w, nil
}

// surface makes a surface for Vulkan, and returns its bits.
func (w *window) surface(instance any) (uintptr, error) {
	// GLFW's Go package returns the address of a variable that nothing keeps alive, so no garbage may be collected
	// until it has been read.
	percent := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(percent)
	runtime.GC()
	address, err := w.CreateWindowSurface(instance, nil)
	if err != nil {
		return 0, fmt.Errorf("the window has no surface for Vulkan: %w", err)
	}
	return present.SurfaceAt(address), nil
}

func (w *window) close() {
	w.waker.mu.Lock()
	w.waker.open = false
	w.waker.mu.Unlock()
	w.Destroy()
	glfw.Terminate()
}

// scale is how many pixels a point has: the display's content scale on systems whose windows are measured in pixels, and that of the
// framebuffer elsewhere.
func (w *window) scale() float32 {
	x, _ := w.GetContentScale()
	return max(x, 0.5)
}

// wait lets the window system have its say: at once, or when something happens, at most for a time.
func (w *window) wait(most time.Duration) {
	if most <= 0 {
		glfw.PollEvents()
		return
	}
	glfw.WaitEventsTimeout(most.Seconds())
}

// listen has keys, the mouse and dropped files go to the control.
func (w *window) listen(c *control) {
	w.SetKeyCallback(func(_ *glfw.Window, key glfw.Key, _ int, action glfw.Action, mods glfw.ModifierKey) {
		if action != glfw.Release {
			c.key(key, mods)
		}
	})
	w.SetCharCallback(func(_ *glfw.Window, r rune) { c.char(r) })
	w.SetDropCallback(func(_ *glfw.Window, names []string) { c.drop(names) })
	w.SetScrollCallback(func(_ *glfw.Window, _, y float64) { c.scroll(y) })
	w.SetMouseButtonCallback(func(_ *glfw.Window, button glfw.MouseButton, action glfw.Action, _ glfw.ModifierKey) {
		if button == glfw.MouseButtonLeft && action == glfw.Press {
			c.click(w.cursor())
		}
	})
	w.SetCursorPosCallback(func(*glfw.Window, float64, float64) { c.hover(w.cursor()) })
	w.SetRefreshCallback(func(*glfw.Window) { c.redraw() })
	w.SetFramebufferSizeCallback(func(*glfw.Window, int, int) { c.redraw() })
	w.SetContentScaleCallback(func(*glfw.Window, float32, float32) { c.redraw() })
}

// cursor is where the mouse is, in points of the canvas.
func (w *window) cursor() (x, y float32) {
	cx, cy := w.GetCursorPos()
	width, height := w.GetSize()
	fw, fh := w.GetFramebufferSize()
	if width == 0 || height == 0 {
		return -1, -1
	}
	s := w.scale()
	return float32(cx) * float32(fw) / float32(width) / s, float32(cy) * float32(fh) / float32(height) / s
}
