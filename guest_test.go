package bitgpu_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// guest opens the demo network on a host's device.
func guest(t *testing.T, h *gputest.Host, o bitgpu.Options) *bitgpu.Model {
	t.Helper()
	o.Host, o.CacheDir = h.Options(), "none"
	m, err := bitgpu.Open(t.Context(), bitgpu.Demo, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// fourBytes are the pixels of a picture as a host may have them, with noise in the fourth byte; rows every
// stride bytes.
func fourBytes(img image.Image, bgra bool, stride int) []byte {
	m := loader.FromGoImage(img)
	b := make([]byte, stride*m.Height)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for y := range m.Height {
		for x := range m.Width {
			p := m.Pix[3*(y*m.Width+x):]
			q := b[y*stride+4*x:]
			if bgra {
				q[0], q[1], q[2] = p[2], p[1], p[0]
			} else {
				q[0], q[1], q[2] = p[0], p[1], p[2]
			}
		}
	}
	return b
}

func format(bgra bool) gpu.ExternalFormat {
	if bgra {
		return gpu.BGRA8
	}
	return gpu.RGBA8
}

// TestGuestEqualsOwnDevice: a host's device gives what one of our own does, and the host's objects are as
// good afterwards.
func TestGuestEqualsOwnDevice(t *testing.T) {
	inputs := mixed(rand.New(rand.NewPCG(31, 32)))
	for _, o := range []bitgpu.Options{{Batch: 3}, {Batch: 3, Precision: bitgpu.FP32, Preprocessor: bitgpu.PreprocessGPU}} {
		want := streamed(t, demo(t, o), inputs)
		h := gputest.NewHost(t)
		img := h.Image(20, 10, false, false)
		pixels := fourBytes(picture(rand.New(rand.NewPCG(1, 2)), 20, 10), false, 80)
		h.Fill(img, pixels, gputest.LayoutGeneral, nil, nil, nil)
		m := guest(t, h, o)
		if got := streamed(t, m, inputs); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%+v: logits differ", o)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := h.Pixels(img); !slices.Equal(got, pixels) {
			t.Error("the host's image is another after Close")
		}
	}
}

// TestRunHostImages: images of every format, with every kind of synchronization, give what the file gives.
func TestRunHostImages(t *testing.T) {
	h := gputest.NewHost(t)
	m := guest(t, h, bitgpu.Options{Batch: 2})
	pictures := []image.Image{open(photo), picture(rand.New(rand.NewPCG(3, 4)), 131, 57), picture(rand.New(rand.NewPCG(5, 6)), 1, 90)}
	var want []float32
	for _, img := range pictures {
		v, err := m.Embed(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v...)
	}
	for _, f := range []struct{ bgra, srgb bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		for _, kind := range []string{"none", "binary", "timeline", "fence"} {
			if kind == "timeline" && !h.Timelines() {
				continue
			}
			t.Run(fmt.Sprintf("%+v/%s", f, kind), func(t *testing.T) {
				var list []bitgpu.HostPicture
				var images []*gputest.HostImage
				var after []func()
				for _, p := range pictures {
					b := p.Bounds()
					img := h.Image(b.Dx(), b.Dy(), f.bgra, f.srgb)
					hp := bitgpu.HostPicture{Image: &gpu.ExternalImage{
						Handle: img.Handle, Format: format(f.bgra), Width: b.Dx(), Height: b.Dy(),
						Layout: gputest.LayoutGeneral, FinalLayout: gputest.LayoutShaderRead,
					}}
					var wait, signal []gputest.Point
					var fence *gputest.HostFence
					switch kind {
					case "binary", "timeline":
						written, read := h.Semaphore(kind == "timeline"), h.Semaphore(kind == "timeline")
						value := uint64(0)
						if kind == "timeline" {
							value = 7
						}
						signal = []gputest.Point{{Semaphore: written, Value: value}}
						hp.Wait = []gpu.Semaphore{{Handle: written.Handle, Value: value}}
						hp.Signal = []gpu.Semaphore{{Handle: read.Handle, Value: value}}
						wait = []gputest.Point{{Semaphore: read, Value: value}}
					case "fence":
						fence = h.Fence()
						read := h.Fence()
						hp.WaitFence, hp.SignalFence = fence.Handle, read.Handle
						after = append(after, func() { h.Wait(read) })
					}
					h.Fill(img, fourBytes(p, f.bgra, 4*b.Dx()), gputest.LayoutGeneral, nil, signal, fence)
					img.Layout = gputest.LayoutShaderRead // by the guest
					if kind == "binary" {
						// The layer complains if the guest has not waited: then it is signalled still.
						after = append(after, func() { h.Submit(nil, signal, nil); h.Submit(signal, nil, nil) })
					}
					// The host uses its image again when the guest has read it.
					after = append(after, func() { h.Submit(wait, nil, nil) })
					list, images = append(list, hp), append(images, img)
				}
				out, err := m.RunHost(t.Context(), list, bitgpu.Outputs{Embedding: true})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(out.Embedding.Data, want) {
					t.Error("embeddings differ from the files'")
				}
				for _, f := range after {
					f()
				}
				for i, img := range images {
					b := pictures[i].Bounds()
					if got := h.Pixels(img); !slices.Equal(got, fourBytes(pictures[i], f.bgra, 4*b.Dx())) {
						t.Errorf("image %d is another afterwards", i)
					}
				}
			})
		}
	}
}

// TestRunHostBuffers: rows in a buffer, with an offset and a stride, and results left in another one; at
// once and in slices.
func TestRunHostBuffers(t *testing.T) {
	for _, slice := range []time.Duration{0, 2 * time.Millisecond} {
		t.Run(slice.String(), func(t *testing.T) { testRunHostBuffers(t, bitgpu.Options{Batch: 2, SliceBudget: slice}) })
	}
}

func testRunHostBuffers(t *testing.T, o bitgpu.Options) {
	h := gputest.NewHost(t)
	m := guest(t, h, o)
	rng := rand.New(rand.NewPCG(7, 8))
	var list []bitgpu.HostPicture
	var want [2][]float32 // logits, and map 1
	for i, s := range [][2]int{{200, 100}, {64, 64}, {33, 150}} {
		img, bgra := picture(rng, s[0], s[1]), i == 1
		logits, err := m.Features(t.Context(), img, 1)
		if err != nil {
			t.Fatal(err)
		}
		want[1] = append(want[1], logits[0].Data...)
		for r := range m.Stream(t.Context(), slices.Values([]bitgpu.Input{{Image: img}}), bitgpu.Outputs{Logits: true}) {
			want[0] = append(want[0], r.Output.Logits.Data...)
		}
		stride, offset := 4*s[0]+16*i, 20*i
		pixels := fourBytes(img, bgra, stride)
		b := h.Buffer(int64(offset + len(pixels)))
		copy(b.Bytes[offset:], pixels)
		p := &bitgpu.HostPixels{
			Handle: b.Handle, Size: int64(len(b.Bytes)), Offset: int64(offset), Width: s[0], Height: s[1], Format: format(bgra),
		}
		if i > 0 {
			p.Stride = stride
		}
		list = append(list, bitgpu.HostPicture{Buffer: p})
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if out, err := m.RunHost(t.Context(), list, bitgpu.Outputs{Logits: true}); err != nil || !slices.Equal(out.Logits.Data, want[0]) {
				t.Errorf("from several goroutines: other logits, %v", err)
			}
		})
	}
	wg.Wait()
	out, err := m.RunHost(t.Context(), list, bitgpu.Outputs{Logits: true, Maps: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Logits.Data, want[0]) || !slices.Equal(out.Maps[1].Data, want[1]) {
		t.Error("results differ from the files'")
	}
	for i, c := range []struct {
		want  bitgpu.Outputs
		shape []int
	}{{bitgpu.Outputs{Logits: true}, []int{3, 10}}, {bitgpu.Outputs{Maps: 2}, out.Maps[1].Shape}} {
		size := 4 * len(want[i])
		b, fence, done := h.Buffer(int64(size+24)), h.Fence(), h.Semaphore(false)
		for j := range b.Bytes {
			b.Bytes[j] = 0xa5
		}
		shape, last, err := m.RunHostInto(t.Context(), list, c.want, bitgpu.HostResult{
			Handle: b.Handle, Size: int64(len(b.Bytes)), Offset: 16, SignalFence: fence.Handle, Signal: []gpu.Semaphore{{Handle: done.Handle}},
		})
		if err != nil || !slices.Equal(shape, c.shape) {
			t.Fatalf("shape %v, %v", shape, err)
		}
		h.Wait(fence)
		h.Submit([]gputest.Point{{Semaphore: done}}, nil, nil)
		got := make([]float32, len(want[i]))
		for j := range got {
			got[j] = math.Float32frombits(binary.LittleEndian.Uint32(b.Bytes[16+4*j:]))
		}
		if !slices.Equal(got, want[i]) {
			t.Errorf("results in the host's buffer differ: %v", c.want)
		}
		if b.Bytes[15] != 0xa5 || b.Bytes[16+size] != 0xa5 {
			t.Error("written outside of the results")
		}
		if err := last.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestRunHostErrors: what is wrong is said, and the host is not left waiting.
func TestRunHostErrors(t *testing.T) {
	h := gputest.NewHost(t)
	m := guest(t, h, bitgpu.Options{})
	img := h.Image(40, 30, false, false)
	h.Fill(img, make([]byte, 4*40*30), gputest.LayoutGeneral, nil, nil, nil)
	b := h.Buffer(4096)
	logits := bitgpu.Outputs{Logits: true}
	good := func() bitgpu.HostPicture {
		return bitgpu.HostPicture{Image: &gpu.ExternalImage{Handle: img.Handle, Width: 40, Height: 30, Layout: gputest.LayoutGeneral}}
	}
	for name, change := range map[string]func(*bitgpu.HostPicture){
		"null image": func(p *bitgpu.HostPicture) { p.Image.Handle = 0 },
		"no layout":  func(p *bitgpu.HostPicture) { p.Image.Layout = 0 },
		"no size":    func(p *bitgpu.HostPicture) { p.Image.Height = 0 },
		"no format":  func(p *bitgpu.HostPicture) { p.Image.Format = 9 },
		"neither":    func(p *bitgpu.HostPicture) { p.Image = nil },
		"both":       func(p *bitgpu.HostPicture) { p.Buffer = &bitgpu.HostPixels{} },
		"null buffer": func(p *bitgpu.HostPicture) {
			p.Image, p.Buffer = nil, &bitgpu.HostPixels{Size: 4096, Width: 8, Height: 8}
		},
		"small buffer": func(p *bitgpu.HostPicture) {
			p.Image, p.Buffer = nil, &bitgpu.HostPixels{Handle: b.Handle, Size: 4096, Offset: 4, Width: 32, Height: 32}
		},
		"odd stride": func(p *bitgpu.HostPicture) {
			p.Image, p.Buffer = nil, &bitgpu.HostPixels{Handle: b.Handle, Size: 4096, Stride: 35, Width: 8, Height: 8}
		},
		"negative offset": func(p *bitgpu.HostPicture) {
			p.Image, p.Buffer = nil, &bitgpu.HostPixels{Handle: b.Handle, Size: 4096, Offset: -4, Width: 8, Height: 8}
		},
	} {
		p, read := good(), h.Fence()
		p.SignalFence = read.Handle
		change(&p)
		if _, err := m.RunHost(t.Context(), []bitgpu.HostPicture{p}, logits); err == nil {
			t.Errorf("%s: no error", name)
		}
		h.Wait(read)
	}
	for name, r := range map[string]bitgpu.HostResult{
		"null":       {Size: 4096},
		"too small":  {Handle: b.Handle, Size: 36},
		"no room":    {Handle: b.Handle, Size: 4096, Room: 39},
		"odd offset": {Handle: b.Handle, Size: 4096, Offset: 2},
		"at the end": {Handle: b.Handle, Size: 4096, Offset: 4060},
	} {
		p, read := good(), h.Fence()
		p.SignalFence = read.Handle
		if _, _, err := m.RunHostInto(t.Context(), []bitgpu.HostPicture{p}, logits, r); err == nil {
			t.Errorf("%s: no error", name)
		}
		h.Wait(read)
	}
	both := bitgpu.Outputs{Logits: true, Embedding: true}
	if _, _, err := m.RunHostInto(t.Context(), []bitgpu.HostPicture{good()}, both, bitgpu.HostResult{Handle: b.Handle, Size: 4096}); err == nil {
		t.Error("two results in one place: no error")
	}
	if _, err := m.RunHost(t.Context(), nil, logits); err == nil {
		t.Error("no pictures: no error")
	}
	if _, err := demo(t, bitgpu.Options{}).RunHost(t.Context(), []bitgpu.HostPicture{good()}, logits); err == nil {
		t.Error("without a host: no error")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.RunHost(t.Context(), []bitgpu.HostPicture{good()}, logits); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
