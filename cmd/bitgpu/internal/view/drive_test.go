//go:build desktop

package view

// What a user does to a running viewer: the tests here call what GLFW calls, between two frames.

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/present"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/go-gl/glfw/v3.3/glfw"
)

// step is done again and again until it is true.
type step struct {
	what string
	do   func(v *view) bool
}

// at is a step that is done once.
func at(what string, do func(v *view)) step {
	return step{what, func(v *view) bool { do(v); return true }}
}

// errStuck ends a viewer that does not come to the next step.
var errStuck = errors.New("nothing comes of it")

// drive runs a viewer until all steps are done, and returns what Run does.
func drive(t *testing.T, o Options, steps ...step) error {
	t.Helper()
	o.Width, o.Height, o.Map = 640, 480, -1
	if o.Expand == nil {
		o.Expand = func([]string) iter.Seq[Item] { return files() }
	}
	if o.Models == nil {
		o.Models = []Model{demo, other}
	}
	begun := time.Now()
	o.drive = func(v *view) error {
		switch {
		case len(steps) == 0:
			v.control.quit = true
		case steps[0].do(v):
			steps, begun = steps[1:], time.Now()
		case time.Since(begun) > 30*time.Second:
			v.g.mu.Lock()
			defer v.g.mu.Unlock()
			return fmt.Errorf("%w: picture %d of %d, %d answered, opening failed: %v", errStuck, v.g.index, len(v.g.items), v.g.count(), v.g.openErr)
		}
		return nil
	}
	err := run(t, o)
	if len(steps) > 0 {
		t.Errorf("%d steps are still to come: %s; %v", len(steps), steps[0].what, err)
	}
	return err
}

// must drives without an error.
func must(t *testing.T, o Options, steps ...step) {
	t.Helper()
	if err := drive(t, o, steps...); err != nil {
		t.Error(err)
	}
}

var (
	demo  = Model{Name: bitgpu.Demo, Precision: bitgpu.FP32}
	other = Model{Name: bitgpu.Demo, Precision: bitgpu.FP16} // gives answers of its own
)

// Steps that call GLFW's callbacks.

func press(key glfw.Key, mods glfw.ModifierKey) step {
	return at(fmt.Sprintf("key %d", key), func(v *view) {
		f := v.window.SetKeyCallback(nil)
		v.window.SetKeyCallback(f)
		f(v.window.Window, key, 0, glfw.Press, mods)
		f(v.window.Window, key, 0, glfw.Release, mods)
	})
}

func typed(r rune) step {
	return at(string(r), func(v *view) {
		f := v.window.SetCharCallback(nil)
		v.window.SetCharCallback(f)
		f(v.window.Window, r)
	})
}

func scroll(y float64) step {
	return at("the wheel", func(v *view) {
		f := v.window.SetScrollCallback(nil)
		v.window.SetScrollCallback(f)
		f(v.window.Window, 0, y)
	})
}

func drop(names ...string) step {
	return at("a drop", func(v *view) {
		f := v.window.SetDropCallback(nil)
		v.window.SetDropCallback(f)
		f(v.window.Window, names)
	})
}

func framebuffer(width, height int) step {
	return at("another framebuffer", func(v *view) {
		f := v.window.SetFramebufferSizeCallback(nil)
		v.window.SetFramebufferSizeCallback(f)
		f(v.window.Window, width, height)
	})
}

func content(scale float32) step {
	return at("another scale", func(v *view) {
		f := v.window.SetContentScaleCallback(nil)
		v.window.SetContentScaleCallback(f)
		f(v.window.Window, scale, scale)
	})
}

func iconify(iconified bool) step {
	return at("an icon", func(v *view) {
		f := v.window.SetIconifyCallback(nil)
		v.window.SetIconifyCallback(f)
		f(v.window.Window, iconified)
	})
}

// click clicks the hotspot with an index, counted from the end if negative; a mouse is where a display has put it, so no callback is called.
func click(i int) step {
	return step{fmt.Sprintf("a click on %d", i), func(v *view) bool {
		n := len(v.control.hot)
		if n == 0 {
			return false
		}
		b := v.control.hot[(i+n)%n].at
		v.control.click(b.x+b.w/2, b.y+b.h/2)
		return true
	}}
}

// Steps that wait.

// until waits for something of the gallery.
func until(what string, is func(g *gallery) bool) step {
	return step{what, func(v *view) bool {
		v.g.mu.Lock()
		defer v.g.mu.Unlock()
		return is(v.g)
	}}
}

// answered waits for n pictures that are all there are, with an answer or an error each.
func answered(n int) step {
	return until(fmt.Sprintf("%d answers", n), func(g *gallery) bool {
		return g.scanning == 0 && len(g.items) == n && g.count() == n && g.running == nil && g.open != nil && *g.open == g.want
	})
}

func shows(index int) step {
	return until(fmt.Sprintf("picture %d", index), func(g *gallery) bool { return g.index == index })
}

func hasMode(m mode) step {
	return until(fmt.Sprintf("mode %d", m), func(g *gallery) bool { return g.mode == m })
}

func hasGrid(index int) step {
	return until(fmt.Sprintf("feature map %d", index), func(g *gallery) bool {
		a := g.current().answers[g.want]
		return g.mode == features && g.mapIndex == index && a != nil && a.grids[index] != nil
	})
}

// drawn waits for a frame of what there is.
func drawn() step {
	return step{"a frame", func(v *view) bool { return !v.scene.changed() }}
}

// menuOf waits for a menu, or for none.
func menuOf(title string) step {
	return step{"the menu " + title, func(v *view) bool {
		return v.control.menu == nil && title == "" || v.control.menu != nil && v.control.menu.title == title
	}}
}

// notice waits for one that has a text in it.
func notice(text string) step {
	return step{"the notice " + text, func(v *view) bool { return v.control.notice != "" && strings.Contains(v.control.notice, text) }}
}

// picture draws a frame and returns it; nil if nobody can see it.
func (v *view) picture(t *testing.T) *image.NRGBA {
	width, height := v.window.size()
	v.scene.still = true
	quads, _, err := v.scene.draw(width, height, v.window.scale())
	var img *image.NRGBA
	if err == nil {
		img, err = v.device.Capture(width, height, background, quads)
	}
	if err != nil {
		t.Error(err)
	}
	return img
}

// like wants a picture, after some changes, to look like one in testdata.
func like(t *testing.T, name string, img *image.NRGBA, changes ...func(*image.NRGBA) *image.NRGBA) {
	t.Helper()
	if img == nil {
		return // its step was not reached
	}
	for _, change := range changes {
		img = change(img)
	}
	compare(t, filepath.Join("testdata", name+".png"), img)
}

// looks is a step that keeps a picture, to be compared with one in testdata when the viewer is closed.
func looks(t *testing.T, img **image.NRGBA) step {
	return step{"a picture", func(v *view) bool {
		*img = v.picture(t)
		return *img != nil
	}}
}

func TestKeysAndClicks(t *testing.T) {
	must(t, Options{Items: files("coffee.png", "chelsea.png", "rocket.jpg")},
		answered(3),
		press(glfw.KeyRight, 0), shows(1), press(glfw.KeyLeft, 0), shows(0), press(glfw.KeyLeft, 0), shows(2),
		press(glfw.KeyHome, 0), shows(0), press(glfw.KeyEnd, 0), shows(2), press(glfw.KeySpace, 0), shows(0),
		press(glfw.KeyBackspace, 0), shows(2), scroll(-1), shows(0), scroll(1), shows(2),
		typed('a'), hasMode(activation), drawn(), typed('a'), hasMode(plain),
		typed('f'), hasMode(features), typed('2'), hasGrid(2), drawn(), typed('9'), hasGrid(2), press(glfw.KeyEscape, 0), hasMode(plain),
		typed('F'), typed('p'), hasMode(plain),
		drawn(), click(1), hasMode(activation), drawn(), click(0), hasMode(plain),
		typed('m'), menuOf("Model"), typed('a'), hasMode(plain), press(glfw.KeyDown, 0), press(glfw.KeyEnter, 0), menuOf(""),
		until("the other model", func(g *gallery) bool { return g.want == other }), answered(3),
		typed('m'), drawn(), click(0), until("the first model", func(g *gallery) bool { return g.want == demo }), answered(3),
		typed('d'), menuOf("Device"), press(glfw.KeyUp, 0), press(glfw.KeyEscape, 0), menuOf(""),
		typed('d'), drawn(), at("a click beside it", func(v *view) { v.control.click(1, 1) }), menuOf(""),
		typed('h'), drawn(), step{"the keys", func(v *view) bool { return v.control.help }}, press(glfw.KeyEscape, 0),
		step{"no keys", func(v *view) bool { return !v.control.help }},
		drawn(), step{"the picture in the title", func(v *view) bool { return strings.HasPrefix(v.window.title, "rocket.jpg") }},
		press(glfw.KeyQ, glfw.ModControl),
	)
}

func TestQuits(t *testing.T) {
	forever := step{"the end", func(*view) bool { return false }}
	end := func(s step) step {
		return step{s.what, func(v *view) bool { return s.do(v) && forever.do(v) }}
	}
	for _, s := range []step{
		typed('q'), press(glfw.KeyW, glfw.ModControl), press(glfw.KeyQ, glfw.ModSuper),
		at("the close button", func(v *view) { v.window.SetShouldClose(true) }),
	} {
		o := Options{Width: 640, Height: 480, Map: -1, drive: func(v *view) error { end(s).do(v); return nil }}
		if err := run(t, o); err != nil {
			t.Errorf("%s: %v", s.what, err)
		}
	}
}

// Pictures come from a folder one after the other, some of which cannot be read; what is there is answered meanwhile.
func TestFolderInTheBackground(t *testing.T) {
	var img *image.NRGBA
	more := make(chan string)
	items := func(yield func(Item) bool) {
		for name := range more {
			decode := func(context.Context) (*loader.Image, error) {
				return loader.DecodeFile(filepath.Join(photos, name), loader.DecodeLimits{})
			}
			if !yield(Item{Name: name, Decode: decode}) {
				return
			}
		}
	}
	come := func(name string) step { return at(name, func(*view) { more <- name }) }
	has := func(n int) step {
		return until(fmt.Sprintf("%d answers while more come", n), func(g *gallery) bool { return g.scanning == 1 && g.count() == n })
	}
	must(t, Options{Items: items},
		come("coffee.png"), has(1), come("CREDITS.txt"), has(2), come("gone.png"), has(3), come("chelsea.png"), has(4),
		at("the end", func(*view) { close(more) }), answered(4),
		at("a look", func(v *view) {
			v.g.mu.Lock()
			defer v.g.mu.Unlock()
			for i, bad := range []bool{false, true, true, false} {
				it := v.g.items[i]
				if (it.err != nil) != bad || (it.answers[demo] != nil) == bad {
					t.Errorf("%s: error %v, answer %v", it.Name, it.err, it.answers[demo])
				}
			}
		}),
		press(glfw.KeyRight, 0), drawn(),
		looks(t, &img),
		press(glfw.KeyRight, 0), press(glfw.KeyRight, 0), shows(3),
	)
	like(t, "damaged", img, paintOver, half)
}

func TestDrop(t *testing.T) {
	expand := func(names []string) iter.Seq[Item] { return files(names...) }
	must(t, Options{Expand: expand},
		answered(0), drawn(),
		drop("coffee.png", "gone.png"), answered(2), shows(0),
		drop("chelsea.png"), answered(3), shows(2), // what has been dropped is shown
		drop(), answered(3),
	)
}

// Models are changed while one is at work, and in the middle of feature maps.
func TestModelChange(t *testing.T) {
	wrong := Model{Name: "no such model"}
	to := func(m Model) step { return at("model "+m.Name, func(v *view) { v.g.setModel(m) }) }
	must(t, Options{Items: files("coffee.png", "chelsea.png", "rocket.jpg"), Models: []Model{demo, other, wrong}},
		until("work", func(g *gallery) bool { return g.running != nil }), to(other), answered(3),
		typed('f'), typed('1'), hasGrid(1), drawn(),
		// The feature maps of the first one, before it is open again.
		to(demo), until("nothing open", func(g *gallery) bool { return g.open == nil }), drawn(), hasGrid(1), answered(3), drawn(),
		to(other), until("nothing open", func(g *gallery) bool { return g.open == nil }), at("a picture", func(v *view) { v.picture(t) }), hasGrid(1),
		to(wrong), until("trouble", func(g *gallery) bool { return g.openErr != nil }), drawn(),
		at("a picture", func(v *view) { v.picture(t) }),
		to(demo), answered(3), hasGrid(1),
	)
}

// A device is chosen while the network runs; what another has computed is forgotten. One that cannot be used leaves things as they were.
func TestDeviceChange(t *testing.T) {
	var img *image.NRGBA
	var old *answer
	choose := func(i int) step { return at("a device", func(v *view) { v.control.restart = i }) }
	must(t, Options{Items: files("coffee.png", "chelsea.png")},
		answered(2), typed('f'), typed('3'), hasGrid(3), drawn(),
		until("an answer", func(g *gallery) bool { old = g.items[0].answers[demo]; return true }),
		choose(0), until("its being forgotten", func(g *gallery) bool { return g.items[0].answers[demo] != old }),
		until("work", func(g *gallery) bool { return g.running != nil }), choose(0), answered(2), hasGrid(3), drawn(),
		until("an answer", func(g *gallery) bool { old = g.items[0].answers[demo]; return true }),
		choose(99), notice("cannot be used"), drawn(), answered(2), hasGrid(3),
		until("the answer", func(g *gallery) bool { return g.items[0].answers[demo] == old }),
		looks(t, &img),
		typed('p'), step{"no notice", func(v *view) bool { return v.control.notice == "" }},
	)
	like(t, "notice", img, paintOver, half)
}

// Without a display there is an error that says so.
func TestNoDisplay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("displays have no names here")
	}
	t.Setenv("DISPLAY", ":54321")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := run(t, Options{Width: 640, Height: 480}); err == nil || !strings.Contains(err.Error(), "display :54321") {
		t.Errorf("%v, want an error about the display", err)
	}
}

func TestWrongDevice(t *testing.T) {
	if err := run(t, Options{Device: "none of these", Width: 640, Height: 480}); !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("%v, want ErrNoDevice", err)
	}
}

// faulty is a network on a device that is lost while it works.
type faulty struct {
	network
	lose *atomic.Int32 // calls until it is lost; then it goes on counting
}

func (f faulty) Profile(ctx context.Context, img image.Image, want bitgpu.Outputs) (*bitgpu.Output, []bitgpu.StageTime, error) {
	if f.lose.Add(-1) == 0 {
		return nil, nil, fmt.Errorf("vkQueueSubmit: %w", gpu.ErrDeviceLost)
	}
	return f.network.Profile(ctx, img, want)
}

// opens opens networks that are faulty.
func opens(lose *atomic.Int32) opener {
	return func(ctx context.Context, name string, o bitgpu.Options) (network, error) {
		m, err := openModel(ctx, name, o)
		return faulty{m, lose}, err
	}
}

// A device that is lost is opened again, and the pictures that it has not answered are answered; the window says so.
func TestDeviceLost(t *testing.T) {
	var lose atomic.Int32
	lose.Store(2)
	var first *answer
	must(t, Options{Items: files("coffee.png", "chelsea.png", "rocket.jpg"), open: opens(&lose)},
		until("an answer", func(g *gallery) bool {
			for _, it := range g.items {
				if a := it.answers[demo]; a != nil {
					first = a
				}
			}
			return first != nil
		}),
		notice("lost"), answered(3), drawn(),
		at("a look", func(v *view) {
			kept := false
			for _, it := range v.g.items {
				kept = kept || it.answers[demo] == first
			}
			if !kept {
				t.Error("the answer from before is gone")
			}
		}),
		press(glfw.KeyRight, 0), step{"no notice", func(v *view) bool { return v.control.notice == "" }},
	)
}

// The same when a frame meets with it, or when the window system takes the surface away.
func TestFrameLost(t *testing.T) {
	for _, lost := range []error{gpu.ErrDeviceLost, present.ErrSurfaceLost} {
		again := false
		o := Options{Items: files("coffee.png", "chelsea.png"), Width: 640, Height: 480, Mode: "features", Map: 2}
		o.drive = func(v *view) error {
			switch {
			case !again && v.computing():
				again = true
				return fmt.Errorf("vkQueuePresentKHR: %w", lost)
			case again:
				v.control.quit = strings.Contains(v.control.notice, "lost") && hasGrid(2).do(v) && answered(2).do(v)
			}
			return nil
		}
		if err := run(t, o); err != nil || !again {
			t.Errorf("%v: %v", lost, err)
		}
	}
}

// One that is lost again and again is given up.
func TestDeviceLostForGood(t *testing.T) {
	losses := 0
	open := func(ctx context.Context, name string, o bitgpu.Options) (network, error) {
		losses++
		return nil, fmt.Errorf("vkCreateBuffer: %w", gpu.ErrDeviceLost)
	}
	err := run(t, Options{Items: files("coffee.png"), Width: 640, Height: 480, Map: -1, open: open})
	if !errors.Is(err, gpu.ErrDeviceLost) || losses != lossesInRow || !strings.Contains(err.Error(), "3 times") {
		t.Errorf("after %d losses: %v", losses, err)
	}
}

// stuck is a network that ends with its context only.
type stuck struct {
	network
	begun chan struct{}
	ended chan error
}

func (s stuck) Profile(ctx context.Context, _ image.Image, _ bitgpu.Outputs) (*bitgpu.Output, []bitgpu.StageTime, error) {
	close(s.begun)
	<-ctx.Done()
	s.ended <- ctx.Err()
	return nil, nil, ctx.Err()
}

// A window is closed at once, whatever the network, the decoder and the search for pictures are at.
func TestCloseWhileAtWork(t *testing.T) {
	s := stuck{begun: make(chan struct{}), ended: make(chan error, 1)}
	open := func(ctx context.Context, name string, o bitgpu.Options) (network, error) {
		m, err := openModel(ctx, name, o)
		s.network = m
		return s, err
	}
	var reads sync.WaitGroup
	var begun, searching atomic.Bool
	release := make(chan struct{})
	defer close(release)
	items := func(yield func(Item) bool) {
		for i := range files("coffee.png") {
			yield(i)
		}
		yield(Item{Name: "slow.png", Decode: func(ctx context.Context) (*loader.Image, error) {
			reads.Add(1)
			defer reads.Done()
			begun.Store(true)
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		searching.Store(true)
		<-release // a directory that does not answer
	}
	must(t, Options{Items: items, open: open},
		step{"the network's work", func(*view) bool {
			select {
			case <-s.begun:
				return true
			default:
				return false
			}
		}},
		step{"the decoder's work", func(*view) bool { return begun.Load() && searching.Load() }},
	)
	reads.Wait()
	select {
	case err := <-s.ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	default:
		t.Error("the network was not given up")
	}
}

// Who goes on need not wait for a picture that cannot be had.
func TestSlowPicture(t *testing.T) {
	var given atomic.Int32
	slow := func(yield func(Item) bool) {
		yield(Item{Name: "slow.png", Decode: func(ctx context.Context) (*loader.Image, error) {
			<-ctx.Done()
			given.Add(1)
			return nil, ctx.Err()
		}})
		for i := range files("coffee.png") {
			yield(i)
		}
	}
	must(t, Options{Items: slow},
		until("the reading", func(g *gallery) bool { return g.reading != nil && len(g.items) == 2 }),
		press(glfw.KeyRight, 0),
		until("the other picture", func(g *gallery) bool { return g.items[1].answers[demo] != nil && g.items[1].picture != nil }),
		at("a look", func(v *view) {
			if given.Load() == 0 {
				t.Error("the slow one was not given up")
			}
			v.g.mu.Lock()
			defer v.g.mu.Unlock()
			if err := v.g.items[0].err; err != nil {
				t.Errorf("giving it up is no error of the picture's: %v", err)
			}
		}),
	)
}

// fits waits for a frame of a size.
func fits(t *testing.T, width, height int) step {
	return step{fmt.Sprintf("%d x %d", width, height), func(v *view) bool {
		if w, h := v.window.size(); w != width || h != height {
			return false
		}
		img := v.picture(t)
		return img != nil && img.Rect.Dx() == width && img.Rect.Dy() == height
	}}
}

func TestResize(t *testing.T) {
	for _, mode := range []string{"picture", "activation", "features"} {
		steps := []step{
			answered(2),
			at("no limits", func(v *view) { v.window.SetSizeLimits(glfw.DontCare, glfw.DontCare, glfw.DontCare, glfw.DontCare) }),
		}
		for _, s := range []image.Point{{480, 360}, {1, 1}, {37, 900}, {1500, 41}, {2560, 1600}, {333, 777}, {640, 480}} {
			steps = append(steps, at("a size", func(v *view) { v.window.SetSize(s.X, s.Y) }), fits(t, s.X, s.Y))
		}
		// Sizes that follow each other faster than frames.
		for i := range 20 {
			steps = append(steps, at("a size", func(v *view) { v.window.SetSize(500+13*i, 700-11*i) }))
		}
		must(t, Options{Items: files("coffee.png", "chelsea.png"), Mode: mode}, append(steps, fits(t, 500+13*19, 700-11*19))...)
	}
}

// At the least size that a window can have, nothing lies over anything else.
func TestSmall(t *testing.T) {
	var img *image.NRGBA
	must(t, Options{Items: files("chelsea.png", "coffee.png"), Mode: "activation"},
		answered(2), at("a size", func(v *view) { v.window.SetSize(10, 10); v.window.SetSize(minWidth, minHeight) }),
		fits(t, minWidth, minHeight),
		looks(t, &img),
	)
	like(t, "small", img, paintOver)
}

// A window that nobody can see draws nothing, while the network goes on; then it shows what there is.
func TestMinimize(t *testing.T) {
	for what, hide := range map[string][2]step{
		"icon":    {iconify(true), iconify(false)},
		"no size": {framebuffer(0, 0), framebuffer(640, 480)},
	} {
		idle := time.Time{}
		must(t, Options{Items: files("coffee.png", "chelsea.png")},
			until("work", func(g *gallery) bool { return g.running != nil }), hide[0], answered(2),
			at("the time", func(*view) { idle = time.Now() }),
			step{"no frame", func(v *view) bool {
				if img := v.picture(t); img != nil {
					t.Errorf("%s: a frame was shown", what)
				}
				return time.Since(idle) > 50*time.Millisecond
			}},
			hide[1], drawn(), fits(t, 640, 480),
		)
	}
}

// At twice the scale everything has twice the size.
func TestScale(t *testing.T) {
	var img *image.NRGBA
	must(t, Options{Items: files("coffee.png"), Mode: "activation"},
		answered(1), at("a size", func(v *view) { v.window.SetSize(1280, 960) }), content(2), fits(t, 1280, 960), drawn(),
		looks(t, &img),
		content(1), fits(t, 1280, 960), content(0), fits(t, 1280, 960), content(3.5), fits(t, 1280, 960),
		at("a look", func(v *view) {
			if s := v.window.scale(); math.Abs(float64(s-3.5)) > 1e-6 {
				t.Errorf("the scale is %v", s)
			}
		}),
	)
	like(t, "scaled", img, half, paintOver) // half of scale 2 is scale 1
}

// Reading errors of files are those of the system.
func TestUnreadable(t *testing.T) {
	denied := func(yield func(Item) bool) {
		yield(Item{Name: "a.png", Decode: func(context.Context) (*loader.Image, error) { return nil, fmt.Errorf("a.png: %w", fs.ErrPermission) }})
	}
	must(t, Options{Items: denied}, answered(1), drawn(), typed('a'), drawn(), typed('f'), drawn(), at("a picture", func(v *view) { v.picture(t) }))
}
