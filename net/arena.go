package net

import "sort"

// arena assigns offsets in one buffer to values from their lifetimes: first fit, in the order in
// which the values come to life. Two values share bytes only if one is dead before the other is
// written.
type arena struct {
	align int64
	size  int64 // high-water mark
	live  []span
}

type span struct{ offset, size int64 }

// alloc returns the lowest aligned offset where size bytes are free.
func (a *arena) alloc(size int64) int64 {
	size = a.round(size)
	at := int64(0)
	i := 0
	for ; i < len(a.live); i++ {
		if a.live[i].offset-at >= size {
			break
		}
		at = a.live[i].offset + a.live[i].size
	}
	a.live = append(a.live, span{})
	copy(a.live[i+1:], a.live[i:])
	a.live[i] = span{at, size}
	a.size = max(a.size, at+size)
	return at
}

// free gives the bytes at an offset back.
func (a *arena) free(offset int64) {
	i := sort.Search(len(a.live), func(i int) bool { return a.live[i].offset >= offset })
	a.live = append(a.live[:i], a.live[i+1:]...)
}

func (a *arena) round(n int64) int64 { return (n + a.align - 1) / a.align * a.align }
