package shaders

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Push lays ints and float32s out as a kernel's push constants: 32 bits each, in order. Another type is
// a mistake of the caller's code, and panics.
func Push(values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		case float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		default:
			panic(fmt.Sprintf("shaders: push constant of type %T", v))
		}
	}
	return b
}
