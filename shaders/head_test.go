package shaders_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

func TestAvgPool(t *testing.T) {
	const size = 32
	dev, rng := gputest.Open(t), random(7)
	for _, c := range []struct{ n, c, h, w int }{{1, 8, 7, 7}, {2, 20, 5, 9}, {3, 3, 1, 1}, {1, 24, 12, 12}, {2, 9, 31, 2}} {
		for _, s := range storages {
			t.Run(fmt.Sprintf("%v/%dx%dx%dx%d", s, c.n, c.c, c.h, c.w), func(t *testing.T) {
				x, a := kt.Random(rng, s, c.n, c.c, c.h, c.w, 0, 1), randomAffine(rng, c.n, c.c)
				pixels := c.h * c.w
				var ref kt.Values
				for n := range c.n {
					for ch := range 8 * kt.Blocks(c.c) {
						if ch >= c.c {
							ref.AddExact(0)
							continue
						}
						sum, err := 0.0, 0.0
						for _, v := range x.Channel(n, ch) {
							y, e := a.apply(n, ch, v)
							sum, err = sum+y, err+e
						}
						err += kt.SumError(pixels/size+size+3, sum) // lanes, their sum, the division
						ref.Add(shaders.F32, sum/float64(pixels), err/float64(pixels))
					}
				}
				out := kt.Poison(len(ref.Want) * 4)
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: shaders.For(s).AvgPool, Spec: []uint32{size},
					Groups: [3]uint32{uint32(c.n * kt.Blocks(c.c)), 1, 1}, Push: shaders.Push(pixels),
					In: [][]byte{x.Activation(s), a.bytes()},
				})
				ref.Check(t, "y", kt.Decode(shaders.F32, out))
			})
		}
	}
}

func TestLinear(t *testing.T) {
	dev, rng := gputest.Open(t), random(8)
	for _, c := range []struct {
		n, in, out int
		parts      []int // outputs of each dispatch, whole blocks but the last
	}{
		{1, 8, 7, []int{7}}, {3, 20, 10, []int{10}}, {2, 64, 1000, []int{1000}},
		{1, 13, 21, []int{8, 13}}, {2, 96, 100, []int{64, 32, 4}},
	} {
		for _, s := range storages {
			t.Run(fmt.Sprintf("%v/%dx%d_to_%d_in_%v", s, c.n, c.in, c.out, c.parts), func(t *testing.T) {
				x := kt.Random(rng, shaders.F32, c.n, c.in, 1, 1, 0, 1)
				w := kt.Random(rng, s, c.out, c.in, 1, 1, 0, 1)
				bias := kt.Random(rng, shaders.F32, c.out, 1, 1, 1, 0, 1)
				var ref kt.Values
				for n := range c.n {
					for o := range c.out {
						sum, magnitude := bias.Data[o], math.Abs(bias.Data[o])
						for i := range c.in {
							product := x.At(n, i, 0, 0) * w.At(o, i, 0, 0)
							sum, magnitude = sum+product, magnitude+math.Abs(product)
						}
						// Eight sums of a product and an addition a block, their sum, the bias.
						ref.Add(shaders.F32, sum, kt.SumError(2*kt.Blocks(c.in)+4, magnitude))
					}
				}
				packed := w.Packed(s)
				block := len(packed) / kt.Blocks(c.out)
				out := kt.Poison(len(ref.Want) * 4)
				var dispatches []kt.Dispatch
				first := 0
				for _, count := range c.parts {
					dispatches = append(dispatches, kt.Dispatch{
						Kernel: shaders.For(s).Linear, Spec: []uint32{64},
						Groups: kt.Grid(count, 64, c.n), Push: shaders.Push(count, kt.Blocks(c.in), first, c.out),
						In: [][]byte{x.Activation(shaders.F32), packed[first/8*block : (first/8+kt.Blocks(count))*block],
							kt.Encode(shaders.F32, bias.Data)},
					})
					first += count
				}
				kt.Run(t, dev, out, dispatches...)
				ref.Check(t, "y", kt.Decode(shaders.F32, out))
			})
		}
	}
}
