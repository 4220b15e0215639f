//go:build desktop

package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/present"
	"github.com/go-gl/glfw/v3.3/glfw"
)

// Options of Run.
type Options struct {
	Items         iter.Seq[Item]                      // to begin with; read in a goroutine
	Expand        func(paths []string) iter.Seq[Item] // dropped files and folders
	Model         Model                               // to begin with
	Models        []Model                             // to choose from
	Device        string                              // as gpu.Options has it
	TopK          int                                 // classes that are named
	Slice         time.Duration                       // the longest time that the network keeps the device from frames
	Width, Height int                                 // of the window, in points
	Validate      bool                                // run under the validation layer
	CacheDir      string                              // bitgpu.Options.CacheDir
	MaxPixels     int64

	// Shot, if set, has the window be closed when everything that belongs to the first picture is there, and what is shown then given
	// to it. Mode and Map say what of it: "picture", "activation" or "features", and which feature map, -1 for the last.
	Shot func(*image.NRGBA) error
	Mode string
	Map  int
	// Bench, if positive, is how many frames to draw as fast as the display takes them; then the window is closed. Frames is
	// told how long each took, and whether the network was running.
	Bench  int
	Frames func([]FrameTime)

	open  opener            // of networks; nil for bitgpu.Open
	drive func(*view) error // a test's hand: called before every look for something to do; an error is as one of a frame
}

// modes are the values of Options.Mode.
var modes = map[string]mode{"": plain, "picture": plain, "activation": activation, "features": features}

// view is a running viewer, on one device after the other.
type view struct {
	o         Options
	window    *window
	instance  *present.Instance
	g         *gallery
	control   *control
	glyphs    *glyphs
	selection string // of the device to be on, as gpu.Options has it
	proven    string // the last selection that could be opened

	// Of the open device.
	device *present.Device
	scene  *scene
	bench  *bench
	pace   time.Duration // between two frames
}

// Run opens the window and returns when it is closed or ctx ends. It must be called on the main thread, to which the goroutine is locked. The
// error is about what hinders the viewer as a whole; pictures and models that cannot be opened are told of in the window.
func Run(ctx context.Context, o Options) (err error) {
	m, known := modes[o.Mode]
	if !known {
		return fmt.Errorf("view: mode %q", o.Mode)
	}
	v := &view{o: o}
	if v.window, err = openWindow("bitgpu", o.Width, o.Height, o.Shot == nil); err != nil {
		return err
	}
	defer v.window.close()
	if v.glyphs, err = newGlyphs(); err != nil {
		return err
	}
	v.instance, err = present.NewInstance(present.Options{
		GetInstanceProcAddr: uintptr(glfw.GetVulkanGetInstanceProcAddress()),
		Extensions:          v.window.GetRequiredInstanceExtensions(), Validation: o.Validate,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.instance.Close()) }()
	v.g = newGallery(o.Model, v.window.waker.wake)
	v.g.mode, v.g.topk = m, o.TopK
	if o.Map >= 0 {
		v.g.mapIndex = o.Map
	}
	defer v.g.end()
	v.control = &control{g: v.g, models: o.Models, restart: -1, dirty: true, expand: func(paths []string) { v.g.add(o.Expand(paths), true) }}
	v.window.listen(v.control)
	context.AfterFunc(ctx, v.window.waker.wake)
	if o.Items != nil {
		v.g.add(o.Items, false)
	}
	return v.devices(ctx)
}

// lossesInRow is how often a device may be lost, each time within lossTime of being opened.
const (
	lossesInRow = 3
	lossTime    = time.Minute
)

// errCannotOpen is why a window cannot be on a device.
type errCannotOpen struct{ err error }

func (e errCannotOpen) Error() string { return e.err.Error() }
func (e errCannotOpen) Unwrap() error { return e.err }

// devices runs the window on the chosen device, and on another when that is chosen or the device is lost.
func (v *view) devices(ctx context.Context) error {
	v.selection = cmp.Or(v.o.Device, automatic)
	losses := 0
	for {
		opened := time.Now()
		err := v.session(ctx)
		var cannot errCannotOpen
		switch {
		case errors.Is(err, present.ErrSurfaceLost), errors.Is(err, gpu.ErrDeviceLost):
			if time.Since(opened) > lossTime {
				losses = 0
			}
			if losses++; losses == lossesInRow {
				return fmt.Errorf("the device was lost %d times: %w", losses, err)
			}
			v.control.notice = "The device was lost, and has been opened again."
		case errors.As(err, &cannot) && v.retreat():
			first, _, _ := strings.Cut(plainly(err), "\n") // without the list of devices, which the menu has
			v.control.notice = "The device cannot be used: " + first
		case err != nil || v.control.restart < 0:
			return err
		default:
			v.selection = fmt.Sprint(v.control.restart)
		}
		v.control.restart, v.control.dirty = -1, true
		v.g.reopen()
	}
}

// retreat chooses a device in place of one that cannot be opened; false if there is none that has ever been.
func (v *view) retreat() bool {
	switch {
	case v.proven == "":
		return false
	case v.selection != v.proven:
		v.selection = v.proven
	case v.selection != automatic:
		v.selection = automatic
	default:
		return false
	}
	return true
}

// automatic is the selection of the best device.
const automatic = "auto"

// session runs the window on one device, until that is to change, it is lost, or the window is closed.
func (v *view) session(ctx context.Context) (err error) {
	surface, err := v.window.surface(v.instance.Handle())
	if err != nil {
		return err
	}
	if v.device, err = v.instance.Open(surface, v.selection); err != nil {
		return errCannotOpen{err}
	}
	defer func() { err = errors.Join(err, v.device.Close()) }()
	if v.proven != "" && v.selection != v.proven {
		v.g.forget()
	}
	v.proven = v.selection
	if err := v.glyphs.attach(v.device); err != nil {
		return err
	}
	if err := v.nameDevices(); err != nil {
		return err
	}
	v.scene = newScene(v.device, v.g, v.control, v.glyphs, v.o.Shot != nil)
	v.bench = &bench{most: v.o.Bench}
	v.pace = v.window.refresh()
	if v.device.Info().Type == gpu.CPU {
		v.pace = max(v.pace, leisure)
	}
	w := startWorkers(v.g, v.o.open, bitgpu.Options{
		Host: v.device.Host(), SliceBudget: v.o.Slice, CacheDir: v.o.CacheDir, MaxPixels: v.o.MaxPixels,
	})
	defer func() { err = errors.Join(err, w.stop()) }()
	return v.loop(ctx)
}

// nameDevices fills the menu.
func (v *view) nameDevices() error {
	all, err := v.instance.Devices()
	if err != nil {
		return err
	}
	v.control.devices = nil
	for _, d := range all {
		if d.UUID == v.device.Info().UUID && d.Name == v.device.Info().Name {
			v.control.device = d.Index
		}
		v.control.devices = append(v.control.devices, d.Name)
	}
	return nil
}

const (
	leisure = time.Second / 30     // between frames where they take the network's own processors
	idle    = time.Second          // between looks at a window that shows nothing new
	busy    = 5 * time.Millisecond // before a frame is tried again that the window system had no time for
)

// loop draws frames, as many as there is reason for.
func (v *view) loop(ctx context.Context) error {
	next := time.Now() // of the next frame
	for ctx.Err() == nil && !v.control.quit && !v.window.ShouldClose() && v.control.restart < 0 {
		if err := v.lost(); err != nil {
			return err
		}
		switch {
		case v.bench.running():
			v.window.wait(0)
		case v.due():
			v.window.wait(time.Until(next))
		case v.o.drive != nil:
			v.window.wait(busy)
		default:
			v.window.wait(idle)
		}
		if v.o.drive != nil {
			if err := v.o.drive(v); err != nil {
				return err
			}
		}
		if !v.bench.running() && (!v.due() || time.Now().Before(next)) {
			continue
		}
		next = time.Now().Add(v.pace)
		done, err := v.frame()
		if done || err != nil {
			return err
		}
	}
	return nil
}

// due says whether there is a reason for another frame.
func (v *view) due() bool { return v.scene.moving() || v.scene.changed() }

// lost is why the network's side of the device is of no use any more.
func (v *view) lost() error {
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	return v.g.lost
}

// frame draws one frame. done says that there is nothing more to do.
func (v *view) frame() (done bool, err error) {
	width, height := v.window.size()
	if width == 0 || height == 0 {
		v.scene.skip()
		return false, nil
	}
	start := time.Now()
	quads, complete, err := v.scene.draw(width, height, v.window.scale())
	if err != nil {
		return false, err
	}
	v.window.name(v.scene.title())
	if v.o.Shot != nil && complete {
		img, err := v.device.Capture(width, height, background, quads)
		if err != nil || img == nil {
			return false, err
		}
		return true, v.o.Shot(img)
	}
	shown, err := v.device.Frame(width, height, background, quads)
	if err != nil {
		return false, err
	}
	if !shown {
		v.control.redraw() // as soon as it can be
		v.window.wait(busy)
		return false, nil
	}
	if v.bench.running() {
		if err := v.device.Finish(); err != nil {
			return false, err
		}
		if v.bench.add(start, v.computing()) && v.o.Frames != nil {
			v.o.Frames(v.bench.times)
			return true, nil
		}
	}
	return false, nil
}

// computing says whether the network is running.
func (v *view) computing() bool {
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	return v.g.running != nil
}
