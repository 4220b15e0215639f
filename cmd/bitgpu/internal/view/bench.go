//go:build desktop

package view

import "time"

// FrameTime is the time of one frame of a benchmark.
type FrameTime struct {
	Drawn    time.Duration // from the beginning of the frame until the device had drawn it
	Interval time.Duration // since the frame before it was drawn; 0 for the first
	Busy     bool          // the network was running
}

// bench takes the times of frames.
type bench struct {
	most  int
	times []FrameTime
	last  time.Time
}

func (b *bench) running() bool { return len(b.times) < b.most }

// add takes the time of a frame that has been drawn; it is true for the last one.
func (b *bench) add(start time.Time, busy bool) bool {
	now := time.Now()
	t := FrameTime{Drawn: now.Sub(start), Busy: busy}
	if !b.last.IsZero() {
		t.Interval = now.Sub(b.last)
	}
	b.last = now
	b.times = append(b.times, t)
	return !b.running()
}
