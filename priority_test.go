package bitgpu_test

import (
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
)

// watched is a picture that counts how many like it are read at once.
type watched struct {
	image.Image
	now, most *atomic.Int32
}

func (w watched) At(x, y int) color.Color {
	if n := w.now.Add(1); n > w.most.Load() {
		w.most.Store(n)
	}
	defer w.now.Add(-1)
	if x == 0 {
		time.Sleep(10 * time.Microsecond)
	}
	return w.Image.At(x, y)
}

// TestLowPriority: the answers are the same, and pictures are decoded one at a time, by all streams and calls together.
func TestLowPriority(t *testing.T) {
	inputs := mixed(rand.New(rand.NewPCG(51, 52)))
	want := streamed(t, demo(t, bitgpu.Options{Batch: 3}), inputs)
	m := demo(t, bitgpu.Options{Batch: 3, LowPriority: true})
	guest := guest(t, gputest.NewHost(t), bitgpu.Options{Batch: 3, LowPriority: true, SliceBudget: 5 * time.Millisecond})
	for _, m := range []*bitgpu.Model{m, guest} {
		if got := streamed(t, m, inputs); !slices.EqualFunc(got, want, slices.Equal) {
			t.Error("other answers with low priority")
		}
	}
	var now, most atomic.Int32
	var pictures []bitgpu.Input
	for range 8 {
		pictures = append(pictures, bitgpu.Input{Image: watched{picture(rand.New(rand.NewPCG(1, 2)), 40, 60), &now, &most}})
	}
	var calls []<-chan bitgpu.Result
	for _, in := range pictures {
		calls = append(calls, m.Go(t.Context(), in, logits))
	}
	streamed(t, m, pictures)
	for _, c := range calls {
		if r := <-c; r.Err != nil {
			t.Error(r.Err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d pictures at once", most.Load())
	}
}
