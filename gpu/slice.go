package gpu

import (
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// This file owns the cutting of commands into pieces (Options.SliceBudget), and what is known of the pieces' times.
// pace.go submits them.
//
// Invariants: a piece is one command buffer; all that stands before it is done when it begins. A dispatch may be spread over
// several pieces, each with a part of its workgroups. What is in here changes only while the commands are being
// recorded, or are in flight and not with the device.

// piece is what is never divided once it is recorded.
type piece struct {
	parts    []part
	step     int     // of Commands.steps, -1 without steps
	estimate float64 // ns
	fresh    bool    // the first work of a pipeline, which the driver may compile only now: a slice of its own
}

// part is an operation, or count workgroups of a dispatch along one axis.
type part struct {
	op           int
	axis         int
	first, count uint32
	estimate     float64 // ns
}

// How long a unit of cost (an operation in floating point, or a byte) takes in ns before any work of a pipeline has
// been measured: rather too long.
const (
	firstRateCPU = 0.1   // 10 GFLOP/s
	firstRateGPU = 0.004 // 250 GFLOP/s
)

// A piece is made for half of the budget, and a slice, of one piece or several, for three quarters of it: times are estimates.
const (
	pieceShare = 0.5
	sliceShare = 0.75
)

// cost is how much an operation does, in units.
func (o *operation) cost() float64 {
	c := float64(o.work)
	for _, r := range o.ranges {
		c += float64(r.Size)
	}
	return c
}

// estimates returns how long each operation takes in ns: what it took, or what its pipeline's other work leads to
// expect. fresh says which are the first work of their pipeline; nil if none is.
func (d *Device) estimates(c *Commands) (times []float64, fresh []bool) {
	if c.took != nil {
		return c.took, nil
	}
	first := firstRateGPU
	if d.info.Type == CPU {
		first = firstRateCPU
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	times, fresh = make([]float64, len(c.ops)), make([]bool, len(c.ops))
	seen := map[*Pipeline]bool{}
	for i := range c.ops {
		o, rate := &c.ops[i], first
		switch p := o.pipeline; {
		case p == nil:
		case p.rate > 0:
			rate = p.rate
		case !seen[p]:
			seen[p], fresh[i] = true, true
		}
		times[i] = o.cost() * rate
	}
	return times, fresh
}

// cutPieces divides operations into pieces of at most most ns, as far as that can be: a single workgroup, a copy,
// and a kernel that must see the whole of its dispatch stay whole. With steps no piece belongs to two of them, and what is fresh
// (as estimates has it) begins one that has nothing else.
func cutPieces(ops []operation, estimates []float64, fresh []bool, steps bool, most float64) []piece {
	all := []piece{{step: -1}}
	step, cut := -1, false
	add := func(p part, alone bool) {
		last := &all[len(all)-1]
		if len(last.parts) > 0 && (alone || cut || last.step != step || last.estimate+p.estimate > most) {
			all = append(all, piece{})
			last = &all[len(all)-1]
		}
		last.step, cut = step, alone
		last.parts = append(last.parts, p)
		last.estimate += p.estimate
	}
	for i := range ops {
		o, first := &ops[i], fresh != nil && fresh[i]
		switch {
		case o.kind == opCut:
			cut = true // what follows counts on it
		case o.kind == opStep && steps:
			step++
		case o.kind == opStep:
		case o.kind != opDispatch || o.pipeline.whole || estimates[i] <= most:
			add(part{op: i, estimate: estimates[i]}, first)
			all[len(all)-1].fresh = first
		default:
			axis, count := o.longest()
			n := uint64(min(float64(count), estimates[i]/most+1))
			for k := range n {
				begin, end := uint32(uint64(count)*k/n), uint32(uint64(count)*(k+1)/n)
				add(part{i, axis, begin, end - begin, estimates[i] * float64(end-begin) / float64(count)}, true)
				all[len(all)-1].fresh = first && k == 0
			}
		}
	}
	return all
}

// longest is the axis with the most workgroups, and their number.
func (o *operation) longest() (axis int, count uint32) {
	for i, g := range o.groups {
		if g > count {
			axis, count = i, g
		}
	}
	return axis, count
}

// workgroups returns the part of a dispatch's workgroups: the first of them, and their number.
func (p *part) workgroups(o *operation) (base, groups [3]uint32) {
	groups = o.groups
	if p.count > 0 {
		base[p.axis], groups[p.axis] = p.first, p.count
	}
	return base, groups
}

// writePieces records commands, every piece in a command buffer of its own.
func (w *writer) writePieces(c *Commands) error {
	d, e := w.d, w.e
	e.measured = c.took != nil
	times, fresh := d.estimates(c)
	e.pieces = cutPieces(c.ops, times, fresh, len(c.steps) > 0, pieceShare*float64(d.slice))
	e.sets = make([]vk.DescriptorSet, len(c.ops))
	var err error
	if d.tellsTime() {
		if e.times, err = d.vk.NewTimestamps(2 * len(e.pieces)); err != nil {
			return err
		}
	}
	for i, p := range e.pieces {
		if err := w.begin(); err != nil {
			return err
		}
		if e.times != nil {
			if i == 0 {
				d.vk.CmdResetTimestamps(w.buffer, e.times, 2*len(e.pieces))
			}
			d.vk.CmdTimestamp(w.buffer, e.times, 2*i)
		}
		for _, part := range p.parts {
			if err := w.operation(c, part.op, &part); err != nil {
				return err
			}
		}
		if e.times != nil {
			d.vk.CmdTimestamp(w.buffer, e.times, 2*i+1)
		}
		if i == len(e.pieces)-1 {
			w.toHost(c)
		}
		if err := w.end(); err != nil {
			return err
		}
	}
	return nil
}

// tellsTime says whether the compute lane has timestamps.
func (d *Device) tellsTime() bool {
	return d.info.Limits.TimestampPeriod > 0 && d.physical.Families[d.lanes[computeLane].family].TimestampBits > 0
}

// recut records commands anew if other pieces are better now.
func (c *Commands) recut() error {
	e := &c.encoded[computeLane]
	if !e.stale {
		return nil
	}
	e.destroy(c.dev)
	err := c.encode(computeLane)
	e.stale = err != nil // then the next job tries again
	return err
}

// Estimates that are off by less than this are left alone.
const recutFactor = 1.25

// learn takes the times of commands that have just run from end to end in slices: elapsed is that of each piece by
// the host's clock, which is used where the device cannot tell.
func (d *Device) learn(c *Commands, elapsed []float64) error {
	e := &c.encoded[computeLane]
	times := elapsed
	if e.times != nil {
		ticks, err := d.vk.Timestamps(e.times, 2*len(e.pieces))
		if err != nil {
			return err
		}
		bits := d.physical.Families[d.lanes[computeLane].family].TimestampBits
		for i := range times {
			times[i] = nanoseconds(ticks[2*i], ticks[2*i+1], bits, d.info.Limits.TimestampPeriod)
		}
	}
	took := make([]float64, len(c.ops))
	c.stepTimes = make([]time.Duration, len(c.steps))
	longest, sum := 0.0, 0.0
	for i := range e.pieces {
		p := &e.pieces[i]
		longest, sum = max(longest, times[i]), sum+times[i]
		if p.step >= 0 {
			c.stepTimes[p.step] += time.Duration(times[i])
		}
		for _, part := range p.parts {
			share := 1 / float64(len(p.parts))
			if p.estimate > 0 {
				share = part.estimate / p.estimate
			}
			took[part.op] += share * times[i]
		}
		p.estimate, p.fresh = times[i], false
	}
	c.remember(took)
	budget := float64(d.slice)
	most := pieceShare * budget
	e.measured = true
	e.stale = longest > recutFactor*sliceShare*budget || len(e.pieces) > 16 && sum/most < float64(len(e.pieces))/4
	return nil
}

// remember keeps what the operations took, with care for a run that was faster than others, and tells the pipelines.
func (c *Commands) remember(took []float64) {
	d := c.dev
	for i := range took {
		if c.took != nil {
			took[i] = max(took[i], (c.took[i]+took[i])/2)
		}
	}
	c.took = took
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range c.ops {
		if o := &c.ops[i]; o.pipeline != nil && took[i] > 0 {
			rate := took[i] / o.cost()
			o.pipeline.rate = max(rate, (o.pipeline.rate+rate)/2)
		}
	}
}
