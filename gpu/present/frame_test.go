//go:build desktop

package present

import (
	"errors"
	"image/color"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/go-gl/glfw/v3.3/glfw"
)

// captured draws quads until they are shown, and returns what was.
func (w *window) captured(quads []Quad) (at func(x, y int) color.NRGBA, size [2]int) {
	w.Helper()
	for range 100 {
		glfw.PollEvents()
		width, height := w.GetFramebufferSize()
		img, err := w.d.Capture(width, height, Color{10, 20, 30, 255}, quads)
		if err != nil {
			w.Fatal(err)
		}
		if img != nil && img.Rect.Dx() == width && img.Rect.Dy() == height {
			return img.NRGBAAt, [2]int{width, height}
		}
	}
	w.Fatal("no frame is shown")
	return nil, size
}

// Every size that a window can have, one after the other and back, is shown pixel for pixel.
func TestSizes(t *testing.T) {
	withWindow(t, func(w *window) {
		quads := []Quad{{X: 0, Y: 0, W: 1e6, H: 1, From: Color{255, 0, 0, 255}, To: Color{255, 0, 0, 255}}}
		for _, s := range [][2]int{{320, 240}, {1, 1}, {2000, 3}, {3, 1500}, {2560, 1600}, {641, 479}, {320, 240}} {
			w.SetSize(s[0], s[1])
			for range 200 {
				if glfw.PollEvents(); func() bool { x, y := w.GetFramebufferSize(); return x == s[0] && y == s[1] }() {
					break
				}
			}
			at, size := w.captured(quads)
			if size != s {
				t.Errorf("the window is %v, want %v", size, s)
			}
			for _, p := range [][2]int{{0, 0}, {s[0] - 1, 0}} {
				if c := at(p[0], p[1]); c != (color.NRGBA{255, 0, 0, 255}) {
					t.Errorf("%v: %v at %v", s, c, p)
				}
			}
			if c := at(s[0]-1, s[1]-1); s[1] > 1 && c != (color.NRGBA{10, 20, 30, 255}) {
				t.Errorf("%v: %v in the last pixel", s, c)
			}
		}
		for _, s := range [][2]int{{0, 0}, {0, 10}, {10, 0}, {-1, -1}} {
			if shown, err := w.d.Frame(s[0], s[1], Color{}, nil); shown || err != nil {
				t.Errorf("a window of %v: shown %v, %v", s, shown, err)
			}
		}
	})
}

// A frame may have more rectangles than there was memory for, and the next one fewer.
func TestManyQuads(t *testing.T) {
	withWindow(t, func(w *window) {
		for _, n := range []int{0, 1, firstQuads, firstQuads + 1, 20 * firstQuads, 5} {
			quads := make([]Quad, n)
			for i := range quads {
				quads[i] = Quad{X: float32(i % 320), Y: float32(i / 320 % 240), W: 1, H: 1, From: Color{0, 255, 0, 255}, To: Color{0, 255, 0, 255}}
			}
			at, _ := w.captured(quads)
			if n > 0 {
				i := n - 1
				if c := at(i%320, i/320%240); c != (color.NRGBA{0, 255, 0, 255}) {
					t.Errorf("%d quads: the last one is %v", n, c)
				}
			}
		}
	})
}

// Textures are drawn with what was uploaded last, also to a part of them.
func TestTextures(t *testing.T) {
	withWindow(t, func(w *window) {
		texture, err := w.d.NewTexture(RGBA8, 4, 4, 3)
		if err != nil {
			w.Fatal(err)
		}
		fill := func(level, x, y, side int, c byte) {
			pixels := make([]byte, 4*side*side)
			for i := range pixels {
				pixels[i] = c
				if i%4 == 3 {
					pixels[i] = 255
				}
			}
			if err := texture.Upload(level, x, y, side, side, pixels); err != nil {
				w.Fatal(err)
			}
		}
		white := Color{255, 255, 255, 255}
		quads := []Quad{{W: 4, H: 4, Kind: Image, Texture: texture, UV: [4]float32{0, 0, 1, 1}, From: white, To: white}}
		for level, side := range []int{4, 2, 1} {
			fill(level, 0, 0, side, 100)
		}
		if at, _ := w.captured(quads); at(0, 0).R != 100 || at(3, 3).R != 100 {
			t.Errorf("%v", at(0, 0))
		}
		fill(0, 2, 2, 2, 200)
		if at, _ := w.captured(quads); at(0, 0).R != 100 || at(3, 3).R != 200 {
			t.Errorf("%v and %v", at(0, 0), at(3, 3))
		}
		for _, bad := range []struct{ level, x, y, w, h, bytes int }{
			{3, 0, 0, 1, 1, 4}, {-1, 0, 0, 1, 1, 4}, {0, 3, 0, 2, 1, 8}, {0, 0, -1, 1, 1, 4}, {0, 0, 0, 1, 1, 3}, {0, 0, 0, 0, 1, 0}, {2, 0, 0, 2, 1, 8},
		} {
			if err := texture.Upload(bad.level, bad.x, bad.y, bad.w, bad.h, make([]byte, bad.bytes)); err == nil {
				t.Errorf("%+v is taken", bad)
			}
		}
		texture.Release()
		if err := texture.Upload(0, 0, 0, 1, 1, make([]byte, 4)); err == nil {
			t.Error("a released texture takes pixels")
		}
		if at, _ := w.captured(quads); at(0, 0).R != 255 {
			t.Errorf("a released texture is drawn as %v, want the quad's colour", at(0, 0))
		}
		for _, size := range [][3]int{{0, 1, 1}, {1, 0, 1}, {MaxSize + 1, 1, 1}, {1, 1, 0}, {4, 4, 4}} {
			if _, err := w.d.NewTexture(R8, size[0], size[1], size[2]); err == nil {
				t.Errorf("a texture of %v", size)
			}
		}
	})
}

func TestOpenFails(t *testing.T) {
	withWindow(t, func(w *window) {
		w.close()
		surface, err := w.CreateWindowSurface(w.in.Handle(), nil)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.in.Open(SurfaceAt(surface), "none of these"); !errors.Is(err, gpu.ErrNoDevice) {
			t.Errorf("%v, want ErrNoDevice", err)
		}
		w.open()
	})
	const nowhere = "VK_EXT_none_of_these"
	if _, err := NewInstance(Options{Extensions: []string{nowhere}}); err == nil || !strings.Contains(err.Error(), nowhere) {
		t.Errorf("%v, want an error that names the extension", err)
	}
}

// The network's queue is another one, or shared under a lock.
func TestHost(t *testing.T) {
	withWindow(t, func(w *window) {
		h := w.d.Host()
		if w.d.SharesQueue() != (h.QueueLock != nil) {
			t.Error("SharesQueue and the lock disagree")
		}
		g, err := gpu.Open(gpu.Options{Host: h})
		if err != nil {
			w.Fatal(err)
		}
		w.works()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		w.works()
	})
}
