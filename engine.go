package bitgpu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/net/resample"
)

// engine is a model's network on one of its devices.
type engine struct {
	dev     *gpu.Device
	net     *net.Network
	resizer *resample.Resizer // with PreprocessGPU or a host, else nil
	batch   int               // Options.Batch
	busy    atomic.Int64      // calls of run
	life    sync.RWMutex      // held for reading while batches run, for writing when the device is closed
	refused atomic.Bool       // the model is being closed

	mu      sync.Mutex
	failure error // of a batch that another device had to run
}

// openDevice opens one device.
func openDevice(o Options, device string) (*gpu.Device, error) {
	cache, err := cacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	return gpu.Open(gpu.Options{
		Device: device, Validation: o.Validation, CacheDir: cache, MemoryBudget: o.MemoryBudget,
		SliceBudget: o.SliceBudget, LowPriority: o.LowPriority, Host: o.Host,
	})
}

// openEngine opens one device and brings the weights onto it.
func openEngine(ctx context.Context, s *source, o Options, device string, progress func(done, total int64)) (*engine, error) {
	cache, err := cacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	dev, err := openDevice(o, device)
	if err != nil {
		return nil, err
	}
	size := s.info.Preprocess.Size
	first := net.BatchSpec{Images: max(o.Batch, 1), Height: size, Width: size, Input: o.Preprocessor.input()}
	first.Outputs = answer(s.info.Config)
	n, err := net.Load(ctx, dev, s.info.Config, s, net.Options{
		Storage: o.Precision.storage(), Normalize: table(s.info.Preprocess), Progress: progress, Prepare: &first,
		Height: size, Width: size, Tuning: readTuning(cache, dev.Info()),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.info.Name, errors.Join(err, dev.Close()))
	}
	e := &engine{dev: dev, net: n, batch: o.Batch}
	if o.Preprocessor == PreprocessGPU || o.Host != nil {
		if e.resizer, err = resample.New(dev); err != nil {
			return nil, fmt.Errorf("%s: %w", s.info.Name, errors.Join(err, e.close()))
		}
	}
	return e, nil
}

// refuse ends all calls but those whose batches the device has; now also those.
func (e *engine) refuse(now bool) {
	e.refused.Store(true)
	if now {
		e.dev.Abort()
	}
	_ = e.net.Close() // never fails
}

// close waits for batches in flight and frees everything. Its error has what went wrong on the device, too, while others did its work.
func (e *engine) close() error {
	e.refuse(false)
	e.life.Lock()
	err := e.dev.Close()
	e.life.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		err = errors.Join(err, fmt.Errorf("bitgpu: %s failed, its work was done by other devices: %w", e.dev.Info().Name, e.failure))
		e.failure = nil
	}
	return err
}

// use is the beginning of a call that runs batches. Unless it fails, done is the end, with the call's error.
func (e *engine) use() error {
	if e.refused.Load() {
		return ErrClosed
	}
	e.life.RLock()
	return nil
}

func (e *engine) done(err *error) {
	if *err != nil && e.refused.Load() && errors.Is(*err, gpu.ErrClosed) {
		*err = fmt.Errorf("%w: %w", ErrClosed, *err)
	}
	e.life.RUnlock()
}

// trim gives back memory that only waits to be used again.
func (e *engine) trim() {
	e.net.Trim()
	if e.resizer != nil {
		e.resizer.Trim()
	}
}

// failed keeps the error of a batch that another device is going to run. That the model has been closed is
// no failure of the device.
func (e *engine) failed(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure == nil {
		e.failure = err
	}
}

// maxBatch is the largest automatic batch.
const maxBatch = 64

// Floating-point operations that a batch of automatic size holds, so that starting it costs nothing
// beside it: some tens of milliseconds on either kind of device.
const (
	batchCPU = 4e9
	batchGPU = 2e12
)

// fit returns how many pictures go into one batch: spec.Images at most.
func (e *engine) fit(spec net.BatchSpec) (int, error) {
	most := e.batch
	switch {
	case spec.Images == 1:
		most = 1
	case most == 0:
		one := spec
		one.Images = 1
		plan, err := e.net.Plan(one)
		if err != nil {
			return 0, err
		}
		work := int64(batchGPU)
		if e.dev.Info().Type == gpu.CPU {
			work = batchCPU
		}
		most = int(min(max(work/max(plan.FLOPs(), 1), 1), maxBatch))
	}
	spec.Images = min(spec.Images, most)
	return e.net.FitBatch(spec)
}

// run computes pictures of spec's size: in one batch, or in smaller ones where memory is short.
func (e *engine) run(ctx context.Context, spec net.BatchSpec, pictures []picture) (out *Output, err error) {
	e.busy.Add(1)
	defer e.busy.Add(-1)
	if err := e.use(); err != nil {
		return nil, err
	}
	defer e.done(&err)
	out = &Output{}
	for most := len(pictures); len(pictures) > 0; {
		spec.Images = min(most, len(pictures))
		part, err := e.runBatch(ctx, spec, pictures)
		switch {
		case errors.Is(err, gpu.ErrOutOfMemory) && spec.Images > 1:
			most = spec.Images / 2
			continue
		case err != nil:
			return nil, err
		}
		out.Append(part)
		pictures = pictures[spec.Images:]
	}
	return out, nil
}

// runBatch computes the first spec.Images pictures.
func (e *engine) runBatch(ctx context.Context, spec net.BatchSpec, pictures []picture) (*Output, error) {
	b, err := e.start(ctx, spec, pictures)
	if err != nil {
		return nil, err
	}
	return b.Wait(ctx)
}

func (e *engine) start(ctx context.Context, spec net.BatchSpec, pictures []picture) (*net.Batch, error) {
	if spec.Input == net.Crops {
		return e.startCrops(ctx, spec, pictures)
	}
	return e.net.Start(ctx, spec, func(input []byte) {
		for _, p := range pictures[:spec.Images] {
			input = input[p.put(input):]
		}
	})
}

// picture is what a device gets of one picture.
type picture interface {
	put(input []byte) int       // writes it and returns the number of bytes
	mirrored(width int) picture // left and right exchanged, in memory of its own
}

// pixels are uint8 [H][W][3], for net.Pixels.
type pixels []uint8

func (p pixels) put(input []byte) int { return copy(input, p) }

// values are float32 [3][H][W], for net.Tensors.
type values []float32

func (v values) put(input []byte) int {
	for i, x := range v {
		binary.LittleEndian.PutUint32(input[4*i:], math.Float32bits(x))
	}
	return 4 * len(v)
}
