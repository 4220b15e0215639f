package gpu

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
	"github.com/bitgpu/bitgpu/shaders"
)

// Commands is recorded work that can be submitted again and again, but not again before it is done.
type Commands struct {
	dev       *Device
	ops       []operation
	steps     []string
	buffers   []*Buffer // each once
	readback  []*Buffer // those of them that the host must invalidate after they are written
	toHost    bool      // writes memory that the host can read
	transfers bool      // can run on a queue that only transfers
	footprint footprint
	encoded   [lanes]encoding // of the lanes that it can run on

	// What the last run in slices took: each operation, in ns, and each step.
	took      []float64
	stepTimes []time.Duration

	// Guarded by dev.mu.
	inFlight bool
	done     bool // ran at least once, and the last time to the end
	released bool
	gone     bool
}

// encoding is the commands as Vulkan objects, made for the queue family of one lane.
type encoding struct {
	pool        vk.CommandPool
	descriptors vk.DescriptorPool
	views       []vk.BufferView
	times       vk.QueryPool
	segments    []vk.CommandBuffer // between cuts

	// Of commands that run in slices; then the segments are the pieces.
	pieces   []piece
	sets     []vk.DescriptorSet // by operation
	measured bool               // the pieces' times have been taken
	stale    bool               // by the times other pieces are better
}

func newCommands(r *Recorder) *Commands {
	c := &Commands{dev: r.dev, ops: r.ops, steps: r.steps, transfers: len(r.steps) == 0}
	if c.dev.info.Limits.TimestampPeriod == 0 {
		c.steps = nil
	}
	for _, o := range c.ops {
		c.transfers = c.transfers && o.kind != opDispatch
	}
	written := map[*Buffer]bool{}
	for _, a := range r.all {
		if _, known := written[a.buffer]; !known {
			c.buffers = append(c.buffers, a.buffer)
		}
		written[a.buffer] = written[a.buffer] || a.write
	}
	for _, b := range c.buffers {
		if b.usage != DeviceLocal && written[b] {
			c.toHost = true
			if !b.coherent {
				c.readback = append(c.readback, b)
			}
		}
	}
	if c.dev.overlaps() {
		c.footprint = newFootprint(r.all)
	}
	return c
}

// encode makes the Vulkan objects for a lane, if the commands can run there. What it made by the time of an error is
// destroyed with c.
func (c *Commands) encode(l int) error {
	d := c.dev
	if !d.lanes[l].used || l != computeLane && !c.transfers {
		return nil
	}
	e := &c.encoded[l]
	sets, buffers, views := 0, 0, 0
	for _, o := range c.ops {
		if o.kind == opDispatch && len(o.ranges) > 0 {
			sets++
			n := bits.OnesCount32(texels(o.pipeline.kernel))
			buffers += len(o.ranges) - n
			views += n
		}
	}
	var err error
	if e.pool, err = d.vk.NewCommandPool(d.lanes[l].family); err != nil {
		return err
	}
	if sets > 0 {
		if e.descriptors, err = d.vk.NewDescriptorPool(sets, buffers, views); err != nil {
			return err
		}
	}
	w := writer{d: d, e: e, stages: vk.StageTransfer, accesses: vk.AccessTransfer, writes: vk.AccessTransferWrite}
	if l == computeLane {
		w.stages |= vk.StageCompute
		w.accesses |= vk.AccessShader
		w.writes |= vk.AccessShaderWrite
		if d.slice > 0 {
			return w.writePieces(c)
		}
	}
	return w.write(c)
}

// writer records operations into command buffers.
type writer struct {
	d                        *Device
	e                        *encoding
	stages, accesses, writes uint32 // of barriers on this queue
	buffer                   vk.CommandBuffer
	step                     int
}

func (w *writer) write(c *Commands) (err error) {
	if len(c.steps) > 0 {
		if w.e.times, err = w.d.vk.NewTimestamps(len(c.steps) + 1); err != nil {
			return err
		}
	}
	if err := w.begin(); err != nil {
		return err
	}
	if len(c.steps) > 0 {
		w.d.vk.CmdResetTimestamps(w.buffer, w.e.times, len(c.steps)+1)
	}
	for i := range c.ops {
		if err := w.operation(c, i, nil); err != nil {
			return err
		}
	}
	w.timestamp(c)
	w.toHost(c)
	return w.end()
}

// toHost makes what was written visible to the host.
func (w *writer) toHost(c *Commands) {
	if c.toHost {
		w.d.vk.CmdBarrier(w.buffer, w.stages, w.writes, vk.StageHost, vk.AccessHostRead)
	}
}

// begin starts a segment, with everything on this queue before it done and visible.
func (w *writer) begin() (err error) {
	if w.buffer, err = w.d.vk.BeginCommandBuffer(w.e.pool); err != nil {
		return err
	}
	w.d.vk.CmdBarrier(w.buffer, vk.StageAll, vk.AccessMemoryWrite, vk.StageAll, vk.AccessMemoryRead|vk.AccessMemoryWrite)
	return nil
}

func (w *writer) end() error {
	w.e.segments = append(w.e.segments, w.buffer)
	return w.d.vk.EndCommandBuffer(w.buffer)
}

// timestamp ends a step and begins the next one.
func (w *writer) timestamp(c *Commands) {
	if len(c.steps) > 0 {
		w.d.vk.CmdTimestamp(w.buffer, w.e.times, w.step)
		w.step++
	}
}

// operation records one of the operations, or a part of it.
func (w *writer) operation(c *Commands, i int, p *part) error {
	o := &c.ops[i]
	if o.barrier {
		w.d.vk.CmdBarrier(w.buffer, w.stages, w.writes, w.stages, w.accesses)
	}
	switch o.kind {
	case opDispatch:
		set, err := w.set(i, o)
		if err != nil {
			return err
		}
		base, groups := [3]uint32{}, o.groups
		if p != nil {
			base, groups = p.workgroups(o)
		}
		w.d.vk.CmdDispatch(w.buffer, o.pipeline.handle, o.pipeline.layout.pipeline, set, o.push, base, groups)
	case opCopy:
		w.d.vk.CmdCopy(w.buffer, o.ranges[0].binding(), o.ranges[1].binding())
	case opFill:
		w.d.vk.CmdFill(w.buffer, o.ranges[0].binding(), o.word)
	case opCopyImage:
		w.copyImage(o)
	case opOwner:
		w.owner(o)
	case opStep:
		w.timestamp(c)
	case opCut:
		if err := w.end(); err != nil {
			return err
		}
		return w.begin()
	}
	return nil
}

// set is the descriptor set of a dispatch, the same one for all of its parts.
func (w *writer) set(i int, o *operation) (set vk.DescriptorSet, err error) {
	if len(o.ranges) == 0 {
		return set, nil
	}
	if w.e.sets != nil && w.e.sets[i] != nil {
		return w.e.sets[i], nil
	}
	bindings, err := w.bindings(o)
	if err != nil {
		return set, err
	}
	set, err = w.d.vk.NewDescriptorSet(w.e.descriptors, o.pipeline.layout.set, bindings)
	if w.e.sets != nil {
		w.e.sets[i] = set
	}
	return set, err
}

// bindings are what a dispatch binds; the views are the encoding's.
func (w *writer) bindings(o *operation) ([]vk.Binding, error) {
	bindings := make([]vk.Binding, len(o.ranges))
	for i, r := range o.ranges {
		b := &bindings[i]
		*b = r.binding()
		if o.pipeline.kernel.Bindings[i]&shaders.Texels == 0 {
			b.Size = w.d.bindingSize(r)
			continue
		}
		b.Size = roundUp(r.Size, texelBytes)
		var err error
		if b.View, err = w.d.vk.NewView(*b); err != nil {
			return nil, err
		}
		w.e.views = append(w.e.views, b.View)
	}
	return bindings, nil
}

// bindingSize is what a kernel sees of a range: whole words. The padding of our own buffers has room for it.
func (d *Device) bindingSize(r Range) int64 {
	if r.Buffer.adopted {
		return r.Size
	}
	return min(roundUp(r.Size, 4), d.info.Limits.MaxStorageBufferRange)
}

// Release gives the commands up. They are destroyed when they are no longer in flight; of a
// lost device, with Close. Calls after the first one, and on nil, do nothing.
func (c *Commands) Release() {
	if c == nil {
		return
	}
	c.dev.mu.Lock()
	defer c.dev.mu.Unlock()
	c.released = true
	if !c.inFlight && !c.dev.lost.Load() {
		c.destroy()
	}
}

// destroy frees everything; dev.mu is held, and no queue runs the commands any more.
func (c *Commands) destroy() {
	if c.gone {
		return
	}
	c.gone, c.released = true, true
	d := c.dev
	delete(d.commands, c)
	for l := range c.encoded {
		c.encoded[l].destroy(d)
	}
}

// destroy frees everything that no queue uses any more.
func (e *encoding) destroy(d *Device) {
	if e.times != nil {
		d.vk.DestroyTimestamps(e.times)
	}
	if e.descriptors != nil {
		d.vk.DestroyDescriptorPool(e.descriptors)
	}
	for _, v := range e.views {
		d.vk.DestroyView(v)
	}
	if e.pool != nil {
		d.vk.DestroyCommandPool(e.pool)
	}
	*e = encoding{}
}

// StepTime is how long a step took on the device.
type StepTime struct {
	Name     string
	Duration time.Duration
}

// Times returns the steps' times in the last run, in the order of recording. There must have been one, and it must
// have been waited for. nil if no steps were recorded or the device cannot tell the time.
func (c *Commands) Times() ([]StepTime, error) {
	d := c.dev
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case c.gone || c.released:
		return nil, errors.New("gpu: times of released commands")
	case c.inFlight || !c.done:
		return nil, errors.New("gpu: times of commands that have not run to their end")
	case len(c.steps) == 0:
		return nil, nil
	case d.slice > 0:
		times := make([]StepTime, len(c.steps))
		for i, name := range c.steps {
			times[i] = StepTime{name, c.stepTimes[i]}
		}
		return times, nil
	}
	ticks, err := d.vk.Timestamps(c.encoded[computeLane].times, len(c.steps)+1)
	if err != nil {
		return nil, fmt.Errorf("gpu: times: %w", d.noted(err))
	}
	valid := d.physical.Families[d.lanes[computeLane].family].TimestampBits
	return stepTimes(c.steps, ticks, valid, d.info.Limits.TimestampPeriod), nil
}

// stepTimes turns the ticks around the steps into durations. Of each tick only the low bits count, and
// they wrap around. period is in ns.
func stepTimes(names []string, ticks []uint64, bits uint32, period float64) []StepTime {
	times := make([]StepTime, len(names))
	for i, name := range names {
		times[i] = StepTime{name, time.Duration(nanoseconds(ticks[i], ticks[i+1], bits, period))}
	}
	return times
}

func nanoseconds(from, to uint64, bits uint32, period float64) float64 {
	mask := ^uint64(0) >> (64 - min(bits, 64))
	return float64((to-from)&mask) * period
}
