package net

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// Network is a network with its weights on one device. It is safe for use from many goroutines; the
// device computes one batch at a time, in the order of the submissions.
type Network struct {
	dev      *gpu.Device
	config   Config
	target   Target
	winograd Winograd
	weights  *weights
	table    *gpu.Buffer // normalization of bytes
	copies   bool        // batches are copied to and from the device's own memory

	background sync.WaitGroup // Options.Prepare
	stop       context.CancelFunc

	mu sync.Mutex
	room
}

// ErrClosed is what a closed Network answers.
var ErrClosed = errors.New("net: closed")

// Options of Load. The zero value works.
type Options struct {
	Storage shaders.Storage
	// Height and Width are those of most pictures; the form of the weights is chosen for them. Zero
	// stands for 224. Pictures of other sizes give the same results.
	Height, Width int
	// Winograd says which convolutions run so; nil for what ChooseWinograd chooses, an empty map for
	// none.
	Winograd Winograd
	// Tuning is what Tune found for the device; nil for the defaults.
	Tuning *Tuning
	// Normalize maps a byte to the network's input, for each channel: float32(u/255 - mean)/std.
	// The zero value maps every byte to zero; it matters for Pixels only.
	Normalize [3][256]float32
	// Progress, if set, hears of the parameters' elements that have been loaded.
	Progress func(done, total int64)
	// Prepare, if set, is a kind of batch whose kernels are compiled while the weights are loaded, and after
	// that in the background if need be. What is wrong with it shows at the first such batch.
	Prepare *BatchSpec
}

// Load brings the weights of a network onto a device: it reads each tensor once, in pieces, and
// standardizes and packs it there. The device must outlive the Network.
func Load(ctx context.Context, dev *gpu.Device, c Config, src Source, o Options) (*Network, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	info := dev.Info()
	n := &Network{
		dev: dev, config: c, target: NewTarget(info, o.Storage),
		copies: !info.Type.SharesMemory(),
		room:   room{programs: map[BatchSpec]*program{}, wake: make(chan struct{})},
	}
	n.target.Tuning = o.Tuning
	g, err := o.graph(c)
	if err != nil {
		return nil, err
	}
	n.target = n.target.Suited(g)
	if n.winograd, err = o.winograd(g, n.target); err != nil {
		return nil, err
	}
	if n.table, err = dev.NewBuffer(tableSize, gpu.Upload); err != nil {
		return nil, fmt.Errorf("net: %w", err)
	}
	for c := range o.Normalize {
		encode(n.table.Bytes()[c*1024:], o.Normalize[c][:])
	}
	n.prepare(o.Prepare)
	if n.weights, err = upload(ctx, dev, c, src, n.target, n.winograd, o.Progress); err != nil {
		n.stop()
		n.background.Wait()
		n.table.Release()
		return nil, err
	}
	return n, nil
}

// prepare compiles the kernels of a kind of batch in the background.
func (n *Network) prepare(s *BatchSpec) {
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	if s == nil {
		return
	}
	n.background.Go(func() {
		if plan, err := n.Plan(*s); err == nil {
			_, _ = n.compile(ctx, plan) // whoever begins such a batch asks again
		}
	})
}

// Config returns the network's shape.
func (n *Network) Config() Config { return n.config }

// Storage returns the element type of activations and weights on the device.
func (n *Network) Storage() shaders.Storage { return n.target.Storage }

// WeightBytes is the device memory that the weights take.
func (n *Network) WeightBytes() int64 { return n.weights.memory.Size() }

// Close frees all that the network holds on the device; batches in flight are finished first. It is
// idempotent.
func (n *Network) Close() error {
	n.stop()
	defer n.background.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	n.retireAll()
	n.broadcast()
	n.weights.memory.Release()
	n.table.Release()
	return nil
}

// BatchSpec is what decides a program: the batch's size, the pictures' size, the wanted results.
type BatchSpec struct {
	Images, Height, Width int
	Input                 InputKind
	Outputs               Outputs
	Profile               bool // take the time of every step
}

// Plan makes the plan that a batch would run by.
func (n *Network) Plan(s BatchSpec) (*Plan, error) {
	g, err := NewGraph(n.config, s.Height, s.Width, s.Outputs)
	if err != nil {
		return nil, err
	}
	return NewPlan(g, n.target, n.winograd, s.Images, s.Input)
}

// FitBatch returns the largest batch, at most s.Images, that the device's limits and its free memory
// allow: a batch of several images three times over, so that they overlap, a single one once. The error is
// ErrTooLarge if not even one image fits.
func (n *Network) FitBatch(s BatchSpec) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return 0, ErrClosed
	}
	free := n.dev.Memory().Budget
	if n.arena != nil {
		free += n.arena.buffer.Size() // a larger one would take its place
	}
	for {
		if n.programs[s] != nil {
			return s.Images, nil
		}
		plan, err := n.Plan(s)
		if err == nil {
			need := plan.ArenaSize + plan.InputSize + plan.OutputSize
			if s.Images > 1 {
				need += (slots - 1) * (plan.InputSize + plan.OutputSize)
			}
			if need <= free && plan.ArenaSize <= n.dev.Info().Limits.MaxMemoryAllocationSize {
				return s.Images, nil
			}
			err = fmt.Errorf("%w: a batch of %d at %dx%d needs %d bytes, %d are free", ErrTooLarge, s.Images, s.Width, s.Height, need, free)
		}
		if !errors.Is(err, ErrTooLarge) || s.Images == 1 {
			return 0, err
		}
		s.Images /= 2
	}
}
