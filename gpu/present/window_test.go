//go:build desktop

package present

// The tests here open windows, on a virtual display where CI has no other (make test-desktop).

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/bitgpu/bitgpu/tests/mainthread"
)

func TestMain(m *testing.M) { mainthread.Run(m) } // all of a test of a window runs on the main thread

// window is a window of a test and the device that it is on.
type window struct {
	*testing.T
	*glfw.Window
	in *Instance
	d  *Device
}

// abandoned ends a test on the main thread, which testing.T.Fatal would end for good.
type abandoned struct{}

func (w *window) Fatal(args ...any) {
	w.Helper()
	w.Error(args...)
	panic(abandoned{})
}

// withWindow runs a test with a window of 320x240, under the validation layer, which must have nothing to say.
func withWindow(t *testing.T, test func(w *window)) {
	t.Helper()
	mainthread.Do(func() {
		defer func() {
			if r := recover(); r != nil && r != any(abandoned{}) {
				panic(r)
			}
		}()
		if err := glfw.Init(); err != nil {
			t.Error(err)
			return
		}
		defer glfw.Terminate()
		glfw.WindowHint(glfw.ClientAPI, glfw.NoAPI)
		handle, err := glfw.CreateWindow(320, 240, "test", nil, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer handle.Destroy()
		w := &window{T: t, Window: handle}
		w.in, err = NewInstance(Options{
			GetInstanceProcAddr: uintptr(glfw.GetVulkanGetInstanceProcAddress()),
			Extensions:          handle.GetRequiredInstanceExtensions(), Validation: true,
		})
		if err != nil {
			t.Error(err)
			return
		}
		if w.open() {
			test(w)
			w.close()
		}
		if err := w.in.Close(); err != nil {
			t.Error(err)
		}
	})
}

// open opens a device for the window.
func (w *window) open() bool {
	w.Helper()
	// What CreateWindowSurface returns is the address of memory that nothing keeps alive.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	surface, err := w.CreateWindowSurface(w.in.Handle(), nil)
	if err == nil {
		w.d, err = w.in.Open(SurfaceAt(surface), "auto")
	}
	if err != nil {
		w.Error(err)
	}
	return err == nil
}

func (w *window) close() {
	w.Helper()
	if err := w.d.Close(); err != nil {
		w.Error(err)
	}
}

// frame draws a frame of a size, with a picture that is made for it.
func (w *window) frame(width, height int) (shown bool, err error) {
	t, err := w.d.NewTexture(RGBA8, 2, 2, 1)
	if err != nil {
		return false, err
	}
	defer t.Release()
	if err := t.Upload(0, 0, 0, 2, 2, make([]byte, 16)); err != nil {
		return false, err
	}
	glfw.PollEvents()
	return w.d.Frame(width, height, Color{0, 0, 0, 255}, []Quad{
		{W: 10, H: 10, Kind: Image, Texture: t, UV: [4]float32{0, 0, 1, 1}, From: Color{255, 255, 255, 255}},
		{X: 20, W: 10, H: 10, From: Color{255, 0, 0, 255}, To: Color{0, 0, 255, 255}},
	})
}

// works draws until frames are shown.
func (w *window) works() {
	w.Helper()
	const enough = 4 // more than there are images and slots
	for n, tries := 0, 0; n < enough; tries++ {
		width, height := w.GetFramebufferSize()
		shown, err := w.frame(width, height)
		if err != nil {
			w.Error(err)
			return
		}
		if shown {
			n++
		}
		if tries > 100 {
			w.Error("no frame is shown")
			return
		}
	}
}
