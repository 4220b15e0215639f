package shaders_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// Values of DTYPE.
const (
	rawF32 = iota
	rawF16
	rawBF16
)

const weightEps = float32(1e-8)

// packGroup is the invocations of a workgroup.
const packGroup = 64

// randomFilters returns weights of the given type, the filters from kinds in turn.
func randomFilters(rng *rand.Rand, dtype, o, i, kh, kw int) *kt.Tensor {
	kinds := []struct{ mean, std float64 }{{0.01, 0.05}, {-1, 0.1}, {0, 1e-4}, {0.05, 1e-6}, {0, 0}, {0.3, 0}}
	w := kt.NewTensor(o, i, kh, kw)
	size := i * kh * kw
	for j := range w.Data {
		k := kinds[j/size%len(kinds)]
		v := float32(k.mean + k.std*rng.NormFloat64())
		switch dtype {
		case rawF16:
			v = float32(kt.Round(shaders.F16, float64(v)))
		case rawBF16:
			v = math.Float32frombits(math.Float32bits(v) &^ 0xffff)
		}
		w.Data[j] = float64(v)
	}
	return w
}

// rawWeights is a checkpoint's form of weights, filled up to whole words.
func rawWeights(dtype int, values []float64) []byte {
	var raw []byte
	switch dtype {
	case rawF32:
		return kt.Encode(shaders.F32, values)
	case rawF16:
		raw = kt.Encode(shaders.F16, values)
	case rawBF16:
		for j, b := range kt.Encode(shaders.F32, values) {
			if j%4 >= 2 {
				raw = append(raw, b)
			}
		}
	}
	return append(raw, make([]byte, len(raw)%4)...)
}

// standardize is timm's StdConv2d without gain, and a bound on the error of its results in binary32.
func standardize(w *kt.Tensor) (out, bound *kt.Tensor) {
	out, bound = kt.NewTensor(w.N, w.C, w.H, w.W), kt.NewTensor(w.N, w.C, w.H, w.W)
	size := w.C * w.H * w.W
	for o := range w.N {
		f := w.Data[o*size : (o+1)*size]
		mean, spread, variance := 0.0, 0.0, 0.0 // the mean as a difference to the first weight
		for _, v := range f {
			mean += (v - f[0]) / float64(size)
		}
		for _, v := range f {
			d := v - f[0] - mean
			spread = max(spread, math.Abs(d))
			variance += d * d / float64(size)
		}
		rstd := 1 / math.Sqrt(variance+float64(weightEps))
		// A lane sums size/packGroup values, then packGroup lanes are summed. Of deviations from
		// about the mean these sums stay below sqrt(size) of the largest; each deviation is rounded
		// itself, and shifted by the error of the first mean.
		roundings := size/packGroup + packGroup + 4
		first := kt.SumError(roundings, math.Abs(f[0]+mean))
		deviation := kt.SumError(roundings, spread/math.Sqrt(float64(size))+first) + 2*kt.U*(spread+first)
		// The variance's error in parts of variance + eps, halved by the square root; 8 roundings for
		// a division and a square root of Vulkan's precision.
		relative := (2*deviation*math.Sqrt(variance)+deviation*deviation+kt.SumError(roundings, variance))*rstd*rstd/2 + 8*kt.U
		for j, v := range f {
			d := (v - f[0] - mean) * rstd
			out.Data[o*size+j] = d
			bound.Data[o*size+j] = deviation*rstd + math.Abs(d)*relative
		}
	}
	return out, bound
}

// pairTaps moves 7x7 filters into 7x4 taps over column pairs: eight inputs, 4*p + c of them the
// channel c of the pair's pixel p.
func pairTaps(w *kt.Tensor) *kt.Tensor {
	y := kt.NewTensor(w.N, 8, w.H, 4)
	for o := range w.N {
		for c := range w.C {
			for ky := range w.H {
				for kx := range w.W {
					bx, p := (kx+1)/2, (kx+1)%2
					y.Channel(o, 4*p+c)[ky*4+bx] = w.At(o, c, ky, kx)
				}
			}
		}
	}
	return y
}

type packCase struct {
	o, i, kh, kw     int
	dtype            int
	standardize, one bool // one: pair columns, for the stem
}

func (c packCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d_%s_std=%v_pair=%v", c.o, c.i, c.kh, c.kw, []string{"f32", "f16", "bf16"}[c.dtype], c.standardize, c.one)
}

// pack packs rows of w at a byte of the output.
func (c packCase) pack(s shaders.Storage, w *kt.Tensor, first, rows, at int) kt.Dispatch {
	flag := map[bool]uint32{true: 1}
	size := c.i * c.kh * c.kw
	return kt.Dispatch{
		Kernel: shaders.For(s).PackWeights,
		Spec:   []uint32{packGroup, uint32(c.dtype), flag[c.standardize], flag[c.one]},
		Groups: [3]uint32{uint32(8 * kt.Blocks(rows)), 1, 1},
		Push:   shaders.Push(rows, c.i, c.kh*c.kw, c.kw, weightEps),
		In:     [][]byte{rawWeights(c.dtype, w.Data[first*size:(first+rows)*size])},
		At:     at,
	}
}

func (c packCase) check(t *testing.T, dev *gpu.Device, s shaders.Storage, w *kt.Tensor) {
	want, bound := w, kt.NewTensor(w.N, w.C, w.H, w.W)
	if c.standardize {
		want, bound = standardize(w)
	}
	if c.one {
		want, bound = pairTaps(want), pairTaps(bound)
	}
	var ref kt.Values
	bounds := bound.PackedValues()
	for i, v := range want.PackedValues() {
		ref.Add(s, v, bounds[i])
	}
	out := kt.Poison(len(want.Packed(s)))
	kt.Run(t, dev, out, c.pack(s, w, 0, c.o, 0))
	ref.Check(t, "w", kt.Decode(s, out))
}

func TestPackWeights(t *testing.T) {
	dev := gputest.Open(t)
	cases := []packCase{
		{8, 8, 1, 1, rawF32, true, false}, {13, 19, 3, 3, rawF32, true, false}, {6, 5, 5, 3, rawF32, true, false},
		{24, 300, 1, 1, rawF32, true, false}, {7, 33, 3, 3, rawF16, true, false}, {9, 11, 1, 3, rawBF16, true, false},
		{10, 20, 1, 1, rawF32, false, false}, {7, 9, 1, 1, rawF16, false, false},
		{12, 3, 7, 7, rawF32, true, true}, {9, 3, 7, 7, rawBF16, true, true},
	}
	for i, c := range cases {
		for _, s := range storages {
			t.Run(fmt.Sprintf("%v/%v", s, c), func(t *testing.T) {
				c.check(t, dev, s, randomFilters(random(uint64(100+i)), c.dtype, c.o, c.i, c.kh, c.kw))
			})
		}
	}
}

// TestPackWeightsPieces packs a tensor in pieces of whole blocks, the last one not full, and compares
// with packing it at once.
func TestPackWeightsPieces(t *testing.T) {
	dev := gputest.Open(t)
	for _, dtype := range []int{rawF32, rawF16, rawBF16} {
		for _, s := range storages {
			c := packCase{29, 16, 3, 3, dtype, true, false} // a block's bytes are a multiple of every device's alignment
			t.Run(fmt.Sprintf("%v/%v", s, c), func(t *testing.T) {
				w := randomFilters(random(5), dtype, c.o, c.i, c.kh, c.kw)
				whole := kt.Poison(len(w.Packed(s)))
				kt.Run(t, dev, whole, c.pack(s, w, 0, c.o, 0))
				block := len(whole) / kt.Blocks(c.o)
				parts := kt.Poison(len(whole))
				kt.Run(t, dev, parts, c.pack(s, w, 0, 16, 0), c.pack(s, w, 16, 8, 2*block), c.pack(s, w, 24, 5, 3*block))
				if !bytes.Equal(parts, whole) {
					t.Error("the pieces differ from the whole")
				}
			})
		}
	}
}
