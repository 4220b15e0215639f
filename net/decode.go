package net

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// decode converts little-endian elements to float32; exact for every type.
func decode(raw []byte, dtype DType) []float32 {
	out := make([]float32, int64(len(raw))/dtype.Size())
	for i := range out {
		switch dtype {
		case F32:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		case F16:
			out[i] = float16.Frombits(binary.LittleEndian.Uint16(raw[2*i:])).Float32()
		case BF16:
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	}
	return out
}

// encode writes float32 values as little-endian bytes.
func encode(dst []byte, values []float32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}
