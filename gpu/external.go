package gpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// This file owns what jobs share with a host beside buffers: images to copy from, semaphores and fences.
// Handles are given as their bits, and stay the host's.

// ExternalFormat is what the pixels of a host's image or buffer are: four bytes.
type ExternalFormat uint8

const (
	RGBA8 ExternalFormat = iota // VK_FORMAT_R8G8B8A8_UNORM, _SRGB and the like: what the bytes are, not what a view makes of them
	BGRA8                       // VK_FORMAT_B8G8R8A8_UNORM, _SRGB
)

// ExternalImage is a host's VkImage: two-dimensional, of one sample, with a format of four bytes, made with
// VK_IMAGE_USAGE_TRANSFER_SRC_BIT. Of it one level of one layer is read.
type ExternalImage struct {
	Handle        uintptr // VkImage
	Format        ExternalFormat
	Width, Height int // of the level
	Level, Layer  uint32

	// Layout is the VkImageLayout that the level is in, and FinalLayout that which it is left in; 0 for the
	// same. It must not be VK_IMAGE_LAYOUT_UNDEFINED, whose pixels are lost.
	Layout, FinalLayout int32
	// Transfer says that the queue family Owner has released the image to Host.QueueFamily, with Layout as
	// the old layout of its barrier and VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL as the new one, and acquires
	// it afterwards, with VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL as the old one and FinalLayout as the new
	// one.
	Transfer bool
	Owner    uint32
}

func (x *ExternalImage) check() error {
	switch {
	case x.Handle == 0:
		return errors.New("a null image")
	case x.Width < 1 || x.Height < 1 || x.Format > BGRA8:
		return fmt.Errorf("an image of %d x %d pixels of format %d", x.Width, x.Height, x.Format)
	case x.Layout == vk.LayoutUndefined:
		return errors.New("an image whose layout is VK_IMAGE_LAYOUT_UNDEFINED has no pixels")
	}
	return nil
}

// Semaphore is a host's VkSemaphore, and the value that is waited for or signalled; 0 for a binary one.
type Semaphore struct {
	Handle uintptr
	Value  uint64
}

func points(list []Semaphore) ([]vk.TimelinePoint, error) {
	var all []vk.TimelinePoint
	for _, s := range list {
		if s.Handle == 0 {
			return nil, errors.New("a null semaphore")
		}
		all = append(all, vk.TimelinePoint{Semaphore: vk.FromAddress[vk.Semaphore](s.Handle), Value: s.Value})
	}
	return all, nil
}

// hostSync is what a job shares with the host.
type hostSync struct {
	waits, signals []vk.TimelinePoint
	fences         []vk.Fence
}

func (s *hostSync) empty() bool { return len(s.waits)+len(s.signals)+len(s.fences) == 0 }

// hostSync checks a job's semaphores and fences.
func (d *Device) hostSync(j Job) (s hostSync, err error) {
	if s.waits, err = points(j.Wait); err == nil {
		s.signals, err = points(j.Signal)
	}
	for _, f := range j.Fences {
		if f == 0 && err == nil {
			err = errors.New("a null fence")
		}
		s.fences = append(s.fences, vk.FromAddress[vk.Fence](f))
	}
	if err == nil && !s.empty() && d.vk.Owned() {
		err = errors.New("semaphores and fences of a host without one")
	}
	return s, err
}

// wait has the compute lane wait for the host.
func (d *Device) wait(s *hostSync) error {
	if len(s.waits) == 0 {
		return nil
	}
	l := &d.lanes[computeLane]
	l.lock.Lock()
	defer l.lock.Unlock()
	return d.vk.Sync(l.queue, s.waits, nil, nil)
}

// signal tells the host that all that the compute lane was given is done. It tries everything, and returns
// the first error.
func (d *Device) signal(s *hostSync) (err error) {
	l := &d.lanes[computeLane]
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(s.signals) > 0 {
		err = d.vk.Sync(l.queue, nil, s.signals, nil)
	}
	for _, f := range s.fences {
		if failure := d.vk.Sync(l.queue, nil, nil, f); err == nil {
			err = failure
		}
	}
	return err
}

// fencePoll is how long one call waits for a host's fence, in ns, before ctx is looked at.
const fencePoll = uint64(5 * time.Millisecond)

// WaitFence waits until a host's VkFence, which it has given to one of its own submissions, is signalled,
// or until ctx ends. The fence stays signalled.
func (d *Device) WaitFence(ctx context.Context, fence uintptr) error {
	for {
		if err := d.waitFence(fence); !errors.Is(err, vk.Timeout) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("gpu: wait for a host's fence: %w", ctx.Err())
		}
	}
}

func (d *Device) waitFence(fence uintptr) error {
	if err := d.use(); err != nil {
		return err
	}
	defer d.life.RUnlock()
	if fence == 0 || d.vk.Owned() {
		return errors.New("gpu: wait for a fence: null, or of no host")
	}
	err := d.vk.WaitFenceFor(vk.FromAddress[vk.Fence](fence), fencePoll)
	if errors.Is(err, vk.Timeout) {
		return err
	}
	return d.noted(err)
}

// CopyImage copies the rectangle of width x height pixels at x, y of a host's image to dst: tightly packed
// rows of four bytes a pixel, as they are in memory. What the host has written to the image is seen if it
// was on the same queue before, or if the job waits for its semaphore.
func (r *Recorder) CopyImage(dst Range, image *ExternalImage, x, y, width, height int) {
	if r.err != nil {
		return
	}
	err := image.check()
	switch {
	case err != nil:
	case r.dev.vk.Owned():
		err = errors.New("an image of a host without one")
	case x < 0 || y < 0 || width < 1 || height < 1 || width > image.Width-x || height > image.Height-y:
		err = fmt.Errorf("%d x %d pixels at %d, %d of an image of %d x %d", width, height, x, y, image.Width, image.Height)
	case dst.Size != 4*int64(width)*int64(height) || dst.Offset%4 != 0:
		err = fmt.Errorf("%d x %d pixels to %d bytes at %d", width, height, dst.Size, dst.Offset)
	default:
		err = dst.check(r.dev)
	}
	if err != nil {
		r.fail("copy of an image", err)
		return
	}
	part := imagePart{*image, vk.ImagePart{
		Image: vk.FromAddress[vk.Image](image.Handle), Level: image.Level, Layer: image.Layer, X: x, Y: y, Width: width, Height: height,
	}}
	r.add(operation{kind: opCopyImage, ranges: []Range{dst}, image: &part}, accessOf(dst, true))
}

// imagePart is what is copied of an image.
type imagePart struct {
	ExternalImage
	part vk.ImagePart
}

// copyImage records the copy, with the image's way to the layout for that, and back.
func (w *writer) copyImage(o *operation) {
	p, dst := o.image, o.ranges[0].binding()
	mine := w.d.lanes[computeLane].family
	owner := mine
	if p.Transfer {
		owner = p.Owner
	}
	final := p.FinalLayout
	if final == vk.LayoutUndefined {
		final = p.Layout
	}
	theirs := vk.ImageUse{Stage: vk.StageAll, Access: vk.AccessMemoryWrite, Layout: p.Layout}
	copied := vk.ImageUse{Stage: vk.StageTransfer, Access: vk.AccessTransferRead, Layout: vk.LayoutTransferSrc}
	w.d.vk.CmdImageOwner(w.buffer, p.part, theirs, copied, owner, mine)
	w.d.vk.CmdCopyFromImage(w.buffer, p.part, dst.Buffer, dst.Offset)
	w.d.vk.CmdImageOwner(w.buffer, p.part, copied, vk.ImageUse{Stage: vk.StageAll, Access: vk.AccessMemoryRead | vk.AccessMemoryWrite, Layout: final}, mine, owner)
}

// Acquire takes a part of a host's buffer over from a queue family, which has released it to
// Host.QueueFamily; from that family itself it does nothing.
func (r *Recorder) Acquire(part Range, family uint32) { r.owner(part, family, true) }

// Release leaves a part of a host's buffer to a queue family, which must acquire it from Host.QueueFamily.
func (r *Recorder) Release(part Range, family uint32) { r.owner(part, family, false) }

func (r *Recorder) owner(part Range, family uint32, acquire bool) {
	if r.err != nil || family == r.dev.lanes[computeLane].family {
		return
	}
	if err := part.check(r.dev); err != nil {
		r.fail("owner", err)
		return
	}
	// To be in order with all that uses the part it counts as a write.
	r.add(operation{kind: opOwner, ranges: []Range{part}, family: family, acquire: acquire}, accessOf(part, true))
}

func (w *writer) owner(o *operation) {
	from, into := o.family, w.d.lanes[computeLane].family
	if !o.acquire {
		from, into = into, from
	}
	w.d.vk.CmdBufferOwner(w.buffer, o.ranges[0].binding(), from, into)
}
