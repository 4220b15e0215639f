package gpu

import (
	"cmp"
	"slices"
)

// access is one use of bytes [lo, hi) of a buffer.
type access struct {
	buffer *Buffer
	lo, hi int64
	write  bool
}

func accessOf(r Range, write bool) access {
	return access{r.Buffer, r.Offset, r.Offset + r.Size, write}
}

// conflicts says whether the order of two accesses matters: they overlap and one of them writes.
func (a access) conflicts(b access) bool {
	return (a.write || b.write) && a.buffer == b.buffer && a.lo < b.hi && b.lo < a.hi
}

// hazards follows what has been recorded since the last barrier and says where the next one must be. A
// barrier orders everything before it against everything after it.
type hazards struct {
	since []access
}

// add records an operation with its accesses. It returns whether a barrier must stand before it: one of them
// reads what was written, or writes what was read or written, since the last barrier. Accesses of one operation do not
// conflict with each other.
func (h *hazards) add(operation []access) (barrier bool) {
	for _, a := range operation {
		if slices.ContainsFunc(h.since, a.conflicts) {
			h.since = h.since[:0]
			barrier = true
			break
		}
	}
	h.since = append(h.since, operation...)
	return barrier
}

// reset forgets everything, for where a barrier stands anyway.
func (h *hazards) reset() { h.since = h.since[:0] }

// footprint is all that a command buffer reads and writes: for each buffer disjoint accesses, writes before
// reads, each kind in order of offsets.
type footprint map[*Buffer][]access

// newFootprint merges accesses.
func newFootprint(all []access) footprint {
	f := footprint{}
	for _, a := range all {
		f[a.buffer] = append(f[a.buffer], a)
	}
	for buffer, list := range f {
		slices.SortFunc(list, func(a, b access) int {
			if a.write != b.write {
				if a.write {
					return -1
				}
				return 1
			}
			return cmp.Compare(a.lo, b.lo)
		})
		merged := list[:1]
		for _, a := range list[1:] {
			if last := &merged[len(merged)-1]; a.write == last.write && a.lo <= last.hi {
				last.hi = max(last.hi, a.hi)
			} else {
				merged = append(merged, a)
			}
		}
		f[buffer] = slices.Clip(merged)
	}
	return f
}

// conflicts says whether two command buffers must not run at the same time.
func (f footprint) conflicts(g footprint) bool {
	for buffer, list := range f {
		for _, b := range g[buffer] {
			if slices.ContainsFunc(list, b.conflicts) {
				return true
			}
		}
	}
	return false
}
