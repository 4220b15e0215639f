package net

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
)

// tightNetwork is a network on a device whose memory can be taken away.
func tightNetwork(t *testing.T) *Network {
	t.Helper()
	dev := gputest.OpenOptions(t, gpu.Options{MemoryBudget: 256 << 20})
	c := oneStage()
	return load(t, dev, c, randomWeights(c, 40), Options{Storage: shaders.F16})
}

// leave takes all memory but so many bytes.
func leave(t *testing.T, n *Network, bytes int64) {
	t.Helper()
	b, err := n.dev.NewBuffer(n.dev.Memory().Budget-bytes, gpu.DeviceLocal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
}

// needs is the memory of a kind of batch with so many in flight.
func needs(t *testing.T, n *Network, spec BatchSpec, inFlight int64) int64 {
	t.Helper()
	p, err := n.Plan(spec)
	if err != nil {
		t.Fatal(err)
	}
	const alignment = 4096 // of each allocation, at most
	return p.ArenaSize + inFlight*(p.InputSize+p.OutputSize) + (1+2*inFlight)*alignment
}

// answer runs a batch alone.
func answer(t *testing.T, n *Network, spec BatchSpec) ([]float32, *Output) {
	t.Helper()
	x := randomInput(spec, uint64(spec.Images))
	out, err := n.Run(context.Background(), spec, x)
	if err != nil {
		t.Fatal(err)
	}
	return x, out
}

// begun begins a batch in a goroutine.
func begun(n *Network, spec BatchSpec) <-chan *Batch {
	got := make(chan *Batch, 1)
	go func() {
		b, err := n.Begin(context.Background(), spec)
		if err != nil {
			b = nil
		}
		got <- b
	}()
	return got
}

// waits makes sure that a Begin does not return yet.
func waits(t *testing.T, what string, got <-chan *Batch) {
	t.Helper()
	select {
	case b := <-got:
		t.Fatalf("%s: began beside the others, or failed: %v", what, b)
	case <-time.After(20 * time.Millisecond):
	}
}

// TestGrowthWaitsForMemory: an arena that has no room beside the one in use waits for it, and those that
// come later do not overtake.
func TestGrowthWaitsForMemory(t *testing.T) {
	n := tightNetwork(t)
	small, large := tensors(1, 96, 96, Outputs{Logits: true}), tensors(8, 96, 96, Outputs{Logits: true})
	x, wantSmall := answer(t, n, small)
	y, wantLarge := answer(t, n, large)
	n.retireAll()
	leave(t, n, needs(t, n, large, 1))

	first := begin(t, n, small, x)
	growing := begun(n, large)
	waits(t, "large", growing)
	late := begun(n, small)
	waits(t, "a small one behind it", late)

	finish(t, "small", first, wantSmall)
	b := <-growing
	if b == nil {
		t.Fatal("the large batch failed")
	}
	encode(b.Input(), y)
	finish(t, "large", b, wantLarge)
	if b = <-late; b == nil {
		t.Fatal("the late batch failed")
	}
	encode(b.Input(), x)
	finish(t, "late", b, wantSmall)
}

// TestNoMemoryAtAll: a batch for which there is no room fails at once if it would wait for nothing, and gives up
// its place in the queue if it is cancelled. Smaller ones run on.
func TestNoMemoryAtAll(t *testing.T) {
	n := tightNetwork(t)
	small, large := tensors(1, 64, 64, Outputs{Logits: true}), tensors(16, 64, 64, Outputs{Logits: true})
	x, want := answer(t, n, small)
	n.retireAll()
	leave(t, n, needs(t, n, small, slots))
	for range 2 {
		if _, err := n.Begin(context.Background(), large); !errors.Is(err, gpu.ErrOutOfMemory) {
			t.Errorf("error %v, want ErrOutOfMemory", err)
		}
		finish(t, "small", begin(t, n, small, x), want)
	}
	b := begin(t, n, small, x)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := n.Begin(ctx, large); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a batch in flight: error %v", err)
	}
	finish(t, "after a cancelled one", begin(t, n, small, x), want)
	finish(t, "begun before it", b, want)
}

// TestFewerInFlight: where there is no room for another batch of a kind there are fewer of it, and other kinds
// keep what they have.
func TestFewerInFlight(t *testing.T) {
	n := tightNetwork(t)
	spec, other := tensors(16, 64, 64, Outputs{Logits: true}), tensors(1, 32, 32, Outputs{Logits: true})
	x, want := answer(t, n, spec)
	answer(t, n, other)
	n.retire(spec)
	leave(t, n, needs(t, n, spec, slots-1)-n.arena.buffer.Size())
	batches := []*Batch{begin(t, n, spec, x), begin(t, n, spec, x)}
	third := begun(n, spec)
	waits(t, "third", third)
	if n.programs[other] == nil {
		t.Error("the idle batches of another kind were given up for a third one in flight")
	}
	finish(t, "first", batches[0], want)
	b := <-third
	if b == nil {
		t.Fatal("the third batch failed")
	}
	encode(b.Input(), x)
	finish(t, "third", b, want)
	finish(t, "second", batches[1], want)
}

// TestIdleProgramsMakeRoom: what other kinds of batches keep for later is given up for one that needs it.
func TestIdleProgramsMakeRoom(t *testing.T) {
	n := tightNetwork(t)
	spec, other := tensors(8, 64, 64, Outputs{Logits: true}), tensors(8, 64, 65, Outputs{Logits: true})
	x, want := answer(t, n, spec)
	y, wantOther := answer(t, n, other)
	n.retireAll()
	leave(t, n, needs(t, n, other, 1)+(1<<10))
	for range 2 {
		finish(t, "other", begin(t, n, other, y), wantOther)
		finish(t, "one", begin(t, n, spec, x), want)
	}
}

// TestPrepare: kernels that were compiled in the background are those that the batch uses, and closing a
// network that is still compiling waits for that.
func TestPrepare(t *testing.T) {
	dev := gputest.Open(t)
	c := oneStage()
	spec := tensors(2, 40, 40, Outputs{Logits: true})
	plain := load(t, dev, c, randomWeights(c, 41), Options{})
	x, want := answer(t, plain, spec)
	for _, prepare := range []BatchSpec{spec, {Images: 1, Height: 3, Width: 3}} {
		n, err := Load(context.Background(), dev, c, randomWeights(c, 41), Options{Prepare: &prepare})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := n.Run(context.Background(), spec, x); err != nil || !reflect.DeepEqual(out, want) {
			t.Errorf("another result, error %v", err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}
