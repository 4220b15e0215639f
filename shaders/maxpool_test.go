package shaders_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// maxPool is timm's stem pool: ConstantPad2d(1, 0.0), then MaxPool2d(3, 2, 0).
func maxPool(x *kt.Tensor) *kt.Tensor {
	y := kt.NewTensor(x.N, x.C, (x.H+2-3)/2+1, (x.W+2-3)/2+1)
	for n := range y.N {
		for c := range y.C {
			for oy := range y.H {
				for ox := range y.W {
					best := math.Inf(-1)
					for t := range 9 {
						iy, ix := 2*oy-1+t/3, 2*ox-1+t%3
						v := 0.0
						if x.Inside(iy, ix) {
							v = x.At(n, c, iy, ix)
						}
						best = max(best, v)
					}
					y.Channel(n, c)[oy*y.W+ox] = best
				}
			}
		}
	}
	return y
}

func TestMaxPool(t *testing.T) {
	dev, rng := gputest.Open(t), random(3)
	// Far below zero, the zero border shows wherever it is in the window, and nowhere else.
	for _, c := range []struct {
		n, c, h, w int
		mean       float64
	}{
		{1, 8, 16, 16, 0}, {2, 5, 17, 15, 0}, {1, 20, 9, 38, 0}, {2, 9, 16, 13, -20}, {1, 8, 13, 16, -20},
		{1, 3, 2, 2, -20}, {1, 3, 1, 1, -20}, {1, 1, 1, 5, 20},
	} {
		for _, s := range storages {
			t.Run(fmt.Sprintf("%v/%dx%dx%dx%d_mean%g", s, c.n, c.c, c.h, c.w, c.mean), func(t *testing.T) {
				x := kt.Random(rng, s, c.n, c.c, c.h, c.w, c.mean, 1)
				y := maxPool(x)
				want := y.Activation(s)
				out := kt.Poison(len(want))
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: shaders.For(s).MaxPool, Spec: []uint32{64},
					Groups: kt.Grid(y.H*y.W, 64, c.n*kt.Blocks(c.c)), Push: shaders.Push(c.h, c.w, y.H, y.W),
					In: [][]byte{x.Activation(s)},
				})
				var ref kt.Values
				for _, v := range kt.Decode(s, want) {
					ref.AddExact(v)
				}
				ref.Check(t, "y", kt.Decode(s, out))
			})
		}
	}
}
