package shaders_test

import (
	"math"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
	"github.com/x448/float16"
)

const width = 4096 // of the pictures and planes that carry values through a kernel

// TestHalfRounding stores, through input_f32, every positive binary16 value, every midpoint of two
// neighbours, and the binary32 values next to the midpoints, with both signs.
func TestHalfRounding(t *testing.T) {
	var values []float64
	for bits := range uint16(0x7c00) {
		v := float64(float16.Frombits(bits).Float32())
		next := 65536.0 // where binary16 would go on
		if bits+1 < 0x7c00 {
			next = float64(float16.Frombits(bits + 1).Float32())
		}
		middle := float32((v + next) / 2)
		below, above := math.Nextafter32(middle, 0), math.Nextafter32(middle, math.MaxFloat32)
		for _, x := range []float64{v, float64(below), float64(middle), float64(above)} {
			values = append(values, x, -x)
		}
	}
	values = append(values, 65536, -65536, 1e6, -1e6, math.MaxFloat32, -math.MaxFloat32, math.Inf(1), math.Inf(-1), 1e-30, -1e-30)

	x := kt.NewTensor(1, 3, (len(values)+3*width-1)/(3*width), width)
	copy(x.Data, values)
	out := kt.Poison(len(pairs(x)) * 2)
	kt.Run(t, gputest.Open(t), out, kt.Dispatch{
		Kernel: shaders.For(shaders.F16).InputF32, Spec: []uint32{64},
		Groups: kt.Grid(width/2, 64, x.H), Push: shaders.Push(x.H, width, x.H),
		In: [][]byte{kt.Encode(shaders.F32, x.Data)},
	})
	// By value: a zero may lose its sign.
	checkPairs(t, shaders.F16, x, out)
}

// TestHalfUnpacking reads every finite binary16 value of both signs, through export.
func TestHalfUnpacking(t *testing.T) {
	var values []float64
	for bits := range 1 << 16 {
		if h := float16.Frombits(uint16(bits)); h.IsFinite() {
			values = append(values, float64(h.Float32()))
		}
	}
	x := kt.NewTensor(1, 8, 2, width)
	copy(x.Data, values)
	out := kt.Poison(len(x.Data) * 4)
	raw := x.Activation(shaders.F16)
	kt.Run(t, gputest.Open(t), out, kt.Dispatch{
		Kernel: shaders.For(shaders.F16).Export, Spec: []uint32{64, 0},
		Groups: kt.Grid(2*width, 64, 1), Push: shaders.Push(2*width, 8), In: [][]byte{raw, raw},
	})
	var ref kt.Values
	for _, v := range x.Data {
		ref.AddExact(v)
	}
	ref.Check(t, "float", kt.Decode(shaders.F32, out))
}
