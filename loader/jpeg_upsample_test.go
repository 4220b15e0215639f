package loader

import (
	"bytes"
	"fmt"
	"testing"
)

// The expected rows are worked out by hand from jdsample.c and libwebp's
// upsampling.c.
func TestUpsampling(t *testing.T) {
	row := plane{pix: []uint8{10, 21, 33, 40}, stride: 4, w: 4, h: 1}
	tie := plane{pix: []uint8{0, 2, 4}, stride: 3, w: 3, h: 1}
	square := plane{pix: []uint8{10, 21, 33, 99, 50, 60, 81, 99}, stride: 4, w: 3, h: 2}
	for name, c := range map[string]struct {
		up   upsampler
		in   component
		y    int
		want []uint8
	}{
		"h2v1":        {upsampleH2V1, component{plane: row, hRatio: 2, vRatio: 1}, 0, []uint8{10, 13, 18, 24, 30, 35, 38, 40}},
		"h1v2 top":    {upsampleH1V2, component{plane: square, hRatio: 1, vRatio: 2}, 0, []uint8{10, 21, 33}},
		"h1v2 odd":    {upsampleH1V2, component{plane: square, hRatio: 1, vRatio: 2}, 1, []uint8{20, 31, 45}},
		"h1v2 even":   {upsampleH1V2, component{plane: square, hRatio: 1, vRatio: 2}, 2, []uint8{40, 50, 69}},
		"h1v2 bottom": {upsampleH1V2, component{plane: square, hRatio: 1, vRatio: 2}, 3, []uint8{50, 60, 81}},
		"h2v2 top":    {upsampleH2V2(7), component{plane: square, hRatio: 2, vRatio: 2}, 0, []uint8{10, 13, 18, 24, 30, 33}},
		"h2v2 odd":    {upsampleH2V2(7), component{plane: square, hRatio: 2, vRatio: 2}, 1, []uint8{20, 23, 28, 34, 41, 45}},
		"h2v2 bottom": {upsampleH2V2(7), component{plane: square, hRatio: 2, vRatio: 2}, 3, []uint8{50, 52, 58, 65, 76, 81}},
		"libjpeg tie": {upsampleH2V2(7), component{plane: tie, hRatio: 2, vRatio: 2}, 0, []uint8{0, 0, 2, 2, 4, 4}},
		"libwebp tie": {upsampleH2V2(8), component{plane: tie, hRatio: 2, vRatio: 2}, 0, []uint8{0, 1, 2, 3, 4, 4}},
		"replicate":   {replicate, component{plane: square, hRatio: 4, vRatio: 2}, 3, []uint8{50, 50, 50, 50, 60, 60, 60, 60, 81, 81, 81, 81}},
	} {
		got := c.up(make([]uint8, c.in.w*c.in.hRatio), &c.in, c.y)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestJPEGUpsamplingChoice(t *testing.T) {
	pix := []uint8{0, 100, 200, 0, 100, 200, 40, 140, 240}
	for _, c := range []struct {
		h, v, w int
		want    []uint8 // row 3
	}{
		{1, 1, 3, []uint8{40, 140, 240}},
		{2, 1, 3, []uint8{40, 65, 115, 165, 215, 240}},
		{2, 1, 2, []uint8{40, 40, 140, 140}},
		{2, 2, 3, []uint8{10, 35, 85, 135, 185, 210}},
		{2, 2, 2, []uint8{0, 0, 100, 100}},
		{1, 2, 2, []uint8{10, 110}},
		{4, 1, 2, []uint8{40, 40, 40, 40, 140, 140, 140, 140}},
		{4, 2, 2, []uint8{0, 0, 0, 0, 100, 100, 100, 100}},
	} {
		t.Run(fmt.Sprintf("%dx%d wide %d", c.h, c.v, c.w), func(t *testing.T) {
			in := component{plane: plane{pix, 3, c.w, 3}, hRatio: c.h, vRatio: c.v}
			got := jpegUpsampling(&in)(make([]uint8, c.w*c.h), &in, 3)
			if !bytes.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// The expected colours are JFIF's float formulas, rounded.
func TestYCbCrFixedPoint(t *testing.T) {
	for _, c := range [][6]uint8{ // Y Cb Cr R G B
		{0, 128, 128, 0, 0, 0}, {255, 128, 128, 255, 255, 255}, {128, 128, 128, 128, 128, 128},
		{76, 85, 255, 254, 0, 0}, {150, 44, 21, 0, 255, 1}, {29, 255, 107, 0, 0, 254},
		{100, 0, 0, 0, 235, 0}, {100, 255, 255, 255, 0, 255}, {57, 129, 127, 56, 57, 59},
	} {
		var rgb [3]uint8
		rowYCbCr(rgb[:], &[4][]uint8{{c[0]}, {c[1]}, {c[2]}})
		if rgb != [3]uint8(c[3:]) {
			t.Errorf("Y Cb Cr %v: %v, want %v", c[:3], rgb, c[3:])
		}
	}
}
