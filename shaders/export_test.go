package shaders_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// affine is a scale and a shift for every image and channel, as gn_finalize leaves them.
type affine struct {
	scale, shift *kt.Tensor // [N][C][1][1]
}

func randomAffine(rng *rand.Rand, n, c int) affine {
	return affine{kt.Random(rng, shaders.F32, n, c, 1, 1, 0, 1), kt.Random(rng, shaders.F32, n, c, 1, 1, 0, 1)}
}

// bytes lays it out: vec2 [N][8*ceil(C/8)], zero past the last channel.
func (a affine) bytes() []byte {
	stride := 8 * kt.Blocks(a.scale.C)
	values := make([]float64, a.scale.N*stride*2)
	for n := range a.scale.N {
		for c := range a.scale.C {
			values[(n*stride+c)*2] = a.scale.At(n, c, 0, 0)
			values[(n*stride+c)*2+1] = a.shift.At(n, c, 0, 0)
		}
	}
	return kt.Encode(shaders.F32, values)
}

// apply returns max(v * scale + shift, 0) and a bound on the error of computing it in binary32, one
// rounding for the product and one for the sum.
func (a affine) apply(n, c int, v float64) (y, err float64) {
	product, shift := v*a.scale.At(n, c, 0, 0), a.shift.At(n, c, 0, 0)
	return max(product+shift, 0), kt.U * (math.Abs(product) + math.Abs(product+shift))
}

func TestExport(t *testing.T) {
	dev, rng := gputest.Open(t), random(4)
	for _, c := range []struct{ n, c, h, w int }{{1, 8, 8, 8}, {2, 3, 5, 7}, {3, 13, 3, 3}, {1, 17, 1, 1}, {2, 8, 13, 10}} {
		for _, s := range storages {
			for _, norm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%dx%dx%dx%d_norm=%v", s, c.n, c.c, c.h, c.w, norm), func(t *testing.T) {
					x, a := kt.Random(rng, s, c.n, c.c, c.h, c.w, 0, 1), randomAffine(rng, c.n, c.c)
					var ref kt.Values
					for i, v := range x.Data {
						plane := i / (c.h * c.w)
						if y, err := a.apply(plane/c.c, plane%c.c, v); norm {
							ref.Add(shaders.F32, y, err)
						} else {
							ref.AddExact(v)
						}
					}
					spec := []uint32{64, 0}
					if norm {
						spec[1] = 1
					}
					out := kt.Poison(len(x.Data) * 4)
					kt.Run(t, dev, out, kt.Dispatch{
						Kernel: shaders.For(s).Export, Spec: spec,
						Groups: kt.Grid(c.h*c.w, 64, c.n*kt.Blocks(c.c)), Push: shaders.Push(c.h*c.w, c.c),
						In: [][]byte{x.Activation(s), a.bytes()},
					})
					ref.Check(t, "y", kt.Decode(shaders.F32, out))
				})
			}
		}
	}
}
