package kerneltest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/bitgpu/bitgpu/shaders"
	"github.com/x448/float16"
)

// Tensor is a batch of activations in row-major [N][C][H][W]. Convolution weights are Tensors too:
// [O][I][KH][KW].
type Tensor struct {
	N, C, H, W int
	Data       []float64
}

// NewTensor returns a tensor of zeros.
func NewTensor(n, c, h, w int) *Tensor {
	return &Tensor{n, c, h, w, make([]float64, n*c*h*w)}
}

// Random returns a tensor whose values are mean + std times a normal deviate, rounded to storage.
func Random(rng *rand.Rand, s shaders.Storage, n, c, h, w int, mean, std float64) *Tensor {
	t := NewTensor(n, c, h, w)
	for i := range t.Data {
		t.Data[i] = Round(s, mean+std*rng.NormFloat64())
	}
	return t
}

// At returns one value.
func (t *Tensor) At(n, c, y, x int) float64 { return t.Data[((n*t.C+c)*t.H+y)*t.W+x] }

// Inside reports whether a pixel is in the picture.
func (t *Tensor) Inside(y, x int) bool { return y >= 0 && y < t.H && x >= 0 && x < t.W }

// Channel returns the pixels of one channel.
func (t *Tensor) Channel(n, c int) []float64 {
	return t.Data[(n*t.C+c)*t.H*t.W : (n*t.C+c+1)*t.H*t.W]
}

// Blocks is the number of blocks of eight that hold n channels.
func Blocks(n int) int { return (n + 7) / 8 }

// Activation lays a tensor out as NCHW8c (shaders/block.glsl), zero past the last channel.
func (t *Tensor) Activation(s shaders.Storage) []byte {
	pixels := t.H * t.W
	values := make([]float64, t.N*Blocks(t.C)*pixels*8)
	for n := range t.N {
		for c := range t.C {
			for p, v := range t.Channel(n, c) {
				values[((n*Blocks(t.C)+c/8)*pixels+p)*8+c%8] = v
			}
		}
	}
	return Encode(s, values)
}

// FromActivation reads a tensor of 8*Blocks(c) channels back, the padding with it.
func FromActivation(s shaders.Storage, raw []byte, n, c, h, w int) *Tensor {
	t := NewTensor(n, 8*Blocks(c), h, w)
	for i, v := range Decode(s, raw) {
		plane, p, lane := i/8/(h*w), i/8%(h*w), i%8
		t.Data[((plane/Blocks(c)*t.C)+plane%Blocks(c)*8+lane)*h*w+p] = v
	}
	return t
}

// Packed lays weights out as the kernels read them (shaders/pack_weights.comp).
func (t *Tensor) Packed(s shaders.Storage) []byte { return Encode(s, t.PackedValues()) }

// PackedValues is what Packed encodes: [ceil(O/8)][KH*KW][ceil(I/8)][8 outputs][8 inputs], zero past
// O and I.
func (t *Tensor) PackedValues() []float64 {
	taps, in := t.H*t.W, Blocks(t.C)
	values := make([]float64, Blocks(t.N)*taps*in*64)
	for o := range t.N {
		for i := range t.C {
			for tap, v := range t.Channel(o, i) {
				values[(((o/8*taps+tap)*in+i/8)*8+o%8)*8+i%8] = v
			}
		}
	}
	return values
}

// Encode writes values as little-endian storage elements.
func Encode(s shaders.Storage, values []float64) []byte {
	raw := make([]byte, 0, int64(len(values))*s.Size())
	for _, v := range values {
		if s == shaders.F16 {
			raw = binary.LittleEndian.AppendUint16(raw, float16.Fromfloat32(float32(v)).Bits())
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
		}
	}
	return raw
}

// Decode reads little-endian storage elements.
func Decode(s shaders.Storage, raw []byte) []float64 {
	values := make([]float64, int64(len(raw))/s.Size())
	for i := range values {
		if s == shaders.F16 {
			values[i] = float64(float16.Frombits(binary.LittleEndian.Uint16(raw[2*i:])).Float32())
		} else {
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	}
	return values
}
