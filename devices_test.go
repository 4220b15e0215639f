package bitgpu

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// tinyOn opens the smallest golden network, for pictures of 32x32, on the automatic device n times over.
func tinyOn(t *testing.T, n int, o Options) *Model {
	t.Helper()
	const dir = "tests/testdata/nets/tiny"
	c, err := loader.OpenSafetensors(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := describe("tiny", c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return openTest(t, n, s, o)
}

// openTest opens a model for pictures of 32x32 under the validation layer.
func openTest(t *testing.T, devices int, s *source, o Options) *Model {
	t.Helper()
	s.info.Preprocess.Size = 32
	o.Validation, o.CacheDir = true, "none"
	m, err := openOn(t.Context(), make([]string, devices), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// drawing is a small picture unlike those of other numbers.
func drawing(i int) []byte {
	img := image.NewGray(image.Rect(0, 0, 4, 4))
	for p := range 16 {
		img.SetGray(p%4, p/4, color.Gray{uint8(i * (p + 1))})
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

// drawings are n inputs; opened, which may be nil, is called for each.
func drawings(n int, opened func(i int)) iter.Seq[Input] {
	return func(yield func(Input) bool) {
		for i := range n {
			in := Input{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) {
				if opened != nil {
					opened(i)
				}
				return io.NopCloser(bytes.NewReader(drawing(i))), nil
			}}
			if !yield(in) {
				return
			}
		}
	}
}

// answers runs n drawings and returns their logits, each of which must be there.
func answers(t *testing.T, m *Model, n int, opened func(i int)) [][]float32 {
	t.Helper()
	var all [][]float32
	for r := range m.Stream(t.Context(), drawings(n, opened), Outputs{Logits: true}) {
		if r.Err != nil || r.Input.Name != fmt.Sprint(len(all)) {
			t.Fatalf("result %d is that of input %s, error %v", len(all), r.Input.Name, r.Err)
		}
		all = append(all, r.Output.Logits.Data)
	}
	if len(all) != n {
		t.Fatalf("%d results of %d pictures", len(all), n)
	}
	return all
}

// TestSeveralDevices: two devices give the answers that one does.
func TestSeveralDevices(t *testing.T) {
	one, two := tinyOn(t, 1, Options{Batch: 2}), tinyOn(t, 2, Options{Batch: 2})
	if info := two.Info(); len(info.Devices) != 2 || info.Device.Name != info.Devices[0].Name {
		t.Errorf("devices %v", info.Devices)
	}
	if !reflect.DeepEqual(answers(t, two, 41, nil), answers(t, one, 41, nil)) {
		t.Error("other answers than on one device")
	}
	x := &Tensor{Shape: []int{9, 3, 32, 40}, Data: make([]float32, 9*3*32*40)}
	for i := range x.Data {
		x.Data[i] = float32(i%101)/50 - 1
	}
	want, err := one.Forward(t.Context(), x, Outputs{Logits: true, Maps: 1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := two.Forward(t.Context(), x, Outputs{Logits: true, Maps: 1})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("other tensors than on one device: %v", err)
	}
	if a, b := batchSize(t, one), batchSize(t, two); b != 2*a {
		t.Errorf("%d at once on one device, %d on two", a, b)
	}
	if err := errors.Join(one.Close(), two.Close()); err != nil {
		t.Error(err)
	}
}

func batchSize(t *testing.T, m *Model) int {
	n, err := m.BatchSize(32, 32, Outputs{Logits: true})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// breakDown closes an engine's device below its network: from then on every batch fails.
func breakDown(e *engine) {
	e.life.Lock()
	defer e.life.Unlock()
	e.dev.Close()
}

// TestFailedDevice takes a device away in the middle of a stream: the other one does its work, and Close tells
// of it. Without the other one too, the error comes with the results.
func TestFailedDevice(t *testing.T) {
	want := answers(t, tinyOn(t, 1, Options{}), 60, nil)
	m := tinyOn(t, 2, Options{Batch: 2})
	got := answers(t, m, 60, func(i int) {
		if i == 20 {
			breakDown(m.engines[0])
		}
	})
	if !reflect.DeepEqual(got, want) {
		t.Error("other answers than on one device")
	}
	img, err := png.Decode(bytes.NewReader(drawing(3)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // whichever it asks first
		if _, err := m.Classify(t.Context(), img, 1); err != nil {
			t.Error(err)
		}
	}
	breakDown(m.engines[1])
	n := 0
	for r := range m.Stream(t.Context(), drawings(30, nil), Outputs{Logits: true}) {
		if n++; !errors.Is(r.Err, gpu.ErrClosed) {
			t.Errorf("without a device: %v", r.Err)
		}
	}
	if n != 30 {
		t.Errorf("%d results of 30 pictures", n)
	}
	if _, err := m.Classify(t.Context(), img, 1); !errors.Is(err, gpu.ErrClosed) {
		t.Errorf("without a device: %v", err)
	}
	if err := m.Close(); !errors.Is(err, gpu.ErrClosed) || !strings.Contains(err.Error(), m.Info().Device.Name) {
		t.Errorf("Close says %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("a second Close says %v", err)
	}
}

// TestMemoryRunsShort takes memory away when the size of the batches has been settled: they get smaller.
func TestMemoryRunsShort(t *testing.T) {
	want := answers(t, tinyOn(t, 1, Options{}), 64, nil)
	m := tinyOn(t, 1, Options{Batch: 32, MemoryBudget: 512 << 20})
	e := m.engines[0]
	var once sync.Once
	got := answers(t, m, 64, func(int) {
		once.Do(func() {
			plan, err := e.net.Plan(net.BatchSpec{Images: 4, Height: 32, Width: 32, Input: net.Pixels, Outputs: Outputs{Logits: true}})
			if err != nil {
				t.Error(err)
				return
			}
			left := plan.ArenaSize + plan.InputSize + plan.OutputSize + 3*4096
			if _, err := e.dev.NewBuffer(e.dev.Memory().Budget-left, gpu.DeviceLocal); err != nil {
				t.Error(err)
			}
		})
	})
	if !reflect.DeepEqual(got, want) {
		t.Error("other answers than with enough memory")
	}
}

// TestPicturesAreReadAtOnce: more pictures are opened at the same time than there are processors, so that slow
// disks and networks do not keep those idle.
func TestPicturesAreReadAtOnce(t *testing.T) {
	m := tinyOn(t, 1, Options{Batch: 4})
	most := Options{}.loaders()
	if most <= runtime.GOMAXPROCS(0) {
		t.Fatalf("%d are read at once", most)
	}
	var open atomic.Int32
	all := make(chan struct{})
	answers(t, m, 3*most, func(i int) {
		if open.Add(1) == int32(most) {
			close(all)
		}
		<-all // nobody goes on before all are there
	})
}

// TestMemoryIsFlat runs 10,000 pictures through a network of one block.
func TestMemoryIsFlat(t *testing.T) {
	const n = 10_000
	c := net.Config{Layers: []int{1}, Channels: []int{32}, Mid: []int{32}, Stem: 32, Classes: 10, Groups: 32}
	s, err := describe("block", loader.Generated(tensorInfos(c)), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := openTest(t, 1, s, Options{})
	type memory struct{ heap, device int64 }
	measure := func() memory {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold lives through one
		runtime.ReadMemStats(&s)
		return memory{int64(s.HeapAlloc), m.engines[0].dev.Memory().Used}
	}
	var results atomic.Int64
	var early, late memory
	inputs := func(yield func(Input) bool) {
		i := int64(0)
		for in := range drawings(n, nil) {
			if i++; i == 500 || i == n-500 {
				for results.Load() < i-1-maxBatch { // until only a part of a batch waits, for the rest of it
					time.Sleep(time.Millisecond)
				}
				if late = measure(); i == 500 {
					early = late
				}
			}
			if !yield(in) {
				return
			}
		}
	}
	for r := range m.Stream(t.Context(), inputs, Outputs{Logits: true}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		results.Add(1)
	}
	if late.heap > early.heap+2<<20 || late.device > early.device+4<<20 { // up to three batches on the device
		t.Errorf("heap of %d bytes and %d on the device at picture 500, %d and %d near the end", early.heap, early.device, late.heap, late.device)
	}
	if results.Load() != n {
		t.Errorf("%d results", results.Load())
	}
}

func TestProgressOverDevices(t *testing.T) {
	var mu sync.Mutex
	var last, all, calls int64
	m := tinyOn(t, 2, Options{Progress: func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if done < last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last, all, calls = done, total, calls+1
	}})
	if want := 2 * m.Info().Parameters; last != want || all != want || calls < 4 {
		t.Errorf("%d of %d in %d calls, want %d", last, all, calls, want)
	}
}

func TestSelectDevices(t *testing.T) {
	list, err := gpu.Enumerate()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"all", " all ", list[0].Name} {
		m, err := Open(t.Context(), Demo, Options{Device: name, CacheDir: "none"})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if len(m.Info().Devices) < 1 || m.Info().Device.Name == "" {
			t.Errorf("%q: %v", name, m.Info().Devices)
		}
		m.Close()
	}
	for name, want := range map[string]string{"0,0": "twice", "0,99": "99", "0,": "missing", "0,no such device": "no such device"} {
		m, err := Open(t.Context(), Demo, Options{Device: name, CacheDir: "none"})
		if err == nil {
			m.Close()
			t.Errorf("%q was opened", name)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}
