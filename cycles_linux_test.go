package bitgpu_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/tests/modeltest"
	"github.com/bitgpu/bitgpu/tests/proctest"
)

// cycles is how often models are opened and closed; tests with work in flight do a tenth. `make test-cycles` asks for 1,000.
func cycles(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BITGPU_CYCLES")
	if text == "" {
		return 40
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("BITGPU_CYCLES=%s, want a number from 10 on", text)
	}
	return n
}

// small opens a network with few kernels.
func small(t *testing.T, o bitgpu.Options) *bitgpu.Model {
	t.Helper()
	config := net.Config{
		Layers: []int{1}, Channels: []int{64}, Mid: []int{32}, Stem: 32, Classes: 10,
		Groups: net.DefaultGroups, NormEps: net.DefaultNormEps, WeightEps: net.DefaultWeightEps,
	}
	o.Preprocess = bitgpu.Override{Size: 64}
	m, err := bitgpu.OpenCheckpoint(t.Context(), "small", loader.Generated(modeltest.TensorInfos(config)), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ways is in how many ways closeBusy closes a model: cycles from then on do what others have done before them.
const ways = 16

// leaksNothing runs cycles and compares what the process holds after the first few with what it holds at the end.
func leaksNothing(t *testing.T, n int, cycle func(i int)) {
	t.Helper()
	first := max(n/20, ways)
	for i := range first {
		cycle(i)
	}
	before := proctest.Now(t)
	for i := first; i < first+n; i++ {
		cycle(i)
	}
	after := proctest.Now(t)
	t.Logf("%d cycles: %v before, %v after", n, before, after)
	// Go keeps threads for later, and glibc some memory. A leak of 16 KiB, a twentieth of a model, in each of 1,000 cycles is more.
	if after.Memory-before.Memory > 12<<10 || after.Threads-before.Threads > 6 || after.Files > before.Files || after.Goroutines > before.Goroutines {
		t.Errorf("after %d cycles %v, before %v", n, after, before)
	}
}

func TestCycles(t *testing.T) {
	if !proctest.Alone(t) {
		return
	}
	dir := t.TempDir()
	leaksNothing(t, cycles(t), func(i int) {
		m := small(t, bitgpu.Options{CacheDir: dir})
		if i%10 == 0 {
			if _, err := m.Classify(t.Context(), open(photo), 1); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCyclesInFlight(t *testing.T) {
	if !proctest.Alone(t) {
		return
	}
	dir := t.TempDir()
	leaksNothing(t, cycles(t)/10, func(i int) { closeBusy(t, i, bitgpu.Options{CacheDir: dir}) })
}

// TestCyclesLeaveNothing: the validation layer has nothing to say of models that are closed in the middle of their work.
func TestCyclesLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		closeBusy(t, i, bitgpu.Options{CacheDir: dir, Validation: true})
	}
}

// TestCyclesOfAGuest: a host's objects are as good after many models that were closed in the middle of their work.
func TestCyclesOfAGuest(t *testing.T) {
	h := gputest.NewHost(t)
	img := h.Image(20, 10, false, false)
	pixels := fourBytes(open(photo), false, 4*open(photo).Bounds().Dx())[:4*20*10]
	h.Fill(img, pixels, gputest.LayoutGeneral, nil, nil, nil)
	dir, fence := t.TempDir(), h.Fence()
	for i := range cycles(t) / 10 {
		closeBusy(t, i, bitgpu.Options{CacheDir: dir, Host: h.Options()})
		h.Submit(nil, nil, fence)
		h.Wait(fence)
	}
	if got := h.Pixels(img); string(got) != string(pixels) {
		t.Error("the host's image is another one")
	}
}

// closeBusy opens a model and closes it in the middle of work of every kind, in one of several ways. Calls must be
// answered, or end with ErrClosed.
func closeBusy(t *testing.T, i int, o bitgpu.Options) {
	t.Helper()
	switch i % 4 { // with the switch below, one of the ways
	case 1:
		o.SliceBudget = time.Millisecond
	case 2:
		o.Preprocessor = bitgpu.PreprocessGPU
	case 3:
		o.LowPriority, o.Batch = true, 2
	}
	m, img := small(t, o), picture(rand.New(rand.NewPCG(1, 2)), 80, 70)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.WaitGroup
	check := func(what string, err error) {
		if err != nil && !errors.Is(err, bitgpu.ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("cycle %d, %s: %v", i, what, err)
		}
	}
	busy := make(chan struct{})
	calls.Go(func() {
		ready := sync.OnceFunc(func() { close(busy) })
		endless := func(yield func(bitgpu.Input) bool) {
			for yield(bitgpu.Input{Image: img}) {
			}
		}
		for r := range m.Stream(t.Context(), endless, logits) {
			check("Stream", r.Err)
			ready()
			if r.Err != nil {
				break
			}
		}
	})
	calls.Go(func() {
		_, err := m.Forward(t.Context(), noise(6, 96, 96), logits)
		check("Forward", err)
	})
	calls.Go(func() {
		_, err := m.Embed(ctx, img)
		check("Embed", err)
	})
	for n := range 4 {
		answer := m.Go(ctx, bitgpu.Input{Image: img}, logits)
		if n > 0 { // one has no reader
			calls.Go(func() { check("Go", (<-answer).Err) })
		}
	}
	if i%3 > 0 {
		<-busy
	}
	if i%5 == 0 {
		m.Trim()
	}
	if i%2 == 0 {
		cancel()
	}
	var err error
	switch i / 4 % 4 {
	case 0:
		err = m.Close()
	case 1:
		err = m.Abort()
	case 2:
		m.Pause()
		err = m.Close()
	case 3:
		calls.Go(func() { check("Abort", m.Abort()) })
		err = m.Close()
	}
	check("Close", err)
	calls.Wait()
}
