package shaders_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

var storages = []shaders.Storage{shaders.F32, shaders.F16}

// random returns a generator that gives the same numbers in every run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 20)) }

// pictures are sizes whose width is even and odd, below and above one workgroup of 64 blocks, and
// whose bytes do not fill the last word.
var pictures = []struct{ n, h, w int }{{1, 1, 1}, {2, 3, 5}, {3, 2, 8}, {2, 5, 131}, {1, 7, 129}}

// pairs is the stem's operand in float64: [N][H][ceil(W/2)][2 pixels][3 channels and a zero].
func pairs(x *kt.Tensor) []float64 {
	var y []float64
	for n := range x.N {
		for iy := range x.H {
			for ix := range (x.W + 1) / 2 * 2 {
				for c := range 4 {
					if c < 3 && ix < x.W {
						y = append(y, x.At(n, c, iy, ix))
					} else {
						y = append(y, 0)
					}
				}
			}
		}
	}
	return y
}

// checkPairs compares with x rounded to storage, exactly.
func checkPairs(t *testing.T, s shaders.Storage, x *kt.Tensor, got []byte) {
	t.Helper()
	var ref kt.Values
	for _, v := range pairs(x) {
		ref.AddExact(kt.Round(s, v))
	}
	ref.Check(t, "operand", kt.Decode(s, got))
}

func TestInputF32(t *testing.T) {
	dev, rng := gputest.Open(t), random(1)
	for _, s := range storages {
		for _, p := range pictures {
			t.Run(fmt.Sprintf("%v/%dx%dx%d", s, p.n, p.h, p.w), func(t *testing.T) {
				x := kt.Random(rng, shaders.F32, p.n, 3, p.h, p.w, 0, 1)
				out := kt.Poison(len(pairs(x)) * int(s.Size()))
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: shaders.For(s).InputF32, Spec: []uint32{64},
					Groups: kt.Grid((p.w+1)/2, 64, p.n*p.h), Push: shaders.Push(p.n*p.h, p.w, p.h),
					In: [][]byte{kt.Encode(shaders.F32, x.Data)},
				})
				checkPairs(t, s, x, out)
			})
		}
	}
}

func TestInputU8(t *testing.T) {
	dev, rng := gputest.Open(t), random(2)
	lut := kt.Random(rng, shaders.F32, 1, 3, 1, 256, 0, 1) // another table for every channel
	for _, s := range storages {
		for _, size := range []int{3, 4} { // bytes of a pixel
			for _, p := range pictures {
				t.Run(fmt.Sprintf("%v/%dx%dx%dx%d", s, p.n, p.h, p.w, size), func(t *testing.T) {
					pixels := make([]byte, (p.n*p.h*p.w*size+3)/4*4)
					x := kt.NewTensor(p.n, 3, p.h, p.w)
					for n := range p.n {
						for i := range p.h * p.w {
							for c := range size {
								u := byte(rng.Uint32())
								pixels[(n*p.h*p.w+i)*size+c] = u
								if c < 3 {
									x.Channel(n, c)[i] = lut.At(0, c, 0, int(u))
								}
							}
						}
					}
					out := kt.Poison(len(pairs(x)) * int(s.Size()))
					kt.Run(t, dev, out, kt.Dispatch{
						Kernel: shaders.For(s).InputU8, Spec: []uint32{64, uint32(size)},
						Groups: kt.Grid((p.w+1)/2, 64, p.n*p.h), Push: shaders.Push(p.n*p.h, p.w),
						In: [][]byte{pixels, kt.Encode(shaders.F32, lut.Data)},
					})
					checkPairs(t, s, x, out)
				})
			}
		}
	}
}
