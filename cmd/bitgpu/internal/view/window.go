//go:build desktop

package view

import (
	"errors"
	"fmt"
	"log"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu/gpu/present"
	"github.com/go-gl/glfw/v3.3/glfw"
)

// window is a GLFW window, and what GLFW has told of it. All of it but wake belongs to the main thread.
type window struct {
	*glfw.Window
	waker         waker
	width, height int     // of the framebuffer, in pixels
	content       float32 // scale of the display's content
	iconified     bool
	title         string
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

// start initializes GLFW, whose Go package logs what the window system has to say, and returns no error then.
func start() (err error) {
	var said strings.Builder
	output, flags := log.Writer(), log.Flags()
	log.SetOutput(&said)
	log.SetFlags(0)
	defer func() {
		log.SetOutput(output)
		log.SetFlags(flags)
		if recover() != nil { // of GetTime: GLFW is not initialized
			err = errors.New(strings.TrimPrefix(strings.TrimSpace(said.String()), "PlatformError: "))
		}
	}()
	if err := glfw.Init(); err != nil {
		return err
	}
	glfw.GetTime()
	return nil
}

// openWindow opens a window of width x height points. The caller runs on the main thread, and closes it.
func openWindow(title string, width, height int, visible bool) (*window, error) {
	if err := start(); err != nil {
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
	w := &window{Window: handle, title: title}
	w.width, w.height = handle.GetFramebufferSize()
	w.content, _ = handle.GetContentScale()
	w.waker.open = true
	w.limit()
	return w, nil
}

// The least size of a window, in points.
const (
	minWidth  = 480
	minHeight = 360
)

// limit sets the least size, in the window system's own unit.
func (w *window) limit() {
	width, _ := w.GetSize()
	k := float32(1)
	if w.width > 0 {
		k = w.scale() * float32(width) / float32(w.width)
	}
	w.SetSizeLimits(int(k*minWidth), int(k*minHeight), glfw.DontCare, glfw.DontCare)
}

// size is the framebuffer's, in pixels: 0x0 while nobody can see it.
func (w *window) size() (width, height int) {
	if w.iconified {
		return 0, 0
	}
	return w.width, w.height
}

// name has the title say what is shown.
func (w *window) name(title string) {
	if w.title != title {
		w.title = title
		w.SetTitle(title)
	}
}

// refresh is how long the display shows a frame.
func (w *window) refresh() time.Duration {
	if m := glfw.GetPrimaryMonitor(); m != nil {
		if mode := m.GetVideoMode(); mode != nil && mode.RefreshRate > 0 {
			return time.Second / time.Duration(mode.RefreshRate)
		}
	}
	return time.Second / 60
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
func (w *window) scale() float32 { return max(w.content, 0.5) }

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
	w.SetFramebufferSizeCallback(func(_ *glfw.Window, width, height int) {
		w.width, w.height = width, height
		c.redraw()
	})
	w.SetContentScaleCallback(func(_ *glfw.Window, x, _ float32) {
		w.content = x
		w.limit()
		c.redraw()
	})
	w.SetIconifyCallback(func(_ *glfw.Window, iconified bool) {
		w.iconified = iconified
		c.redraw()
	})
}

// cursor is where the mouse is, in points of the canvas.
func (w *window) cursor() (x, y float32) {
	cx, cy := w.GetCursorPos()
	width, height := w.GetSize()
	if width == 0 || height == 0 {
		return -1, -1
	}
	s := w.scale()
	return float32(cx) * float32(w.width) / float32(width) / s, float32(cy) * float32(w.height) / float32(height) / s
}
