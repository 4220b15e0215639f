// This file owns the inverse DCT: libjpeg's accurate integer one (jidctint.c,
// after Loeffler, Ligtenberg and Moschytz 1989), bit for bit. image/jpeg
// rounds otherwise, which through YCbCr and a resize is up to 4 levels.

package loader

// Factors with 13 fractional bits: jidctint.c's FIX_x.
const (
	dctBits  = 13
	passBits = 2 // fractional bits kept between the passes

	fix0_298631336 = 2446
	fix0_390180644 = 3196
	fix0_541196100 = 4433
	fix0_765366865 = 6270
	fix0_899976223 = 7373
	fix1_175875602 = 9633
	fix1_501321110 = 12299
	fix1_847759065 = 15137
	fix1_961570560 = 16069
	fix2_053119869 = 16819
	fix2_562915447 = 20995
	fix3_072711026 = 25172
)

// flatBlock is inverseDCT of a block with only its first coefficient.
func flatBlock(dst []uint8, stride int, dc int32) {
	v := clampByte((dc+4)>>3 + 128)
	for y := range 8 {
		row := dst[y*stride : y*stride+8]
		for x := range row {
			row[x] = v
		}
	}
}

// inverseDCT transforms 8 x 8 dequantized coefficients, row-major, to samples:
// columns first, then rows. The block is overwritten.
func inverseDCT(dst []uint8, stride int, block *[64]int32) {
	for x := range 8 {
		c := block[x : x+57 : x+57]
		// Most columns of most blocks have little in them.
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			if v := c[0] << passBits; v != 0 {
				c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56] = v, v, v, v, v, v, v, v
			}
			continue
		}
		const shift = dctBits - passBits
		v0, v1, v2, v3, v4, v5, v6, v7 := transform8(c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56], 1<<(shift-1))
		c[0], c[8], c[16], c[24] = v0>>shift, v1>>shift, v2>>shift, v3>>shift
		c[32], c[40], c[48], c[56] = v4>>shift, v5>>shift, v6>>shift, v7>>shift
	}
	for y := range 8 {
		const shift = dctBits + passBits + 3
		r := block[8*y : 8*y+8 : 8*y+8]
		v0, v1, v2, v3, v4, v5, v6, v7 := transform8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], 128<<shift|1<<(shift-1))
		d := dst[y*stride : y*stride+8 : y*stride+8]
		v0, v1, v2, v3, v4, v5, v6, v7 = v0>>shift, v1>>shift, v2>>shift, v3>>shift, v4>>shift, v5>>shift, v6>>shift, v7>>shift
		if uint32(v0|v1|v2|v3|v4|v5|v6|v7) <= 255 { // one test for what most rows need not
			d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = uint8(v0), uint8(v1), uint8(v2), uint8(v3), uint8(v4), uint8(v5), uint8(v6), uint8(v7)
			continue
		}
		d[0], d[1], d[2], d[3] = clampByte(v0), clampByte(v1), clampByte(v2), clampByte(v3)
		d[4], d[5], d[6], d[7] = clampByte(v4), clampByte(v5), clampByte(v6), clampByte(v7)
	}
}

// transform8 is the one-dimensional transform. Its results have dctBits more
// fractional bits than its input, and bias added. Arguments and results are
// separate values because those travel in registers.
func transform8(v0, v1, v2, v3, v4, v5, v6, v7, bias int32) (r0, r1, r2, r3, r4, r5, r6, r7 int32) {
	z := (v2 + v6) * fix0_541196100
	t2 := z - v6*fix1_847759065
	t3 := z + v2*fix0_765366865
	t0 := (v0+v4)<<dctBits + bias
	t1 := (v0-v4)<<dctBits + bias
	e0, e3 := t0+t3, t0-t3
	e1, e2 := t1+t2, t1-t2

	z1, z2, z3, z4 := v7+v1, v5+v3, v7+v3, v5+v1
	z5 := (z3 + z4) * fix1_175875602
	z1 *= -fix0_899976223
	z2 *= -fix2_562915447
	z3 = z5 - z3*fix1_961570560
	z4 = z5 - z4*fix0_390180644
	o0 := v7*fix0_298631336 + z1 + z3
	o1 := v5*fix2_053119869 + z2 + z4
	o2 := v3*fix3_072711026 + z2 + z3
	o3 := v1*fix1_501321110 + z1 + z4

	return e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3
}
