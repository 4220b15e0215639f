package net

import (
	"context"
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// weights is a device's copy of a network's parameters: convolutions standardized and packed,
// norms as gamma then beta, the classifier packed, its bias as it is.
type weights struct {
	memory *gpu.Arena
	ranges map[string]gpu.Range // by the names that plans use
}

// Upload works through a ring of staging buffers: while the device packs one piece, the next is
// read from the checkpoint. A piece is whole output channels.
const (
	stagingBuffers = 3
	stagingSize    = 16 << 20
)

// mostChunk bounds the buffers that hold the weights; those of small networks are as large as the weights.
const mostChunk = 64 << 20

type uploader struct {
	dev      *gpu.Device
	src      Source
	target   Target
	winograd Winograd
	kernels  *shaders.Set
	out      weights
	ring     [stagingBuffers]staging
	next     int
	progress func(done, total int64)
	done     int64
	total    int64
}

type staging struct {
	buffer  *gpu.Buffer
	pending *gpu.Pending
	cmds    *gpu.Commands
}

// upload brings all parameters of a network onto a device. progress, which may be nil, hears of
// the parameters' elements that are done.
func upload(ctx context.Context, dev *gpu.Device, c Config, src Source, t Target, w Winograd, progress func(done, total int64)) (_ *weights, err error) {
	u := &uploader{
		dev: dev, src: src, target: t, winograd: w, kernels: shaders.For(t.Storage), progress: progress,
		out: weights{ranges: map[string]gpu.Range{}},
	}
	params := c.Params()
	for _, p := range params {
		u.total += product(p.Shape)
	}
	u.out.memory = dev.NewArena(min(u.total*t.Storage.Size(), mostChunk))
	defer func() {
		u.release()
		if err != nil {
			u.out.memory.Release()
		}
	}()
	for _, p := range params {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := u.param(ctx, c, p); err != nil {
			return nil, err
		}
		u.done += product(p.Shape)
		if u.progress != nil {
			u.progress(u.done, u.total)
		}
	}
	return &u.out, u.drain(ctx)
}

func (u *uploader) param(ctx context.Context, c Config, p Param) error {
	switch {
	case len(p.Shape) == 4:
		return u.pack(ctx, p, c.WeightEps)
	case strings.HasSuffix(p.Name, "fc.bias"):
		return u.vector(ctx, p.Name, p.Name, p.Shape[0], 1)
	case strings.HasSuffix(p.Name, ".weight"): // of a norm; its bias comes along
		return u.vector(ctx, strings.TrimSuffix(p.Name, ".weight"), p.Name, p.Shape[0], 2)
	}
	return nil
}

// vector copies one-dimensional tensors of n elements: parts is 1 for the tensor alone, 2 for it
// and the .bias that belongs to it.
func (u *uploader) vector(ctx context.Context, as, name string, n, parts int) error {
	names := []string{name, strings.TrimSuffix(name, ".weight") + ".bias"}[:parts]
	size := int64(parts*n) * 4
	s, err := u.acquire(ctx, size)
	if err != nil {
		return err
	}
	for i, name := range names {
		values, err := readVector(u.src, name, n)
		if err != nil {
			return err
		}
		encode(s.buffer.Bytes()[i*n*4:], values)
	}
	dst, err := u.alloc(as, size)
	if err != nil {
		return err
	}
	rec := u.dev.NewRecorder()
	rec.Copy(gpu.Range{Buffer: dst.Buffer, Offset: dst.Offset, Size: size}, s.buffer.Slice(0, size))
	return u.submit(s, rec)
}

// packing is how a four-dimensional tensor is brought into the form that its step reads.
type packing struct {
	kernel         *shaders.Kernel
	spec           []uint32
	taps, inBlocks int                   // of the packed weights
	turned         bool                  // conv_panel reads them
	push           func(rows int) []byte // for a piece of that many output channels
}

// Invocations of a workgroup that turns packed weights, and workgroups of a row.
const (
	turnSize = 64
	turnRow  = 1 << 12
)

func (u *uploader) packing(p Param, dtype DType, eps float32) packing {
	k := u.packed(p, dtype, eps)
	k.turned = !strings.HasPrefix(p.Name, "head.") && u.target.Panel
	return k
}

func (u *uploader) packed(p Param, dtype DType, eps float32) packing {
	size := uint32(64)
	if u.target.CPU { // where a barrier costs more than the sums that it divides
		size = 8
	}
	in, taps := p.Shape[1], p.Shape[2]*p.Shape[3]
	if m := u.winograd[strings.TrimSuffix(p.Name, ".weight")]; m != 0 {
		return packing{kernel: u.kernels.WinogradWeights, spec: []uint32{size, uint32(dtype), 1, uint32(m)},
			taps: (m + 2) * (m + 2), inBlocks: blocks(in), push: func(rows int) []byte { return shaders.Push(rows, in, eps) }}
	}
	k := packing{kernel: u.kernels.PackWeights, spec: []uint32{size, uint32(dtype), flag(!strings.HasPrefix(p.Name, "head.")), 0},
		taps: taps, inBlocks: blocks(in), push: func(rows int) []byte { return shaders.Push(rows, in, taps, p.Shape[3], eps) }}
	if p.Name == "stem.conv.weight" { // over column pairs
		k.spec[3], k.taps, k.inBlocks = 1, p.Shape[2]*4, 1
	}
	return k
}

// pack standardizes and packs a four-dimensional tensor, piece by piece.
func (u *uploader) pack(ctx context.Context, p Param, eps float32) error {
	dtype, err := u.src.DType(p.Name)
	if err != nil {
		return err
	}
	out, in, taps := p.Shape[0], p.Shape[1], p.Shape[2]*p.Shape[3]
	k := u.packing(p, dtype, eps)
	blockRow := int64(k.taps*k.inBlocks) * 8 * 8 * u.target.Storage.Size() // eight output channels
	dst, err := u.alloc(p.Name, int64(blocks(out))*blockRow)
	if err != nil {
		return err
	}
	pipeline, err := u.dev.NewPipeline(k.kernel, k.spec...)
	if err != nil {
		return fmt.Errorf("net: tensor %q: %w", p.Name, err)
	}
	var turn *gpu.Pipeline
	if k.turned {
		if turn, err = u.dev.NewPipeline(u.kernels.TransposeWeights, turnSize); err != nil {
			return fmt.Errorf("net: tensor %q: %w", p.Name, err)
		}
	}
	rowBytes := int64(in*taps) * dtype.Size()
	step := max(int(stagingSize/rowBytes)/8*8, 8)
	for first := 0; first < out; first += step {
		rows := min(step, out-first)
		used := (int64(rows)*rowBytes + 3) / 4 * 4
		s, err := u.acquire(ctx, used)
		if err != nil {
			return err
		}
		if err := u.src.ReadTensor(p.Name, s.buffer.Bytes()[:int64(rows)*rowBytes], int64(first)*rowBytes); err != nil {
			return fmt.Errorf("net: tensor %q: %w", p.Name, err)
		}
		padded := blocks(rows) * 8
		rec := u.dev.NewRecorder()
		packed := gpu.Range{Buffer: dst.Buffer, Offset: dst.Offset + int64(first/8)*blockRow, Size: int64(padded/8) * blockRow}
		rec.Dispatch(pipeline, [3]uint32{uint32(padded), 1, 1}, k.push(rows), s.buffer.Slice(0, used), packed)
		if turn != nil {
			squares := padded / 8 * k.taps * k.inBlocks
			groups := ceilDiv(squares, turnSize)
			row := min(groups, turnRow)
			rec.Dispatch(turn, [3]uint32{uint32(row), uint32(ceilDiv(groups, row)), 1}, shaders.Push(squares, row), packed)
		}
		if err := u.submit(s, rec); err != nil {
			return fmt.Errorf("net: tensor %q: %w", p.Name, err)
		}
	}
	return nil
}

func (u *uploader) alloc(name string, size int64) (gpu.Range, error) {
	r, err := u.out.memory.Alloc(size)
	if err != nil {
		return gpu.Range{}, fmt.Errorf("net: weights: %w", err)
	}
	r.Size = size
	u.out.ranges[name] = r
	return r, nil
}

// acquire returns the next staging buffer, at least size bytes, once the device is done with it.
func (u *uploader) acquire(ctx context.Context, size int64) (*staging, error) {
	s := &u.ring[u.next%stagingBuffers]
	u.next++
	if err := s.finish(ctx); err != nil {
		return nil, err
	}
	if s.buffer != nil && s.buffer.Size() < size {
		s.buffer.Release()
		s.buffer = nil
	}
	if s.buffer == nil {
		b, err := u.dev.NewBuffer(max(size, stagingSize), gpu.Upload)
		if err != nil {
			return nil, fmt.Errorf("net: staging weights: %w", err)
		}
		s.buffer = b
	}
	return s, nil
}

func (u *uploader) submit(s *staging, rec *gpu.Recorder) error {
	cmds, err := rec.End()
	if err != nil {
		return err
	}
	s.cmds = cmds
	s.pending, err = u.dev.Submit(gpu.Job{Compute: cmds})
	return err
}

func (s *staging) finish(ctx context.Context) error {
	if s.pending != nil {
		if err := s.pending.Wait(ctx); err != nil {
			return fmt.Errorf("net: loading weights: %w", err)
		}
		s.pending = nil
	}
	if s.cmds != nil {
		s.cmds.Release()
		s.cmds = nil
	}
	return nil
}

func (u *uploader) drain(ctx context.Context) error {
	for i := range u.ring {
		if err := u.ring[i].finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (u *uploader) release() {
	for i := range u.ring {
		if s := &u.ring[i]; s.buffer != nil {
			if s.cmds != nil {
				s.cmds.Release()
			}
			s.buffer.Release()
		}
	}
}
