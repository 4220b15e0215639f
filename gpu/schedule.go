package gpu

import (
	"slices"
	"sync"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// The lanes of a device. The compute lane runs everything that no other does. Uploads and readbacks have lanes
// of their own, not one together: a readback waits for its job's compute, and the uploads behind it would
// wait too, instead of running beside that compute.
const (
	computeLane = iota
	uploadLane
	readbackLane
	lanes
)

// lane is a queue as the scheduler sees it.
type lane struct {
	used     bool
	family   uint32
	queue    vk.Queue
	lock     sync.Locker  // held while the queue is used
	timeline vk.Semaphore // counts the groups done, if there is more than one lane

	// Guarded by Device.mu.
	point   uint64     // the last value that the timeline was asked to reach
	live    []livePart // what may still be running
	jobs    []*Pending // that end on this lane, oldest first
	watched bool       // a goroutine waits for the first of them
}

// livePart is a part of a job in flight; it is done when its lane's timeline reaches point.
type livePart struct {
	commands *Commands
	point    uint64
	job      *Pending
}

// group is consecutive parts of a job on one lane. It starts when the other lanes' timelines have reached
// waits (0: no need to wait), and moves its own lane's to signal (0: nobody waits).
type group struct {
	lane   int
	parts  []*Commands
	waits  [lanes]uint64
	signal uint64
}

// overlaps says whether the device has more than one lane.
func (d *Device) overlaps() bool { return d.lanes[uploadLane].used || d.lanes[readbackLane].used }

// plan decides on which lanes the parts of a job run and what they wait for; d.mu is held.
//
// On one lane everything is in order, since each command buffer starts with a barrier. Between lanes a part
// waits for the part of its job before it, and for what is in flight on another lane and conflicts with it.
func (d *Device) plan(j Job) []group {
	var groups []group
	for _, part := range []struct {
		c    *Commands
		lane int
	}{{j.Upload, uploadLane}, {j.Compute, computeLane}, {j.Readback, readbackLane}} {
		if part.c == nil {
			continue
		}
		l := part.lane
		if !d.lanes[l].used || !part.c.transfers {
			l = computeLane
		}
		n := len(groups)
		if n == 0 || groups[n-1].lane != l {
			g := group{lane: l}
			if d.overlaps() {
				d.lanes[l].point++
				g.signal = d.lanes[l].point
			}
			if n > 0 {
				g.waits[groups[n-1].lane] = groups[n-1].signal
			}
			groups = append(groups, g)
			n++
		}
		g := &groups[n-1]
		g.parts = append(g.parts, part.c)
		for other := range d.lanes {
			if other != l {
				g.waits[other] = max(g.waits[other], d.lanes[other].conflict(part.c))
			}
		}
	}
	return groups
}

// conflict returns the point at which nothing on the lane conflicts with c any more, 0 if nothing does now.
func (l *lane) conflict(c *Commands) (point uint64) {
	for _, part := range l.live {
		if part.point > point && part.commands.footprint.conflicts(c.footprint) {
			point = part.point
		}
	}
	return point
}

// forget drops the parts of a job that is done.
func (l *lane) forget(p *Pending) {
	l.live = slices.DeleteFunc(l.live, func(part livePart) bool { return part.job == p })
}

// submissions lists the command buffers of each vkQueueSubmit: a cut inside of commands ends one.
func (g *group) submissions() (all [][]vk.CommandBuffer) {
	var next []vk.CommandBuffer
	for _, c := range g.parts {
		for i, segment := range c.encoded[g.lane].segments {
			if i > 0 {
				all = append(all, next)
				next = nil
			}
			next = append(next, segment)
		}
	}
	return append(all, next)
}
