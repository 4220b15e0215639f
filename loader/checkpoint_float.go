package loader

// This file owns whole tensors as float32, for the few that are small enough to
// be used on the host.

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
)

// ReadFloat32 returns all elements of an F32, F16 or BF16 tensor, which these
// types hold exactly. The error names the tensor.
func ReadFloat32(c Checkpoint, name string) ([]float32, error) {
	tensors := c.Tensors()
	i, ok := findTensor(tensors, name)
	if !ok {
		return nil, fmt.Errorf("loader: no tensor %q", name)
	}
	raw := make([]byte, tensors[i].Bytes())
	if err := c.ReadTensor(name, raw, 0); err != nil {
		return nil, err
	}
	values := make([]float32, tensors[i].Len())
	if err := DecodeFloat32(values, raw, tensors[i].DType); err != nil {
		return nil, fmt.Errorf("loader: tensor %q: %w", name, err)
	}
	return values, nil
}

// DecodeFloat32 writes the F32, F16 or BF16 elements that raw holds to dst,
// which is as long.
func DecodeFloat32(dst []float32, raw []byte, dtype DType) error {
	if dtype != F32 && dtype != F16 && dtype != BF16 {
		return fmt.Errorf("loader: type %v, want F32, F16 or BF16", dtype)
	}
	if len(raw) != len(dst)*dtype.Size() {
		return fmt.Errorf("loader: %d bytes for %d elements of %v", len(raw), len(dst), dtype)
	}
	le := binary.LittleEndian
	switch dtype {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16.Frombits(le.Uint16(raw[2*i:])).Float32()
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	}
	return nil
}

// AppendFloat32 appends the values to raw as F32, or rounded to nearest even as
// F16 or BF16.
func AppendFloat32(raw []byte, values []float32, dtype DType) ([]byte, error) {
	le := binary.LittleEndian
	switch dtype {
	case F32:
		for _, v := range values {
			raw = le.AppendUint32(raw, math.Float32bits(v))
		}
	case F16:
		for _, v := range values {
			raw = le.AppendUint16(raw, float16.Fromfloat32(v).Bits())
		}
	case BF16:
		for _, v := range values {
			raw = le.AppendUint16(raw, bfloat16(v))
		}
	default:
		return raw, fmt.Errorf("loader: type %v, want F32, F16 or BF16", dtype)
	}
	return raw, nil
}

// bfloat16 rounds to nearest even; a NaN keeps being one.
func bfloat16(v float32) uint16 {
	u := math.Float32bits(v)
	if v != v {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7FFF + u>>16&1) >> 16)
}
