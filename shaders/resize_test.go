package shaders_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// weightTable is the table of random windows over in samples for out ones (shaders/resize.glsl). Weights are of
// both signs; their absolute values add up to at most 1.5 * 2^22.
type weightTable struct {
	quads   int
	first   []int
	weights [][]int32
}

func randomTable(rng *rand.Rand, in, out, taps int) *weightTable {
	w := &weightTable{quads: (taps + 3) / 4}
	for range out {
		n := min(1+rng.IntN(taps), in)
		w.first = append(w.first, rng.IntN(in-n+1))
		k := make([]int32, n)
		for i := range k {
			k[i] = int32(rng.IntN(2*3<<21/n)) - 3<<21/int32(n)
		}
		if n == 1 {
			k[0] = 1 << 22 // copies the sample
		}
		w.weights = append(w.weights, k)
	}
	return w
}

func (w *weightTable) bytes() []byte {
	var b []byte
	for i, k := range w.weights {
		row := make([]int32, 4+4*w.quads)
		row[0] = int32(w.first[i])
		copy(row[4:], k)
		b, _ = binary.Append(b, binary.LittleEndian, row)
	}
	return b
}

// sample is output i of the table, in 64-bit integers.
func (w *weightTable) sample(i int, input func(j int) byte) byte {
	sum := int64(1 << 21)
	for j, k := range w.weights[i] {
		sum += int64(k) * int64(input(w.first[i]+j))
	}
	return byte(min(max(sum>>22, 0), 255))
}

// noise is n bytes, a third of each end of the scale, for sums that must be clamped.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = []byte{0, 255, byte(rng.Uint32())}[rng.IntN(3)]
	}
	return b
}

func checkWords(t *testing.T, what string, got []byte, want []uint32) {
	t.Helper()
	for i, w := range want {
		if g := binary.LittleEndian.Uint32(got[4*i:]); g != w {
			t.Fatalf("%s %d: %08x, want %08x", what, i, g, w)
		}
	}
}

func word(r, g, b byte) uint32 { return uint32(r) | uint32(g)<<8 | uint32(b)<<16 }

// resizes are inputs and outputs in one direction, and lines of the other one: fewer and more than an
// invocation makes, single ones, and windows that end in the middle of four weights.
var resizes = []struct{ in, out, lines, taps int }{
	{1, 1, 1, 1}, {1, 9, 3, 1}, {2, 5, 4, 2}, {7, 33, 5, 4}, {50, 31, 9, 5}, {131, 65, 6, 17}, {300, 3, 2, 256}, {40, 130, 7, 6},
}

func TestResizeRows(t *testing.T) {
	dev, rng := gputest.Open(t), random(31)
	k := shaders.Resize().Rows
	for _, c := range resizes {
		for _, form := range []struct{ bytes, swap uint32 }{{3, 0}, {4, 0}, {4, 1}, {3, 1}} {
			t.Run(fmt.Sprintf("%v/%v", c, form), func(t *testing.T) {
				table := randomTable(rng, c.in, c.out, c.taps)
				const origin = 3 // words
				stride := (c.in*int(form.bytes)+3)/4 + rng.IntN(3)
				source := noise(rng, 4*(origin+c.lines*stride+4*table.quads+1))
				var want []uint32
				for row := range c.lines {
					for x := range c.out {
						var v [3]byte
						for ch := range v {
							v[ch] = table.sample(x, func(j int) byte { return source[4*(origin+row*stride)+j*int(form.bytes)+ch] })
						}
						if form.swap != 0 {
							v[0], v[2] = v[2], v[0]
						}
						want = append(want, word(v[0], v[1], v[2]))
					}
				}
				out := kt.Poison(4 * len(want))
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: k, Spec: []uint32{32, form.bytes, form.swap},
					Groups: kt.Grid(c.out, 32, (c.lines+shaders.ResizeRows-1)/shaders.ResizeRows),
					Push:   shaders.Push(origin, stride, c.lines, c.out, table.quads),
					In:     [][]byte{source, table.bytes()},
				})
				checkWords(t, "pixel", out, want)
			})
		}
	}
}

func TestResizeColumns(t *testing.T) {
	dev, rng := gputest.Open(t), random(32)
	k := shaders.Resize().Columns
	for _, c := range resizes {
		for _, width := range []int{1, 2, 5, 31, 133} {
			t.Run(fmt.Sprintf("%v/%d", c, width), func(t *testing.T) {
				table := randomTable(rng, c.in, c.out, c.taps)
				rows := noise(rng, 4*(c.in+4*table.quads)*width)
				const origin = 2 // words
				want := make([]uint32, origin, origin+c.out*width)
				out := kt.Poison(4 * cap(want))
				for i := range want {
					want[i] = binary.LittleEndian.Uint32(out)
				}
				for y := range c.out {
					for x := range width {
						var v [3]byte
						for ch := range v {
							v[ch] = table.sample(y, func(j int) byte { return rows[4*(j*width+x)+ch] })
						}
						want = append(want, word(v[0], v[1], v[2]))
					}
				}
				part := (width + shaders.ResizeColumns - 1) / shaders.ResizeColumns
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: k, Spec: []uint32{32}, Groups: kt.Grid(part, 32, c.out),
					Push: shaders.Push(origin, width, table.quads), In: [][]byte{rows, table.bytes()},
				})
				checkWords(t, "pixel", out, want)
			})
		}
	}
}
