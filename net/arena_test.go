package net

import "testing"

// TestArenaLifetimes allocates and frees at random: no two live values may overlap, offsets are
// aligned, and the size covers all of them.
func TestArenaLifetimes(t *testing.T) {
	for seed := range uint64(20) {
		rng := random(seed)
		a := arena{align: 1 << rng.IntN(9)}
		var live []span
		for range 400 {
			if len(live) > 0 && rng.IntN(5) < 2 {
				i := rng.IntN(len(live))
				a.free(live[i].offset)
				live = append(live[:i], live[i+1:]...)
				continue
			}
			size := 1 + rng.Int64N(1000)
			at := a.alloc(size)
			if at%a.align != 0 || at < 0 || at+size > a.size {
				t.Fatalf("%d bytes at %d, aligned to %d, of %d", size, at, a.align, a.size)
			}
			for _, other := range live {
				if at < other.offset+other.size && other.offset < at+size {
					t.Fatalf("%d bytes at %d overlap %+v", size, at, other)
				}
			}
			live = append(live, span{at, size})
		}
	}
}

// TestArenaFirstFit: what is freed is used again, the lowest hole first, and neighbouring holes join.
func TestArenaFirstFit(t *testing.T) {
	a := arena{align: 16}
	var at []int64
	for range 5 {
		at = append(at, a.alloc(10))
	}
	a.free(at[1])
	a.free(at[3])
	a.free(at[2])
	for i, c := range []struct{ size, want int64 }{{48, 16}, {1, 80}} {
		if got := a.alloc(c.size); got != c.want {
			t.Errorf("allocation %d: %d bytes at %d, want %d", i, c.size, got, c.want)
		}
	}
	if a.size != 96 {
		t.Errorf("the arena grew to %d bytes, want 96", a.size)
	}
}
