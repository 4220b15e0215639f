package net

import "fmt"

// DType is the element type of a tensor in a checkpoint. The values are those of DTYPE in
// shaders/pack_weights.comp.
type DType uint8

const (
	F32  DType = iota // IEEE binary32
	F16               // IEEE binary16
	BF16              // bfloat16
)

// Size is the size of one element in bytes.
func (d DType) Size() int64 {
	if d == F32 {
		return 4
	}
	return 2
}

// Source is where weights come from: tensors under timm's names with their PyTorch shapes, in
// row-major order. It is read once, piece by piece, and by one goroutine at a time.
type Source interface {
	// DType returns the element type of a tensor.
	DType(name string) (DType, error)
	// ReadTensor fills p with the tensor's little-endian bytes from byte off.
	ReadTensor(name string, p []byte, off int64) error
}

// product is the number of elements of a shape.
func product(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// readVector reads a whole one-dimensional tensor as float32.
func readVector(src Source, name string, n int) ([]float32, error) {
	dtype, err := src.DType(name)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, int64(n)*dtype.Size())
	if err := src.ReadTensor(name, raw, 0); err != nil {
		return nil, fmt.Errorf("net: tensor %q: %w", name, err)
	}
	return decode(raw, dtype), nil
}
