//go:build desktop

package view

// The tests here open windows, on a virtual display where CI has no other (make test-desktop). The picture of a window is
// compared with one in testdata, which -update rewrites after somebody has looked at it.

import (
	"context"
	"errors"
	"flag"
	"image"
	"image/png"
	"iter"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/mainthread"
)

var update = flag.Bool("update", false, "rewrite the pictures in testdata")

func TestMain(m *testing.M) { mainthread.Run(m) }

// run runs a viewer on the main thread.
func run(t *testing.T, o Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	o.Validate, o.CacheDir, o.Slice = true, "none", 20*time.Millisecond
	if o.Model.Name == "" {
		o.Model = Model{Name: bitgpu.Demo, Precision: bitgpu.FP32}
	}
	if o.TopK == 0 {
		o.TopK = 5
	}
	var err error
	mainthread.Do(func() { err = Run(ctx, o) })
	return err
}

const photos = "../../../../docs/photos"

// files are pictures of docs/photos, under the names that a window shows.
func files(names ...string) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, n := range names {
			decode := func(context.Context) (*loader.Image, error) {
				return loader.DecodeFile(filepath.Join(photos, n), loader.DecodeLimits{})
			}
			if !yield(Item{Name: n, Decode: decode}) {
				return
			}
		}
	}
}

// Tolerances of comparisons: what drivers round in colours and at edges, and the numbers of a machine (times, the device's name), which
// are painted over.
const (
	sameChannel = 24    // a channel may differ by so much
	otherPixels = 0.001 // and more than that in such a share of the pixels
)

// hidden is where a window at scale 1 shows what differs between machines: the times, and the device.
func hidden(b image.Rectangle) []image.Rectangle {
	left, device := b.Max.X-panelWidth, b.Max.Y-92
	if narrow := int(float32(b.Max.X) * panelShare); narrow < panelWidth {
		left = b.Max.X - narrow
	}
	return []image.Rectangle{
		image.Rect(b.Max.X-110, 76, b.Max.X, 100),                      // the answer's time
		image.Rect(left+4, 330, b.Max.X, max(330, min(530, device-8))), // the times
		image.Rect(left+4, device, b.Max.X, b.Max.Y-56),                // the device
	}
}

// paintOver hides that, and returns the picture.
func paintOver(img *image.NRGBA) *image.NRGBA {
	for _, r := range hidden(img.Rect) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				img.SetNRGBA(x, y, img.NRGBAAt(img.Rect.Max.X-2, img.Rect.Max.Y-2))
			}
		}
	}
	return img
}

func TestPictures(t *testing.T) {
	for _, test := range []struct {
		name, mode string
		feature    int
		items      iter.Seq[Item]
	}{
		{"picture", "picture", -1, files("coffee.png", "chelsea.png")},
		{"activation", "activation", -1, files("coffee.png")},
		{"features", "features", 1, files("coffee.png")},
		{"empty", "picture", -1, files()},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got *image.NRGBA
			err := run(t, Options{
				Items: test.items, Mode: test.mode, Map: test.feature, Width: 960, Height: 640,
				Shot: func(img *image.NRGBA) error { got = img; return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata", test.name+".png"), half(paintOver(got))) // small files
		})
	}
}

// compare wants an image to look like that in a file.
func compare(t *testing.T, path string, got *image.NRGBA) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != got.Rect {
		t.Fatalf("%s: %v, want %v", path, got.Rect, want.Bounds())
	}
	if share := different(got, want); share > otherPixels {
		seen := filepath.Join(os.TempDir(), "bitgpu-view-"+filepath.Base(path))
		write(t, seen, got)
		t.Errorf("%s: %.2f %% of the pixels differ; what was seen is %s", path, 100*share, seen)
	}
}

// different is the share of pixels that differ.
func different(got *image.NRGBA, want image.Image) float64 {
	n := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			g := got.NRGBAAt(x, y)
			r, gg, b, _ := want.At(x, y).RGBA()
			for _, c := range [][2]int{{int(g.R), int(r >> 8)}, {int(g.G), int(gg >> 8)}, {int(g.B), int(b >> 8)}} {
				if math.Abs(float64(c[0]-c[1])) > sameChannel {
					n++
					break
				}
			}
		}
	}
	return float64(n) / float64(got.Rect.Dx()*got.Rect.Dy())
}

func write(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, img), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A picture that cannot be read and a network that cannot be opened are told of in the window, which stays.
func TestTroubleIsShown(t *testing.T) {
	broken := func(yield func(Item) bool) {
		yield(Item{Name: "broken.png", Decode: func(context.Context) (*loader.Image, error) { return nil, errors.New("broken.png: damaged") }})
	}
	for _, o := range []Options{
		{Items: broken},
		{Items: files("coffee.png"), Model: Model{Name: "no such model"}},
		{Items: files("coffee.png"), Mode: "features", Map: -1, Model: Model{Name: bitgpu.Demo, Weights: "nothing"}},
	} {
		shots := 0
		o.Width, o.Height = 640, 480
		o.Shot = func(*image.NRGBA) error { shots++; return nil }
		if err := run(t, o); err != nil || shots != 1 {
			t.Errorf("%d pictures of the window, %v", shots, err)
		}
	}
}

// Frames are drawn while the network runs, and every one of them is timed.
func TestFrameTimes(t *testing.T) {
	var times []FrameTime
	err := run(t, Options{
		Items: files("coffee.png", "chelsea.png"), Width: 640, Height: 480, Map: -1, Bench: 60,
		Frames: func(f []FrameTime) { times = f },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(times) != 60 {
		t.Fatalf("%d frames", len(times))
	}
	for i, f := range times {
		if f.Drawn <= 0 || i > 0 && f.Interval <= 0 {
			t.Errorf("frame %d: %+v", i, f)
		}
	}
}

func TestWrongMode(t *testing.T) {
	if err := run(t, Options{Mode: "nothing"}); err == nil {
		t.Error("no error")
	}
}
