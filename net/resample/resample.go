// Package resample resizes and crops pictures on a device, as Pillow does it to the byte: in two passes with
// 8 bits between them, in integers (shaders/resize.glsl). What a crop is made of is the caller's to say, as
// windows and weights (loader.Resample).
//
// What holds:
//   - Pixels travel as they are decoded, three bytes each, and only those that the crop depends on.
//   - A call's pictures are computed in groups of at most mostBytes, or one that is larger. Memory is that
//     of two groups: while the device computes one, the host writes the other.
//   - The results do not pass through the host: they go where a later job of the device reads them.
package resample

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// ErrTooLarge says that a picture does not fit a limit of the device.
var ErrTooLarge = errors.New("resample: too large for this device")

// Axis is how the samples of one direction of a crop are made. Sample i is the sum of Taps samples of the
// picture from First[i] on with the weights Coeffs[i*Taps:], plus 1<<21, shifted right by 22 bits and clamped
// to 0..255. Weights of zero may lie past the picture's end. The absolute weights of a sample must add up to
// less than 1.6 * 2^22.
type Axis struct {
	Taps   int
	First  []int32
	Coeffs []int32
}

// Picture is what a crop is made from.
type Picture struct {
	Width, Height int
	Pix           []uint8 // RGB, a row every Stride bytes; the last one need not be complete behind Width
	Stride        int
	Resident      *Resident // a picture that is on the device already, in place of Pix and Stride
	Columns, Rows Axis      // of the crop: its width and its height
}

// Resizer resizes on one device. It is safe for use from many goroutines. What it takes of the device goes
// with the device.
type Resizer struct {
	dev           *gpu.Device
	limits        gpu.Limits
	align         int64
	copies        bool // pictures are copied to the device's own memory
	rows, columns *gpu.Pipeline
	frames        chan *frame
}

// frame is the memory of a group of pictures. On devices that share the host's memory source is staging.
type frame struct {
	staging, source *gpu.Buffer // the pictures with their tables; of resident ones only the tables
	middle          *gpu.Buffer // the pictures between the passes, and what was copied of resident ones
	last            *gpu.Pending
}

const (
	frames    = 2
	mostBytes = 64 << 20 // of pictures that are computed together
	mostTaps  = 8192     // Mesa 22.3 stops an invocation after 65,535 loop iterations
)

// New prepares a device.
func New(dev *gpu.Device) (*Resizer, error) {
	info := dev.Info()
	r := &Resizer{
		dev: dev, limits: info.Limits, align: max(info.Limits.MinStorageBufferOffsetAlignment, 256),
		copies: !info.Type.SharesMemory(), frames: make(chan *frame, frames),
	}
	kernels := shaders.Resize()
	var err error
	if r.rows, err = dev.NewPipeline(kernels.Rows, localSize, 3, 0); err != nil {
		return nil, fmt.Errorf("resample: %w", err)
	}
	if r.columns, err = dev.NewPipeline(kernels.Columns, localSize); err != nil {
		return nil, fmt.Errorf("resample: %w", err)
	}
	for range frames {
		r.frames <- &frame{}
	}
	return r, nil
}

// localSize is that of the workgroups.
const localSize = 32

// Resize starts to make the crops of pictures, all of one size, and returns when the pictures have been read:
// uint8 [N][H][W][4], of which the fourth byte is zero, in dst. The job that it returns is the last one; what is
// submitted after it finds the crops there. If ctx ends before, some may be missing. The error wraps
// ErrTooLarge or gpu.ErrOutOfMemory if another way must be found.
//
// Of resident pictures the semaphores and fences are signalled in any case, unless the device is lost or closed.
func (r *Resizer) Resize(ctx context.Context, pictures []Picture, dst gpu.Range) (*gpu.Pending, error) {
	last, done, err := r.resizeAll(ctx, pictures, dst)
	if err != nil {
		r.Skip(pictures[done:])
	}
	return last, err
}

// resizeAll returns how many pictures have been submitted.
func (r *Resizer) resizeAll(ctx context.Context, pictures []Picture, dst gpu.Range) (last *gpu.Pending, done int, err error) {
	var places []place
	for i := range pictures {
		p, err := r.place(&pictures[i])
		if err == nil && p.crop != int64(pictures[0].crop()) {
			err = errors.New("resample: crops of different sizes")
		}
		if err != nil {
			return nil, 0, err
		}
		places = append(places, p)
	}
	if len(pictures) == 0 || dst.Size != int64(len(pictures))*places[0].crop {
		return nil, 0, fmt.Errorf("resample: %d bytes for %d crops", dst.Size, len(pictures))
	}
	for done < len(places) {
		n := group(places[done:])
		g := dst
		g.Offset += int64(done) * places[0].crop
		g.Size = int64(n) * places[0].crop
		if last, err = r.resize(ctx, pictures[done:done+n], places[done:done+n], g); err != nil {
			return nil, done, err
		}
		done += n
	}
	return last, done, nil
}

// group places the next pictures in one frame and returns how many they are.
func group(places []place) (n int) {
	var source, middle int64
	for i := range places {
		p := &places[i]
		if n > 0 && source+p.size+middle+p.middleSize > mostBytes {
			break
		}
		p.at, p.middleAt = source, middle
		source += p.size
		middle += p.middleSize
		n++
	}
	return n
}

// resize computes one group.
func (r *Resizer) resize(ctx context.Context, pictures []Picture, places []place, dst gpu.Range) (*gpu.Pending, error) {
	f, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.frames <- f }()
	last := places[len(places)-1]
	if err := r.grow(f, last.at+last.size, last.middleAt+last.middleSize); err != nil {
		return nil, err
	}
	bytes := f.staging.Bytes()
	if bytes == nil {
		return nil, fmt.Errorf("resample: %w", gpu.ErrClosed)
	}
	for i, p := range places {
		p.write(bytes[p.at:p.at+p.size], &pictures[i])
	}
	job, err := r.record(f, pictures, places, dst)
	defer job.Upload.Release() // when it is done
	defer job.Compute.Release()
	if err != nil {
		return nil, fmt.Errorf("resample: %w", err)
	}
	share(&job, pictures)
	if f.last, err = r.dev.Submit(job); err != nil {
		return nil, fmt.Errorf("resample: %w", err)
	}
	return f.last, nil
}

// take waits for a frame that the device is done with.
func (r *Resizer) take(ctx context.Context) (*frame, error) {
	select {
	case f := <-r.frames:
		if f.last != nil {
			if err := f.last.Wait(ctx); err != nil {
				r.frames <- f
				return nil, err
			}
			f.last = nil
		}
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// grow gives a frame as much memory as a group needs. Buffers are made larger than that, since the next
// pictures may be, but for very large ones.
func (r *Resizer) grow(f *frame, source, middle int64) (err error) {
	fit := func(b **gpu.Buffer, size int64, u gpu.Usage) {
		if err != nil || *b != nil && (*b).Size() >= size {
			return
		}
		(*b).Release()
		if *b, err = r.dev.NewBuffer(max(size, min(size*3/2, mostBytes)), u); err != nil {
			*b, err = nil, fmt.Errorf("resample: memory for pictures: %w", err)
		}
	}
	fit(&f.staging, source, gpu.Upload)
	if r.copies {
		fit(&f.source, source, gpu.DeviceLocal)
	} else {
		f.source = f.staging
	}
	fit(&f.middle, middle, gpu.DeviceLocal)
	return err
}

// Trim gives back the memory that no call is using.
func (r *Resizer) Trim() {
	for range frames {
		select {
		case f := <-r.frames:
			for _, b := range []*gpu.Buffer{f.staging, f.source, f.middle} {
				b.Release()
			}
			r.frames <- &frame{}
		default:
			return
		}
	}
}

// record makes the commands of a group: all first passes, then all second ones, so that those of different
// pictures overlap.
func (r *Resizer) record(f *frame, pictures []Picture, places []place, dst gpu.Range) (job gpu.Job, err error) {
	if r.copies {
		last := places[len(places)-1]
		rec := r.dev.NewRecorder()
		rec.Copy(f.source.Slice(0, last.at+last.size), f.staging.Slice(0, last.at+last.size))
		if job.Upload, err = rec.End(); err != nil {
			return job, err
		}
	}
	rec := r.dev.NewRecorder()
	for i, p := range places {
		if x := pictures[i].Resident; x != nil {
			x.fetch(rec, &pictures[i], f.middle.Slice(p.middleAt+p.pixelsAt, p.pixels))
		}
	}
	for i, p := range places {
		pipeline, pixels := r.rows, f.source.Slice(p.at, p.pixels)
		if x := pictures[i].Resident; x != nil {
			if pipeline, err = r.resident(x.Format()); err != nil {
				return job, err
			}
			pixels = f.middle.Slice(p.middleAt+p.pixelsAt, p.pixels)
		}
		rec.Dispatch(pipeline, [3]uint32{groups(p.width, localSize), groups(p.rows, shaders.ResizeRows), 1},
			shaders.Push(0, p.stride/4, p.rows, p.width, p.columns.quads),
			pixels, f.source.Slice(p.at+p.columns.at, p.columns.size), f.middle.Slice(p.middleAt, p.between))
	}
	for i, p := range places {
		at := dst.Offset + int64(i)*p.crop
		start := at / r.align * r.align
		rec.Dispatch(r.columns, [3]uint32{groups(p.width, shaders.ResizeColumns*localSize), uint32(p.height), 1},
			shaders.Push(int(at-start)/4, p.width, p.lines.quads),
			f.middle.Slice(p.middleAt, p.between), f.source.Slice(p.at+p.lines.at, p.lines.size),
			dst.Buffer.Slice(start, at-start+p.crop))
	}
	job.Compute, err = rec.End()
	return job, err
}

// groups is the workgroups of size that n invocations take.
func groups(n, size int) uint32 { return uint32(min((n+size-1)/size, math.MaxUint32)) }
