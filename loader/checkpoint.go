package loader

// This file owns what a checkpoint is: named tensors of a known type and
// shape, read in pieces. Every source of weights (safetensors files, the
// generated weights, the embedded network) stands behind Checkpoint, and
// nothing above this package knows which one it has.

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrCorrupt is wrapped by every error that says a file breaks its own format:
// truncated, inconsistent, or never such a file at all. It is not wrapped when
// the file is sound and merely does not fit (CheckTensors) or cannot be read.
var ErrCorrupt = errors.New("file is corrupt")

// DType is the element type of a tensor. Elements are little-endian.
type DType int

// The element types that safetensors files and .npy files hold. The zero
// value is F32. Weights are F32, F16 or BF16; the others are carried so that
// any sound file can be opened and listed.
const (
	F32 DType = iota
	F16
	BF16
	F64
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool
	F8E4M3
	F8E5M2
)

// dtypes holds the name that safetensors uses and the bytes per element.
var dtypes = [...]struct {
	name string
	size int
}{
	F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2}, F64: {"F64", 8},
	I64: {"I64", 8}, I32: {"I32", 4}, I16: {"I16", 2}, I8: {"I8", 1},
	U64: {"U64", 8}, U32: {"U32", 4}, U16: {"U16", 2}, U8: {"U8", 1},
	Bool: {"BOOL", 1}, F8E4M3: {"F8_E4M3", 1}, F8E5M2: {"F8_E5M2", 1},
}

// String returns the safetensors name of the type, such as "BF16".
func (d DType) String() string {
	if d < 0 || int(d) >= len(dtypes) {
		return fmt.Sprintf("DType(%d)", int(d))
	}
	return dtypes[d].name
}

// Size returns the bytes of one element, 0 for a value that is no type.
func (d DType) Size() int {
	if d < 0 || int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

// parseDType is the inverse of DType.String.
func parseDType(name string) (DType, bool) {
	for d, t := range dtypes {
		if t.name == name {
			return DType(d), true
		}
	}
	return 0, false
}

// TensorInfo says what one tensor is. Shape is outermost dimension first, as
// PyTorch has it (a convolution is [out, in, kh, kw]); an empty Shape is a
// scalar. The Shape of an info that a Checkpoint returned is shared: callers
// must not write to it.
type TensorInfo struct {
	Name  string
	DType DType
	Shape []int
}

// Len returns the number of elements. It is exact for every info that a
// Checkpoint returned; for a hand-made one whose product does not fit an int,
// or that has a negative dimension, it returns -1.
func (t TensorInfo) Len() int {
	n, ok := elements(t.Shape)
	if !ok {
		return -1
	}
	return n
}

// Bytes returns the size of the data in bytes, or -1 where Len does.
func (t TensorInfo) Bytes() int64 {
	n := t.Len()
	if n < 0 {
		return -1
	}
	return int64(n) * int64(t.DType.Size())
}

// elements multiplies the dimensions. It fails on a negative dimension and on
// a product that, times the widest element (8 bytes), would not fit an int64,
// or that would not fit an int.
func elements(shape []int) (int, bool) {
	n := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64/8 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	return int(n), true
}

// Checkpoint is a set of named tensors that are read in pieces, so that
// weights stream from where they are to the device and never exist a second
// time in memory.
//
// ReadTensor may be called from any number of goroutines at once, also while
// another one calls Close; on a closed file it fails with an error that wraps
// os.ErrClosed. Tensors and Metadata return the same values before and after
// Close; callers must not write to them.
type Checkpoint interface {
	// Tensors lists the tensors, sorted by name.
	Tensors() []TensorInfo
	// ReadTensor fills p with the raw little-endian bytes of the tensor,
	// beginning off bytes into it. It is an error when the tensor has no such
	// name or fewer than off+len(p) bytes; p is then unspecified.
	ReadTensor(name string, p []byte, off int64) error
	// Metadata returns the free-form strings that the file carries (the
	// __metadata__ of safetensors); nil where there are none.
	Metadata() map[string]string
	// Close releases the file. It may be called more than once.
	Close() error
}

// checkRange says whether [off, off+n) lies inside a tensor of size bytes.
func checkRange(name string, size, off int64, n int) error {
	if off < 0 || off > size || int64(n) > size-off {
		return fmt.Errorf("tensor %q: read of %d bytes at %d, but it has %d", name, n, off, size)
	}
	return nil
}
