package bitgpu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

const photo = "docs/photos/chelsea.png"

// demo opens the demo network under the validation layer.
func demo(t *testing.T, o bitgpu.Options) *bitgpu.Model {
	t.Helper()
	return modeltest.Open(t, bitgpu.Demo, o)
}

// noise is a normalized batch of n pictures.
func noise(n, h, w int) *bitgpu.Tensor {
	r := rand.New(rand.NewPCG(1, uint64(h*w)))
	x := &bitgpu.Tensor{Shape: []int{n, 3, h, w}, Data: make([]float32, n*3*h*w)}
	for i := range x.Data {
		x.Data[i] = r.Float32()*2 - 1
	}
	return x
}

var logits = bitgpu.Outputs{Logits: true}

// TestManyGoroutines calls every kind of method at once; each must get the answer it gets alone.
func TestManyGoroutines(t *testing.T) {
	m := demo(t, bitgpu.Options{Batch: 2})
	img := open(photo)
	calls := []func() ([]float32, error){
		func() ([]float32, error) { return m.Embed(t.Context(), img) },
		func() ([]float32, error) {
			top, err := m.Classify(t.Context(), img, 1)
			if err != nil {
				return nil, err
			}
			return []float32{float32(top[0].Index), top[0].Prob}, nil
		},
		func() ([]float32, error) {
			maps, err := m.Features(t.Context(), img, 2)
			if err != nil {
				return nil, err
			}
			return maps[0].Data, nil
		},
	}
	for _, size := range [][2]int{{32, 32}, {47, 33}, {64, 96}} {
		x := noise(3, size[0], size[1])
		calls = append(calls, func() ([]float32, error) {
			out, err := m.Forward(t.Context(), x, logits)
			if err != nil {
				return nil, err
			}
			return out.Logits.Data, nil
		})
	}
	want := make([][]float32, len(calls))
	for i, call := range calls {
		var err error
		if want[i], err = call(); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for g := range 4 * len(calls) {
		wg.Go(func() {
			i := g % len(calls)
			got, err := calls[i]()
			if err != nil {
				t.Error(err)
			} else if !slices.Equal(got, want[i]) {
				t.Errorf("call %d: another answer than alone", i)
			}
		})
	}
	wg.Wait()
}

// TestForwardCutsBatches holds that an image's answer does not depend on the batch that it is in.
func TestForwardCutsBatches(t *testing.T) {
	x := noise(5, 40, 56)
	whole := demo(t, bitgpu.Options{Batch: 5, Precision: bitgpu.FP32})
	cut := demo(t, bitgpu.Options{Batch: 2, Precision: bitgpu.FP32})
	want := bitgpu.Outputs{Logits: true, Embedding: true, Unpooled: true, Maps: 1 << 3}
	a, err := whole.Forward(t.Context(), x, want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cut.Forward(t.Context(), x, want)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]*bitgpu.Tensor{
		"logits": {a.Logits, b.Logits}, "embedding": {a.Embedding, b.Embedding},
		"unpooled": {a.Unpooled, b.Unpooled}, "map": {a.Maps[3], b.Maps[3]},
	} {
		if !slices.Equal(pair[0].Shape, pair[1].Shape) || !slices.Equal(pair[0].Data, pair[1].Data) {
			t.Errorf("%s of five images at once and two by two differ", name)
		}
	}
	if a.Maps[0] != nil {
		t.Error("feature map 0 was not asked for")
	}
}

func TestForwardRefusesBadTensors(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	nan, inf := noise(1, 32, 32), noise(1, 32, 32)
	nan.Data[7], inf.Data[8] = float32(math.NaN()), float32(math.Inf(-1))
	for _, x := range []*bitgpu.Tensor{
		nan, inf,
		{}, {Shape: []int{1, 3, 32}}, {Shape: []int{1, 3, 32, 32}}, {Shape: []int{0, 3, 32, 32}},
		{Shape: []int{1, 4, 32, 32}, Data: make([]float32, 4*32*32)},
		noise(1, 31, 32),
	} {
		if _, err := m.Forward(t.Context(), x, logits); err == nil {
			t.Errorf("shape %v was accepted", x.Shape)
		}
	}
	if _, err := m.Forward(t.Context(), noise(1, 32, 32), bitgpu.Outputs{Maps: 1 << 5}); err == nil {
		t.Error("feature map 5 of 0 to 4 was accepted")
	}
	if _, err := m.Features(t.Context(), open(photo), -1); err == nil {
		t.Error("feature map -1 was accepted")
	}
}

// photos is a sequence of n inputs, every third of which is no picture. It counts how many were
// opened.
func photos(n int, opened *atomic.Int64) iter.Seq[bitgpu.Input] {
	data, err := os.ReadFile(photo)
	if err != nil {
		panic(err)
	}
	return func(yield func(bitgpu.Input) bool) {
		for i := range n {
			content := data
			if i%3 == 1 {
				content = data[:100]
			}
			in := bitgpu.Input{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) {
				opened.Add(1)
				return io.NopCloser(bytes.NewReader(content)), nil
			}}
			if !yield(in) {
				return
			}
		}
	}
}

// TestStreamAnswersInOrder has bad pictures between the good ones, and more of both than are held
// at a time.
func TestStreamAnswersInOrder(t *testing.T) {
	m := demo(t, bitgpu.Options{Batch: 4})
	var opened atomic.Int64
	n := int64(0)
	for r := range m.Stream(t.Context(), photos(60, &opened), logits) {
		if r.Input.Name != fmt.Sprint(n) {
			t.Fatalf("result %d is that of input %s", n, r.Input.Name)
		}
		if bad := n%3 == 1; bad != (r.Err != nil) || bad != (r.Output == nil) {
			t.Fatalf("input %d: error %v, output %v", n, r.Err, r.Output)
		}
		if r.Err != nil && !strings.Contains(r.Err.Error(), fmt.Sprint(n)) {
			t.Errorf("error %q does not name input %d", r.Err, n)
		}
		if r.Output != nil && m.Top(r.Output.Logits.Data, 1)[0].Label != "cat" {
			t.Errorf("input %d is no cat any more", n)
		}
		n++
		// Decoded and waiting: the queue, what the workers hold, the batches in flight.
		if ahead := opened.Load() - n; ahead > 64 {
			t.Fatalf("%d pictures are held at once", ahead)
		}
	}
	if n != 60 {
		t.Errorf("%d results, want 60", n)
	}
}

// TestStreamEndsEarly leaves the loop, and cancels, in the middle; nothing may stay behind.
func TestStreamEndsEarly(t *testing.T) {
	m := demo(t, bitgpu.Options{Batch: 2})
	before := runtime.NumGoroutine()
	var opened atomic.Int64
	for range m.Stream(t.Context(), photos(1000, &opened), logits) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for r := range m.Stream(ctx, photos(1000, &opened), logits) {
		if n++; n == 5 {
			cancel()
		}
		last = r.Err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("last error %v, want context.Canceled", last)
	}
	if n > 100 || opened.Load() > 200 {
		t.Errorf("%d results and %d pictures opened after a cancellation at the fifth", n, opened.Load())
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := m.Embed(t.Context(), open(photo)); err != nil {
		t.Errorf("after the cancelled stream: %v", err)
	}
}

func TestStreamOfNothing(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	for r := range m.Stream(t.Context(), slices.Values([]bitgpu.Input(nil)), logits) {
		t.Errorf("a result %v of no inputs", r)
	}
	for r := range m.Stream(t.Context(), slices.Values([]bitgpu.Input{{Name: "empty"}}), logits) {
		if r.Err == nil {
			t.Error("an input without a picture was answered")
		}
	}
}

func TestClosedModel(t *testing.T) {
	m, err := bitgpu.Open(t.Context(), bitgpu.Demo, bitgpu.Options{CacheDir: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Embed(t.Context(), open(photo)); err == nil {
		t.Error("a closed model answered")
	}
}

// TestOpenCheckpoint opens a file that the program holds by itself, without a config.
func TestOpenCheckpoint(t *testing.T) {
	data, err := os.ReadFile("tests/testdata/nets/tiny/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "mine")
	if err != nil {
		t.Fatal(err)
	}
	m, err := bitgpu.OpenCheckpoint(t.Context(), "mine", c, nil, bitgpu.Options{CacheDir: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := m.Info(); got.Config.Classes != 10 || got.Labels[3] != "class 3" || got.Preprocess.Size != 224 {
		t.Errorf("info %+v", got)
	}
	c.Close() // the weights are on the device
	if _, err := m.Forward(t.Context(), noise(1, 32, 32), logits); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for name, c := range map[string]struct {
		model string
		o     bitgpu.Options
		is    error
		says  string
	}{
		"weights not here":   {bitgpu.DefaultModel, bitgpu.Options{}, bitgpu.ErrNoModel, `"demo"`},
		"no such file":       {"no/such/model.safetensors", bitgpu.Options{}, bitgpu.ErrNoModel, "no/such"},
		"directory without":  {t.TempDir(), bitgpu.Options{}, bitgpu.ErrNoModel, "no checkpoint in the directory"},
		"unknown generated":  {"resnet18", bitgpu.Options{Weights: bitgpu.RandomGolden}, bitgpu.ErrNoModel, "resnetv2_50x1_bit"},
		"unknown weights":    {bitgpu.DefaultModel, bitgpu.Options{Weights: "random"}, nil, "random:golden"},
		"not a checkpoint":   {photo, bitgpu.Options{}, loader.ErrCorrupt, photo},
		"device not there":   {bitgpu.Demo, bitgpu.Options{Device: "no such device"}, nil, "no such device"},
		"cancelled":          {bitgpu.Demo, bitgpu.Options{}, context.Canceled, ""},
		"memory not allowed": {bitgpu.Demo, bitgpu.Options{MemoryBudget: 1 << 20}, nil, "budget"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if name == "cancelled" {
			cancel()
		}
		m, err := bitgpu.Open(ctx, c.model, c.o)
		cancel()
		if err == nil {
			m.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %q, want one that is %v and says %q", name, err, c.is, c.says)
		}
	}
}

func TestSoftmaxAndTop(t *testing.T) {
	p := bitgpu.Softmax([]float32{1000, 1001, 999})
	if sum := float64(p[0]) + float64(p[1]) + float64(p[2]); math.Abs(sum-1) > 1e-6 || math.Abs(float64(p[1])-0.66524096) > 1e-6 {
		t.Errorf("softmax %v", p)
	}
	m := demo(t, bitgpu.Options{})
	row := []float32{0, 2, 1, 2, 0, 0, 0, 0, 0, 0}
	var order []int
	for _, top := range m.Top(row, 99) {
		order = append(order, top.Index)
	}
	if want := []int{1, 3, 2, 0, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if len(m.Top(row, 0)) != 0 || len(m.Top(row, -1)) != 0 {
		t.Error("no classes asked for, some given")
	}
}
