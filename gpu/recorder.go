package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/shaders"
)

// Recorder collects work for the device. It belongs to one goroutine. After the first error the others are
// ignored; End returns it. What is recorded runs as if in order: between two operations, of which the second
// needs the first to be done, there is a barrier; others may overlap.
type Recorder struct {
	dev     *Device
	ops     []operation
	hazards hazards
	all     []access
	steps   []string
	work    int   // dispatches, copies and fills
	flops   int64 // of the next dispatch
	err     error
}

type opKind uint8

const (
	opDispatch  opKind = iota
	opCopy             // ranges: dst, src
	opFill             // ranges: dst
	opCopyImage        // ranges: dst
	opOwner            // ranges: what changes its owner
	opStep
	opCut
)

// operation is one thing recorded, barrier meaning that one stands before it.
type operation struct {
	kind     opKind
	barrier  bool
	pipeline *Pipeline
	groups   [3]uint32
	push     []byte
	ranges   []Range
	word     uint32
	image    *imagePart // of opCopyImage
	family   uint32     // of opOwner: the other one
	acquire  bool       // of opOwner, from the other one
	work     int64
}

// NewRecorder makes a recorder. It holds nothing that needs to be released.
func (d *Device) NewRecorder() *Recorder { return &Recorder{dev: d} }

// fail keeps the first error.
func (r *Recorder) fail(what string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("gpu: operation %d, %s: %w", r.work, what, err)
	}
}

// add appends an operation and finds out whether it needs a barrier.
func (r *Recorder) add(o operation, accesses ...access) {
	o.barrier = r.hazards.add(accesses)
	r.all = append(r.all, accesses...)
	r.ops = append(r.ops, o)
	r.work++
}

// Dispatch runs groups workgroups of a kernel. push is as long as the kernel's push constants without addresses, and copied;
// bufs[i] is bound to binding i. A range starts at a multiple of Limits.MinStorageBufferOffsetAlignment, and of
// Limits.MinTexelBufferOffsetAlignment where the kernel reads texels; the kernel sees its size rounded up to a multiple of
// 4 bytes, or to whole texels.
func (r *Recorder) Dispatch(p *Pipeline, groups [3]uint32, push []byte, bufs ...Range) {
	if r.err != nil {
		return
	}
	if err := r.checkDispatch(p, groups, push, bufs); err != nil {
		what := "dispatch"
		if p != nil {
			what = p.kernel.Name
		}
		r.fail(what, err)
		return
	}
	accesses := make([]access, len(bufs))
	for i, b := range bufs {
		accesses[i] = accessOf(b, p.kernel.Bindings[i]&shaders.Write != 0)
	}
	r.add(operation{
		kind: opDispatch, pipeline: p, groups: groups,
		push: append(addresses(p.kernel, bufs), push...), ranges: append([]Range(nil), bufs...), work: r.flops,
	}, accesses...)
	r.flops = 0
}

// Work tells how many operations in floating point the next dispatch does. It helps to cut slices (Options.SliceBudget)
// well before anything has been measured.
func (r *Recorder) Work(flops int64) { r.flops = max(flops, 0) }

func (r *Recorder) checkDispatch(p *Pipeline, groups [3]uint32, push []byte, bufs []Range) error {
	if p == nil || p.dev != r.dev {
		return errors.New("the pipeline is missing or another device's")
	}
	k, limits := p.kernel, r.dev.info.Limits
	if want := k.Push - 8*k.Addresses(); len(push) != want {
		return fmt.Errorf("%d bytes of push constants, want %d", len(push), want)
	}
	if len(bufs) != len(k.Bindings) {
		return fmt.Errorf("%d buffers, want %d", len(bufs), len(k.Bindings))
	}
	for i, g := range groups {
		if g == 0 || g > limits.MaxWorkGroupCount[i] {
			return fmt.Errorf("%v workgroups, each number must be from 1 to %v", groups, limits.MaxWorkGroupCount)
		}
	}
	for i, b := range bufs {
		if err := b.check(r.dev); err != nil {
			return fmt.Errorf("binding %d: %w", i, err)
		}
		if align := limits.MinStorageBufferOffsetAlignment; b.Offset%align != 0 {
			return fmt.Errorf("binding %d: offset %d is not a multiple of %d", i, b.Offset, align)
		}
		if k.Bindings[i]&shaders.Address != 0 && b.Buffer.address == 0 {
			return fmt.Errorf("binding %d: the buffer has no address", i)
		}
		if k.Bindings[i]&shaders.Texels != 0 {
			if err := checkTexels(b, limits); err != nil {
				return fmt.Errorf("binding %d: %w", i, err)
			}
			continue
		}
		if b.Size > limits.MaxStorageBufferRange {
			return fmt.Errorf("binding %d: %s, the device binds at most %s", i, mib(b.Size), mib(limits.MaxStorageBufferRange))
		}
	}
	return nil
}

// addresses are those that a kernel's push constants begin with.
func addresses(k *shaders.Kernel, bufs []Range) (push []byte) {
	for i, b := range bufs {
		if k.Bindings[i]&shaders.Address != 0 {
			push = binary.NativeEndian.AppendUint64(push, b.Buffer.address+uint64(b.Offset))
		}
	}
	return push
}

// checkTexels says whether a range can be bound as texels.
func checkTexels(r Range, limits Limits) error {
	switch align := limits.MinTexelBufferOffsetAlignment; {
	case r.Buffer.adopted:
		return errors.New("an adopted buffer cannot be read as texels")
	case r.Offset%align != 0:
		return fmt.Errorf("offset %d is not a multiple of %d", r.Offset, align)
	case roundUp(r.Size, texelBytes) > limits.MaxTexels*texelBytes:
		return fmt.Errorf("%s, the device binds at most %s as texels", mib(r.Size), mib(limits.MaxTexels*texelBytes))
	}
	return nil
}

// Copy copies src to dst, which has the same size and does not overlap it.
func (r *Recorder) Copy(dst, src Range) {
	if r.err != nil {
		return
	}
	if err := errors.Join(dst.check(r.dev), src.check(r.dev)); err != nil {
		r.fail("copy", err)
		return
	}
	from, to := accessOf(src, false), accessOf(dst, true)
	switch {
	case dst.Size != src.Size:
		r.fail("copy", fmt.Errorf("%d bytes to %d bytes", src.Size, dst.Size))
	case from.conflicts(to):
		r.fail("copy", errors.New("source and destination overlap"))
	default:
		r.add(operation{kind: opCopy, ranges: []Range{dst, src}}, from, to)
	}
}

// Fill repeats a word, in the device's byte order, over dst, whose offset and size are multiples of 4.
func (r *Recorder) Fill(dst Range, word uint32) {
	if r.err != nil {
		return
	}
	switch err := dst.check(r.dev); {
	case err != nil:
		r.fail("fill", err)
	case dst.Offset%4 != 0 || dst.Size%4 != 0:
		r.fail("fill", fmt.Errorf("bytes [%d, +%d): offset and size must be multiples of 4", dst.Offset, dst.Size))
	default:
		r.add(operation{kind: opFill, ranges: []Range{dst}, word: word}, accessOf(dst, true))
	}
}

// Step begins the step called name, which lasts to the next Step or the end, for Commands.Times. Steps are
// measured without barriers of their own: work that overlaps counts for the step in which it ends.
func (r *Recorder) Step(name string) {
	r.steps = append(r.steps, name)
	r.ops = append(r.ops, operation{kind: opStep})
}

// Cut has what follows go to the device in a further submission, so that none takes so long that a watchdog
// takes the device for hung. The order stays.
func (r *Recorder) Cut() {
	r.ops = append(r.ops, operation{kind: opCut})
	r.hazards.reset()
}

// End makes commands of what was recorded. The recorder cannot be used any more.
func (r *Recorder) End() (*Commands, error) {
	if r.err == nil {
		r.err = errors.New("gpu: the recorder has ended")
	} else {
		return nil, r.err
	}
	d := r.dev
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	c := newCommands(r)
	d.mu.Lock()
	d.commands[c] = struct{}{}
	d.mu.Unlock()
	for l := range d.lanes {
		if err := c.encode(l); err != nil {
			c.Release()
			return nil, fmt.Errorf("gpu: recording: %w", d.noted(err))
		}
	}
	if err := d.messages(); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}
