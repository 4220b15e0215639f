package bitgpu_test

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
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

// BenchmarkLowPriority tells what is left of the processors to other work, in percent of what that gets alone, and how
// many pictures a model runs beside it.
func BenchmarkLowPriority(b *testing.B) {
	spin := func(d time.Duration) (n int64) {
		var turns atomic.Int64
		var all sync.WaitGroup
		end := time.Now().Add(d)
		for range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for x := uint64(1); time.Now().Before(end); turns.Add(1) {
					for range 10000 {
						x ^= x << 13
						x ^= x >> 7
						x ^= x << 17
					}
				}
			})
		}
		all.Wait()
		return turns.Load()
	}
	const window = 2 * time.Second
	for _, low := range []bool{false, true} {
		b.Run(fmt.Sprintf("low=%v", low), func(b *testing.B) {
			m, err := bitgpu.Open(b.Context(), bitgpu.Demo, bitgpu.Options{LowPriority: low})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			var pictures atomic.Int64
			stop := make(chan struct{})
			var running sync.WaitGroup
			x := noise(1, 128, 128)
			run := func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := m.Forward(b.Context(), x, logits); err != nil {
						b.Error(err)
						return
					}
					pictures.Add(1)
				}
			}
			var alone, beside, turns, free int64
			for b.Loop() {
				free += spin(window)
				stop = make(chan struct{})
				running.Go(run)
				before := pictures.Load()
				time.Sleep(window)
				alone += pictures.Load() - before
				before = pictures.Load()
				turns += spin(window)
				beside += pictures.Load() - before
				close(stop)
				running.Wait()
			}
			b.ReportMetric(100*float64(turns)/float64(free), "%-left")
			b.ReportMetric(float64(alone)/window.Seconds()/float64(b.N), "pictures/s-alone")
			b.ReportMetric(float64(beside)/window.Seconds()/float64(b.N), "pictures/s-beside")
		})
	}
}
