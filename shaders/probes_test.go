package shaders_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// TestPeakFMA follows every chain on the host: none of the work that counts is left out.
func TestPeakFMA(t *testing.T) {
	dev := gputest.Open(t)
	const a, b = 0.9375, 1
	for _, c := range []struct{ size, groups, steps, rounds int }{{64, 5, 1, 1}, {64, 9, 32, 3}, {128, 3, 8, 100}, {8, 2, 256, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var ref kt.Values
			for n := range c.size * c.groups {
				sum := 0.0
				for i := range shaders.ProbeChains {
					v := float64(n%256 + i)
					for range c.steps * c.rounds {
						v = v*a + b
					}
					sum += v
				}
				// The error of a step shrinks by a in each that follows: 1/(1-a) of them count.
				ref.Add(shaders.F32, sum, kt.SumError(2/(1-a)+shaders.ProbeChains, sum))
			}
			out := kt.Poison(4 * c.size * c.groups)
			kt.Run(t, dev, out, kt.Dispatch{
				Kernel: shaders.Probes().FMA, Spec: []uint32{uint32(c.size), uint32(c.steps), uint32(c.rounds)},
				Groups: [3]uint32{uint32(c.groups), 1, 1}, Push: shaders.Push(float32(a), float32(b)),
			})
			ref.Check(t, "y", kt.Decode(shaders.F32, out))
		})
	}
}

func TestPeakCopy(t *testing.T) {
	dev, rng := gputest.Open(t), random(11)
	for _, c := range []struct{ size, groups int }{{64, 1}, {8, 7}, {128, 3}} {
		x := make([]byte, 16*shaders.ProbeVectors*c.size*c.groups)
		for i := range x {
			x[i] = byte(rng.Uint32())
		}
		y := kt.Poison(len(x))
		kt.Run(t, dev, y, kt.Dispatch{
			Kernel: shaders.Probes().Copy, Spec: []uint32{uint32(c.size)}, Groups: [3]uint32{uint32(c.groups), 1, 1}, In: [][]byte{x},
		})
		if !bytes.Equal(x, y) {
			t.Errorf("%d workgroups of %d do not copy all", c.groups, c.size)
		}
	}
}
