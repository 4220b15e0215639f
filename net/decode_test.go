package net

import (
	"math"
	"slices"
	"testing"
)

func TestDecode(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		dtype DType
		raw   []byte
		want  []float32
	}{
		{F32, []byte{0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 1, 0, 0, 0}, []float32{1, -2.5, 0x1p-149}},
		{F16, []byte{0, 0x3c, 0, 0xc1, 0xff, 0x7b, 1, 0, 0xff, 3, 0, 0x7c}, []float32{1, -2.5, 65504, 0x1p-24, 1023 * 0x1p-24, inf}},
		{BF16, []byte{0x80, 0x3f, 0x20, 0xc0, 1, 0, 0x80, 0xff}, []float32{1, -2.5, 0x1p-133, -inf}},
		{F16, nil, nil},
	} {
		if got := decode(c.raw, c.dtype); !slices.Equal(got, c.want) {
			t.Errorf("type %d: % x is %v, want %v", c.dtype, c.raw, got, c.want)
		}
	}
}

func TestEncode(t *testing.T) {
	values := []float32{0, 1, -2.5, math.MaxFloat32, 0x1p-149, float32(math.Inf(-1))}
	raw := make([]byte, 4*len(values))
	encode(raw, values)
	if got := decode(raw, F32); !slices.Equal(got, values) {
		t.Errorf("%v came back as %v", values, got)
	}
	if raw[4] != 0 || raw[7] != 0x3f {
		t.Errorf("1 is % x, want little-endian", raw[4:8])
	}
}
