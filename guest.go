package bitgpu

// This file owns what a program with Options.Host has beside a device: pictures that are in its memory already,
// and results that stay there. Nothing of them passes through the processor.

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/net/resample"
)

// HostPicture is a picture in the memory of Options.Host's device: an image, or rows in a buffer. Pixels are
// four bytes: red, green, blue (or the other way round) and one that is dropped. They are taken as they are in
// memory, whatever a view makes of them, as the bytes of a file are. So an image with a format or a view of
// sRGB gives what its file would give; linear values must be encoded before.
//
// The device resizes and crops it as Preprocess.Apply does, to the byte. One that is too large for that is an
// error, which wraps resample.ErrTooLarge.
type HostPicture struct {
	Image  *gpu.ExternalImage // sizes, formats, layouts and owners are in its documentation
	Buffer *HostPixels        // in place of Image

	// What must be signalled before the picture is read: a semaphore, whose signal has been submitted, or a
	// fence, which a goroutine waits for.
	Wait      []gpu.Semaphore
	WaitFence uintptr // VkFence; stays signalled
	// What is signalled when the picture has been read and is in its final layout. That happens in any
	// case, also if the call returns an error, unless the device is lost or the model closed.
	Signal      []gpu.Semaphore
	SignalFence uintptr // VkFence, unsignalled
}

// HostPixels are the rows of a picture in a VkBuffer that was made with VK_BUFFER_USAGE_TRANSFER_SRC_BIT.
type HostPixels struct {
	Handle        uintptr // VkBuffer
	Size          int64   // of the buffer
	Offset        int64   // of the first pixel
	Stride        int     // bytes from one row to the next, a multiple of 4; 0 for 4*Width
	Width, Height int
	Format        gpu.ExternalFormat
	// Transfer says that the queue family Owner has released the buffer's rows to Host.QueueFamily, and
	// acquires them afterwards: those that the crop depends on (loader.Preprocess.Resample), or the whole
	// buffer if it is released as such.
	Transfer bool
	Owner    uint32
}

// HostResult is a place for results in a VkBuffer that was made with VK_BUFFER_USAGE_TRANSFER_DST_BIT.
type HostResult struct {
	Handle uintptr // VkBuffer
	Size   int64   // of the buffer
	Offset int64   // of the results, a multiple of 4
	Room   int64   // for them, in bytes; 0 for all behind Offset

	Transfer bool   // the queue family Owner has released the results' bytes, and acquires them afterwards
	Owner    uint32 //

	Signal      []gpu.Semaphore // when they are there
	SignalFence uintptr         // VkFence, unsignalled
}

// errNoHost is the error of pictures in a device's memory, of a model that has opened the device itself.
var errNoHost = errors.New("pictures in a device's memory need Options.Host")

// RunHost runs pictures that are in the memory of the host's device. It may be called from many goroutines;
// none of them may hold Host.QueueLock.
func (m *Model) RunHost(ctx context.Context, pictures []HostPicture, want Outputs) (*Output, error) {
	total := &Output{}
	err := m.host(ctx, pictures, want, func(b *net.Batch, n int) error {
		if err := b.Submit(); err != nil {
			b.Discard()
			return err
		}
		out, err := b.Wait(ctx)
		if err == nil {
			total.Append(out)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return total, nil
}

// RunHostInto is RunHost for a single kind of results, which it leaves in a buffer of the host: float32 in
// row-major order, images first, of the shape that it returns: [N, classes], [N, D] or [N, C, H, W]. It
// returns when all of the work has been submitted (with a SliceBudget that is when the last slice begins);
// the results are there when r's semaphores or fence are signalled, or when the job that it returns is
// done. After an error they may be partly there, and nothing of r is signalled, unless ctx has ended while slices waited for their
// turn: then r's signals come when they are given up.
func (m *Model) RunHostInto(ctx context.Context, pictures []HostPicture, want Outputs, r HostResult) (
	shape []int, last *gpu.Pending, err error) {
	fail := func(err error) ([]int, *gpu.Pending, error) {
		m.skip(pictures)
		return nil, nil, fmt.Errorf("bitgpu: %w", err)
	}
	e := m.engines[0]
	if err := m.guest(pictures); err != nil {
		return fail(err)
	}
	if shape, err = e.net.ResultShape(m.hostBatch(1, want)); err != nil {
		return fail(err)
	}
	shape[0] = len(pictures)
	size := int64(4)
	for _, d := range shape {
		size *= int64(d)
	}
	room := r.Size - r.Offset
	if r.Room > 0 {
		room = min(room, r.Room)
	}
	if r.Offset < 0 || r.Offset%4 != 0 || room < size {
		return fail(fmt.Errorf("results of %d bytes, float32 %v, at %d of a host's buffer of %d bytes with room for %d",
			size, shape, r.Offset, r.Size, room))
	}
	buffer, err := e.dev.AdoptBuffer(r.Handle, r.Size)
	if err != nil {
		return fail(err)
	}
	defer buffer.Release()
	each := size / int64(len(pictures))
	done := 0
	err = m.host(ctx, pictures, want, func(b *net.Batch, n int) error {
		var after gpu.Job
		if done+n == len(pictures) {
			after.Signal = r.Signal
			if r.SignalFence != 0 {
				after.Fences = []uintptr{r.SignalFence}
			}
		}
		var owner *uint32
		if r.Transfer {
			owner = &r.Owner
		}
		var err error
		last, err = b.Leave(buffer.Slice(r.Offset+int64(done)*each, int64(n)*each), after, owner)
		done += n
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("bitgpu: %w", err)
	}
	select {
	case <-last.Sent():
		return shape, last, nil
	case <-ctx.Done():
		last.Cancel()
		return nil, nil, fmt.Errorf("bitgpu: %w", ctx.Err())
	}
}

// hostBatch describes batches of at most so many host's pictures.
func (m *Model) hostBatch(most int, want Outputs) net.BatchSpec {
	s := m.pictures(most, want)
	s.Input = net.Crops
	return s
}

// guest says whether a model can run pictures of its host.
func (m *Model) guest(pictures []HostPicture) error {
	switch {
	case m.options.Host == nil:
		return errNoHost
	case m.options.Flip:
		return errors.New("Options.Flip does not go with pictures in a device's memory")
	case len(pictures) == 0:
		return errors.New("no pictures")
	}
	return nil
}

// host has batches made of the pictures, and gives each, with its crops, to use, which ends it.
func (m *Model) host(ctx context.Context, pictures []HostPicture, want Outputs, use func(b *net.Batch, n int) error) (err error) {
	done := 0
	defer func() { m.skip(pictures[done:]) }()
	if err := m.guest(pictures); err != nil {
		return err
	}
	e := m.engines[0]
	e.busy.Add(1)
	defer e.busy.Add(-1)
	if err := e.use(); err != nil {
		return err
	}
	defer e.done(&err)
	most, err := e.fit(m.hostBatch(len(pictures), want))
	if err != nil {
		return err
	}
	for done < len(pictures) {
		n := min(most, len(pictures)-done)
		b, read, err := m.startHost(ctx, e, pictures[done:done+n], want)
		if read {
			done += n
		}
		if err != nil {
			return err
		}
		if err := use(b, n); err != nil {
			return err
		}
	}
	return nil
}

// startHost begins a batch and submits the making of its crops. read says that the pictures' signals are on
// their way.
func (m *Model) startHost(ctx context.Context, e *engine, pictures []HostPicture, want Outputs) (_ *net.Batch, read bool, err error) {
	list := make([]resample.Picture, len(pictures))
	for i := range pictures {
		h := &pictures[i]
		var buffer *gpu.Buffer
		if list[i], buffer, err = h.picture(e.dev, m.info.Preprocess); err != nil {
			return nil, false, fmt.Errorf("picture %d: %w", i, err)
		}
		defer buffer.Release() // when the job that reads it is done
		if h.WaitFence != 0 {
			if err := e.dev.WaitFence(ctx, h.WaitFence); err != nil {
				return nil, false, fmt.Errorf("picture %d: %w", i, err)
			}
		}
	}
	b, err := e.net.Begin(ctx, m.hostBatch(len(pictures), want))
	if err != nil {
		return nil, false, err
	}
	if _, err := e.resizer.Resize(ctx, list, b.Crops().All()); err != nil {
		b.Discard()
		return nil, true, err
	}
	return b, true, nil
}

// picture describes the crop of a host's picture. The buffer, if there is one, is to be released.
func (h *HostPicture) picture(dev *gpu.Device, p loader.Preprocess) (resample.Picture, *gpu.Buffer, error) {
	x := h.resident()
	var width, height int
	switch {
	case h.Image != nil && h.Buffer == nil:
		width, height = h.Image.Width, h.Image.Height
	case h.Image == nil && h.Buffer != nil:
		width, height = h.Buffer.Width, h.Buffer.Height
	default:
		return resample.Picture{}, nil, errors.New("want an image or a buffer")
	}
	r, err := p.Resample(width, height)
	if err != nil {
		return resample.Picture{}, nil, err
	}
	picture := resample.Picture{
		Width: r.Width, Height: r.Height, Resident: x, Columns: resample.Axis(r.Columns), Rows: resample.Axis(r.Rows),
	}
	if h.Image != nil {
		x.Image, x.X, x.Y = h.Image, r.Left, r.Top
		return picture, nil, nil
	}
	buffer, err := h.Buffer.rows(dev, x, r)
	return picture, buffer, err
}

// resident is what a job waits for and signals.
func (h *HostPicture) resident() *resample.Resident {
	x := &resample.Resident{Wait: h.Wait, Signal: h.Signal}
	if h.SignalFence != 0 {
		x.Fences = []uintptr{h.SignalFence}
	}
	return x
}

// rows finds the part of the buffer that the crop depends on.
func (h *HostPixels) rows(dev *gpu.Device, x *resample.Resident, r *loader.Resample) (*gpu.Buffer, error) {
	stride := h.Stride
	if stride == 0 {
		stride = 4 * h.Width
	}
	row := 4 * int64(h.Width)
	if int64(stride) < row || h.Offset < 0 || h.Offset > h.Size || int64(h.Height-1)*int64(stride)+row > h.Size-h.Offset {
		return nil, fmt.Errorf("%d x %d pixels with rows of %d bytes at %d of a buffer of %d bytes",
			h.Width, h.Height, stride, h.Offset, h.Size)
	}
	buffer, err := dev.AdoptBuffer(h.Handle, h.Size)
	if err != nil {
		return nil, err
	}
	first, last := int64(r.Top)*int64(stride)+4*int64(r.Left), int64(r.Height-1)*int64(stride)+4*int64(r.Width)
	x.Buffer = buffer.Slice(h.Offset+first, last)
	x.Stride, x.Order, x.Transfer, x.Owner = stride, h.Format, h.Transfer, h.Owner
	return buffer, nil
}

// skip signals that pictures are read which never will be.
func (m *Model) skip(pictures []HostPicture) {
	if m.options.Host == nil || len(pictures) == 0 {
		return
	}
	list := make([]resample.Picture, len(pictures))
	for i := range pictures {
		list[i].Resident = pictures[i].resident()
	}
	m.engines[0].resizer.Skip(list)
}
