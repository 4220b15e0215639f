package net

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// oneStage is the smallest network.
func oneStage() Config {
	c := tinyConfig()
	c.Layers, c.Channels, c.Mid = []int{1}, []int{24}, []int{8}
	return c
}

// slotNetwork is a network for tests of what is in flight, with an input and its right result.
func slotNetwork(t *testing.T, dev *gpu.Device) (*Network, func(images, side int) (BatchSpec, []float32, *Output)) {
	t.Helper()
	c := oneStage()
	n := load(t, dev, c, randomWeights(c, 20), Options{Storage: shaders.F16})
	alone := load(t, n.dev, c, randomWeights(c, 20), Options{Storage: shaders.F16})
	return n, func(images, side int) (BatchSpec, []float32, *Output) {
		spec := tensors(images, side, side, Outputs{Logits: true})
		x := randomInput(spec, uint64(images*1000+side))
		want, err := alone.Run(context.Background(), spec, x)
		if err != nil {
			t.Fatal(err)
		}
		return spec, x, want
	}
}

// begin takes room and fills it.
func begin(t *testing.T, n *Network, spec BatchSpec, x []float32) *Batch {
	t.Helper()
	b, err := n.Begin(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	encode(b.Input(), x)
	return b
}

// finish submits a batch and compares its result.
func finish(t *testing.T, what string, b *Batch, want *Output) {
	t.Helper()
	if err := b.Submit(); err != nil {
		t.Errorf("%s: %v", what, err)
		b.Discard()
		return
	}
	out, err := b.Wait(context.Background())
	if err != nil || !reflect.DeepEqual(out, want) {
		t.Errorf("%s: another result than alone, error %v", what, err)
	}
}

// full takes all room of a kind.
func full(t *testing.T, n *Network, spec BatchSpec, x []float32) []*Batch {
	t.Helper()
	var list []*Batch
	for range slots {
		list = append(list, begin(t, n, spec, x))
	}
	return list
}

// testConcurrentSizes runs more kinds of batches than programs are kept, from many goroutines at
// once, growing and shrinking, and compares with the results of each alone.
func testConcurrentSizes(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	type job struct {
		spec BatchSpec
		x    []float32
		want *Output
	}
	var jobs []job
	for i := range mostPrograms + 3 {
		spec, x, want := kind(1+i%3, 32+9*(i%4)+i)
		jobs = append(jobs, job{spec, x, want})
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			rng := random(uint64(g))
			for range 25 {
				j := jobs[rng.IntN(len(jobs))]
				out, err := n.Run(context.Background(), j.spec, j.x)
				if err != nil || !reflect.DeepEqual(out, j.want) {
					t.Errorf("batch of %d at %d: another result than alone, error %v", j.spec.Images, j.spec.Width, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(n.programs) > mostPrograms {
		t.Errorf("%d programs are kept", len(n.programs))
	}
}

// testSlotsAreSeparate: the batches of one kind in flight at once have their own inputs and results.
func testSlotsAreSeparate(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 40)
	y := randomInput(spec, 77)
	other, err := n.Run(context.Background(), spec, y)
	if err != nil {
		t.Fatal(err)
	}
	batches := []*Batch{begin(t, n, spec, x), begin(t, n, spec, y), begin(t, n, spec, x)}
	for _, b := range batches {
		if err := b.Submit(); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []*Output{want, other, want} {
		if out, err := batches[i].Wait(context.Background()); err != nil || !reflect.DeepEqual(out, want) {
			t.Errorf("batch %d: another result, error %v", i, err)
		}
	}
}

// testGrowingArena: a batch that was begun before a larger one took another arena still runs.
func testGrowingArena(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 32)
	largeSpec, largeX, largeWant := kind(2, 64)
	small := begin(t, n, spec, x)
	large := begin(t, n, largeSpec, largeX)
	finish(t, "small", small, want)
	finish(t, "large", large, largeWant)
	finish(t, "small, again", begin(t, n, spec, x), want)
}

func testBeginWaits(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 48)
	batches := full(t, n, spec, x)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := n.Begin(ctx, spec); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with all room taken: error %v", err)
	}
	// Another kind has room of its own.
	other, y, otherWant := kind(1, 32)
	finish(t, "another kind", begin(t, n, other, y), otherWant)

	got := make(chan *Batch)
	go func() {
		b, err := n.Begin(context.Background(), spec)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	select {
	case <-got:
		t.Fatal("more batches than slots")
	case <-time.After(20 * time.Millisecond):
	}
	batches[1].Discard()
	b := <-got
	encode(b.Input(), x)
	finish(t, "the waiting one", b, want)
	finish(t, "first", batches[0], want)
	finish(t, "last", batches[2], want)
}

// testWaitCancelled: who stops waiting loses the result, but the room comes back.
func testWaitCancelled(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 48)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for i := range 3 * slots {
		b := begin(t, n, spec, x)
		if err := b.Submit(); err != nil {
			t.Fatal(err)
		}
		// A batch that is done already may give its result all the same.
		if out, err := b.Wait(cancelled); err == nil && !reflect.DeepEqual(out, want) || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("batch %d: error %v", i, err)
		}
	}
	finish(t, "after them", begin(t, n, spec, x), want)
	if _, err := n.Run(cancelled, spec, x); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("run: error %v", err)
	}
}

func testDiscard(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(2, 36)
	for range 2 * slots {
		b := begin(t, n, spec, randomInput(spec, 99))
		b.Discard()
	}
	finish(t, "after discarded ones", begin(t, n, spec, x), want)
	if made := n.programs[spec].made; made != 1 {
		t.Errorf("%d slots were made for one batch at a time", made)
	}
}

// testCloseInFlight: what was submitted is finished, what waits for room is told, and what was only
// begun fails without harm.
func testCloseInFlight(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 64)
	batches := full(t, n, spec, x)
	waiting := make(chan error)
	go func() {
		_, err := n.Begin(context.Background(), spec)
		waiting <- err
	}()
	for _, b := range batches[:2] {
		if err := b.Submit(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond) // for the waiting one to wait
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("waiting for room: error %v", err)
	}
	for i, b := range batches[:2] {
		if out, err := b.Wait(context.Background()); err != nil || !reflect.DeepEqual(out, want) {
			t.Errorf("batch %d in flight: another result, error %v", i, err)
		}
	}
	if err := batches[2].Submit(); !errors.Is(err, ErrClosed) {
		t.Errorf("a batch was submitted to a closed network: %v", err)
	}
	batches[2].Discard()
	if _, err := n.Run(context.Background(), spec, x); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: error %v", err)
	}
}

// testCloseFreesMemory: a closed network holds nothing on the device.
func testCloseFreesMemory(t *testing.T, dev *gpu.Device) {
	before := dev.Memory().Used
	c := oneStage()
	n, err := Load(context.Background(), dev, c, randomWeights(c, 21), Options{Storage: shaders.F16})
	if err != nil {
		t.Fatal(err)
	}
	for side := 32; side < 72; side += 4 { // more programs than are kept, and growing arenas
		spec := tensors(1, side, side, Outputs{Logits: true})
		if _, err := n.Run(context.Background(), spec, randomInput(spec, 1)); err != nil {
			t.Fatal(err)
		}
	}
	spec := tensors(1, 40, 40, Outputs{Logits: true})
	b := begin(t, n, spec, randomInput(spec, 1)) // still out when the network closes
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	b.Discard()
	checkFreed(t, dev, before)
}

// testTrim: what waits to be used again is freed, and a batch that is out keeps its memory to its end.
func testTrim(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 36)
	other, y, wantOther := kind(2, 36)
	before := dev.Memory().Used
	b := begin(t, n, spec, x)
	n.Trim()
	n.Trim()
	finish(t, "beside one that is out", begin(t, n, other, y), wantOther)
	finish(t, "out while memory was given back", b, want)
	n.Trim()
	checkFreed(t, dev, before)
	finish(t, "afterwards", begin(t, n, spec, x), want)
}

// testPauseHoldsBatches: Begin waits while the device is paused, until it is resumed, ctx ends or the network closes.
func testPauseHoldsBatches(t *testing.T, dev *gpu.Device) {
	n, kind := slotNetwork(t, dev)
	spec, x, want := kind(1, 36)
	dev.Pause()
	defer dev.Resume()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := n.Begin(ctx, spec)
		gone <- err
	}()
	held := begun(n, spec)
	waits(t, "paused", held)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in a pause: %v", err)
	}
	waits(t, "paused still", held)
	dev.Resume()
	b := <-held
	if b == nil {
		t.Fatal("the batch failed")
	}
	encode(b.Input(), x)
	finish(t, "after a pause", b, want)
	dev.Pause()
	held = begun(n, spec)
	waits(t, "paused again", held)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if b := <-held; b != nil {
		t.Error("a closed network began a batch")
	}
}

func TestOutputAppend(t *testing.T) {
	row := func(images, c int, first float32) *Tensor {
		tensor := &Tensor{Shape: []int{images, c}}
		for i := range images * c {
			tensor.Data = append(tensor.Data, first+float32(i))
		}
		return tensor
	}
	var all Output
	all.Append(&Output{Logits: row(2, 3, 0), Maps: []*Tensor{nil, row(2, 1, 10)}})
	all.Append(&Output{Logits: row(1, 3, 6), Maps: []*Tensor{nil, row(1, 1, 12)}})
	want := Output{Logits: row(3, 3, 0), Maps: []*Tensor{nil, row(3, 1, 10)}}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("together %v, %v", all.Logits, all.Maps)
	}
	for i := range 3 {
		one := all.Image(i)
		want := &Output{Logits: row(1, 3, float32(3*i)), Maps: []*Tensor{nil, row(1, 1, 10+float32(i))}}
		if !reflect.DeepEqual(one, want) {
			t.Errorf("image %d: %v, %v", i, one.Logits, fmt.Sprint(one.Maps))
		}
	}
	if one := all.Image(0); cap(one.Logits.Data) != 3 {
		t.Error("appending to one image would write into the next")
	}
}
