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
	dev     *gpu.Device
	config  Config
	target  Target
	weights *weights
	table   *gpu.Buffer // normalization of bytes
	copies  bool        // batches are copied to and from the device's own memory

	mu       sync.Mutex
	arena    *activations // shared by all programs; nil until the first
	programs map[BatchSpec]*program
	clock    int64
	closed   bool
	wake     chan struct{} // closed and replaced whenever a slot comes home or the network closes
}

// ErrClosed is what a closed Network answers.
var ErrClosed = errors.New("net: closed")

// mostPrograms is how many programs a network keeps recorded; the longest unused goes first.
const mostPrograms = 8

// Options of Load. The zero value works.
type Options struct {
	Storage shaders.Storage
	// Normalize maps a byte to the network's input, for each channel: float32(u/255 - mean)/std.
	// The zero value maps every byte to zero; it matters for Pixels only.
	Normalize [3][256]float32
	// Progress, if set, hears of the parameters' elements that have been loaded.
	Progress func(done, total int64)
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
		copies:   info.Type != gpu.CPU && info.Type != gpu.Integrated,
		programs: map[BatchSpec]*program{}, wake: make(chan struct{}),
	}
	var err error
	if n.table, err = dev.NewBuffer(tableSize, gpu.Upload); err != nil {
		return nil, fmt.Errorf("net: %w", err)
	}
	for c := range o.Normalize {
		encode(n.table.Bytes()[c*1024:], o.Normalize[c][:])
	}
	if n.weights, err = upload(ctx, dev, c, src, n.target, o.Progress); err != nil {
		n.table.Release()
		return nil, err
	}
	return n, nil
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

// retireAll takes all programs out of the table, and their arena away. The lock is held.
func (n *Network) retireAll() {
	for key := range n.programs {
		n.retire(key)
	}
	if n.arena != nil {
		n.arena.retire()
		n.arena = nil
	}
}

func (n *Network) retire(key BatchSpec) {
	p := n.programs[key]
	delete(n.programs, key)
	p.retired = true
	p.releaseRetired()
}

// broadcast wakes all that wait for a slot. The lock is held.
func (n *Network) broadcast() {
	close(n.wake)
	n.wake = make(chan struct{})
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
	return NewPlan(g, n.target, s.Images, s.Input)
}

// FitBatch returns the largest batch, at most s.Images, that the device's limits and its free memory
// allow. The error is ErrTooLarge if not even one image fits.
func (n *Network) FitBatch(s BatchSpec) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
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
			need := plan.ArenaSize + slots*(plan.InputSize+plan.OutputSize)
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

// program returns the recorded program for a kind of batch. The lock is held.
func (n *Network) program(s BatchSpec) (*program, error) {
	n.clock++
	if p, ok := n.programs[s]; ok {
		p.used = n.clock
		return p, nil
	}
	plan, err := n.Plan(s)
	if err != nil {
		return nil, err
	}
	if n.arena == nil || n.arena.buffer.Size() < plan.ArenaSize {
		n.retireAll()
		buffer, err := n.dev.NewBuffer(max(plan.ArenaSize, 1), gpu.DeviceLocal)
		if err != nil {
			return nil, fmt.Errorf("net: activations of a batch of %d at %dx%d: %w", s.Images, s.Width, s.Height, err)
		}
		n.arena = &activations{buffer: buffer}
	}
	if len(n.programs) >= mostPrograms {
		oldest := s
		for key, p := range n.programs {
			if q := n.programs[oldest]; q == nil || p.used < q.used {
				oldest = key
			}
		}
		n.retire(oldest)
	}
	p := &program{net: n, plan: plan, profile: s.Profile, arena: n.arena, used: n.clock}
	n.programs[s] = p
	return p, nil
}
