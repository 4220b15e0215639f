package main

import (
	"sync/atomic"

	"github.com/bitgpu/bitgpu"
)

// latest is a place for one frame. A new one takes the place of one that nobody has taken.
type latest struct {
	frame         chan bitgpu.Input
	came, dropped atomic.Int64
}

func newLatest() *latest { return &latest{frame: make(chan bitgpu.Input, 1)} }

// put is for one goroutine. It never waits.
func (l *latest) put(frame bitgpu.Input) {
	l.came.Add(1)
	for {
		select {
		case l.frame <- frame:
			return
		default:
		}
		select {
		case <-l.frame:
			l.dropped.Add(1)
		default: // taken in between
		}
	}
}
