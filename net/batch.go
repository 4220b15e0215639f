package net

import (
	"context"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
)

// Batch is one batch of pictures on its way through a network: Begin, fill Input or Crops, Submit, Wait. It
// belongs to one goroutine at a time, and ends with Wait or Discard.
type Batch struct {
	program *program
	slot    *slot
	pending *gpu.Pending
}

// Input is where the batch's pictures go, in host memory: uint8 [N][H][W][3] for Pixels, float32
// [N][3][H][W] in little-endian bytes for Tensors. It may be written until Submit. It is nil if the device has been
// closed, and for Crops.
func (b *Batch) Input() []byte {
	if b.slot.staging == nil {
		return nil
	}
	bytes := b.slot.staging.Bytes()
	return bytes[:min(len(bytes), inputBytes(b.program.plan))]
}

// Crops is where the batch's pictures go if they are Crops, in the device's memory: jobs that are submitted
// before the batch may write there. It is nil for other kinds of input.
func (b *Batch) Crops() *gpu.Buffer {
	if b.program.plan.Input != Crops {
		return nil
	}
	return b.slot.input
}

func inputBytes(p *Plan) int {
	n := p.Batch * p.Graph.Height * p.Graph.Width * 3
	if p.Input == Tensors {
		n *= 4
	}
	return n
}

// Submit starts the batch and returns at once.
func (b *Batch) Submit() error {
	pending, err := b.program.net.dev.Submit(b.slot.job)
	if err != nil {
		return b.failed(err)
	}
	b.pending = pending
	return nil
}

// failed is the error of a batch that could not be submitted: of a closed network, ErrClosed.
func (b *Batch) failed(err error) error {
	n := b.program.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return fmt.Errorf("net: batch of %d: %w", b.program.plan.Batch, err)
}

// Tensor is a result in row-major order.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Output is what a batch gave; what was not wanted is nil.
type Output struct {
	Logits    *Tensor   // [N][classes]
	Embedding *Tensor   // [N][D]
	Unpooled  *Tensor   // [N][D][H][W]
	Maps      []*Tensor // [N][C][H][W] each, at the index of the map
	Times     []gpu.StepTime
}

// Wait waits for a submitted batch, copies its results and gives its room back. If ctx ends first
// the results are lost; the room comes back when the device is done, or with the next slice of a device with a
// slice budget, which leaves the rest out.
func (b *Batch) Wait(ctx context.Context) (*Output, error) {
	err := b.pending.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		b.pending.Cancel()
		go func(b Batch) {
			_ = b.pending.Wait(context.Background()) // its error has no reader any more
			b.giveBack()
		}(*b)
		return nil, err
	}
	defer b.giveBack()
	if err != nil {
		return nil, fmt.Errorf("net: batch of %d: %w", b.program.plan.Batch, err)
	}
	p := b.program.plan
	out := &Output{
		Logits:    b.tensor(p.Logits, false),
		Embedding: b.tensor(p.Embedding, false),
		Unpooled:  b.tensor(p.Unpooled, true),
		Maps:      make([]*Tensor, len(p.Maps)),
	}
	for i, m := range p.Maps {
		out.Maps[i] = b.tensor(m, true)
	}
	if b.program.profile {
		if out.Times, err = b.slot.job.Compute.Times(); err != nil {
			return nil, fmt.Errorf("net: %w", err)
		}
	}
	return out, nil
}

// Start begins a batch of Pixels or Tensors, has its input filled and submits it.
func (n *Network) Start(ctx context.Context, spec BatchSpec, fill func(input []byte)) (*Batch, error) {
	if spec.Input == Crops {
		return nil, fmt.Errorf("net: batch of %d: crops are not written by the host", spec.Images)
	}
	b, err := n.Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	input := b.Input()
	if input == nil {
		b.Discard()
		return nil, fmt.Errorf("net: batch of %d: %w", spec.Images, gpu.ErrClosed)
	}
	fill(input)
	if err := b.Submit(); err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// Run is Start and Wait for pictures that are at hand: float32 values of [N][3][H][W]; spec.Input must
// be Tensors.
func (n *Network) Run(ctx context.Context, spec BatchSpec, x []float32) (*Output, error) {
	if want := spec.Images * 3 * spec.Height * spec.Width; spec.Input != Tensors || len(x) != want {
		return nil, fmt.Errorf("net: %d float32 values for a batch of %d at %dx%d, want %d", len(x), spec.Images, spec.Width, spec.Height, want)
	}
	b, err := n.Start(ctx, spec, func(input []byte) { encode(input, x) })
	if err != nil {
		return nil, err
	}
	return b.Wait(ctx)
}

// Append adds the images of another output behind those of o, which may be empty.
func (o *Output) Append(other *Output) {
	o.Logits = o.Logits.append(other.Logits)
	o.Embedding = o.Embedding.append(other.Embedding)
	o.Unpooled = o.Unpooled.append(other.Unpooled)
	if o.Maps == nil {
		o.Maps = make([]*Tensor, len(other.Maps))
	}
	for i := range other.Maps {
		o.Maps[i] = o.Maps[i].append(other.Maps[i])
	}
	o.Times = append(o.Times, other.Times...)
}

func (t *Tensor) append(other *Tensor) *Tensor {
	if t == nil || other == nil {
		return other
	}
	t.Shape[0] += other.Shape[0]
	t.Data = append(t.Data, other.Data...)
	return t
}

// Image returns the results of image i alone; its tensors have one row and share memory with o.
func (o *Output) Image(i int) *Output {
	one := &Output{Logits: o.Logits.row(i), Embedding: o.Embedding.row(i), Unpooled: o.Unpooled.row(i), Maps: make([]*Tensor, len(o.Maps))}
	for j, m := range o.Maps {
		one.Maps[j] = m.row(i)
	}
	return one
}

func (t *Tensor) row(i int) *Tensor {
	if t == nil {
		return nil
	}
	shape := append([]int{1}, t.Shape[1:]...)
	n := int(product(shape))
	return &Tensor{Shape: shape, Data: t.Data[i*n : (i+1)*n : (i+1)*n]}
}

// tensor copies one result out of the readback memory.
func (b *Batch) tensor(r *Result, spatial bool) *Tensor {
	if r == nil {
		return nil
	}
	n, each := b.program.plan.Batch, r.Shape.C*r.Shape.Pixels()
	t := &Tensor{Shape: []int{n, r.Shape.C}, Data: make([]float32, 0, n*each)}
	if spatial {
		t.Shape = append(t.Shape, r.Shape.H, r.Shape.W)
	}
	raw := b.slot.readback.Bytes()[r.Offset:]
	for i := range n {
		at := i * r.Stride * 4
		t.Data = append(t.Data, decode(raw[at:at+each*4], F32)...)
	}
	return t
}

// Discard gives up a batch that was not submitted.
func (b *Batch) Discard() { b.giveBack() }
