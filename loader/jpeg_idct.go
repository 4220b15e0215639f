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
		// Most columns of most blocks have little in them.
		if block[8+x]|block[16+x]|block[24+x]|block[32+x]|block[40+x]|block[48+x]|block[56+x] == 0 {
			v := block[x] << passBits
			for y := range 8 {
				block[8*y+x] = v
			}
			continue
		}
		const shift = dctBits - passBits
		v := [8]int32{block[x], block[8+x], block[16+x], block[24+x], block[32+x], block[40+x], block[48+x], block[56+x]}
		transform8(&v, 1<<(shift-1))
		for y := range 8 {
			block[8*y+x] = v[y] >> shift
		}
	}
	for y := range 8 {
		const shift = dctBits + passBits + 3
		v := (*[8]int32)(block[8*y:])
		transform8(v, 128<<shift|1<<(shift-1))
		row := dst[y*stride : y*stride+8 : y*stride+8]
		for x := range row {
			row[x] = clampByte(v[x] >> shift)
		}
	}
}

// transform8 is the one-dimensional transform in place. Its results have
// dctBits more fractional bits than its input, and bias added.
func transform8(v *[8]int32, bias int32) {
	z := (v[2] + v[6]) * fix0_541196100
	t2 := z - v[6]*fix1_847759065
	t3 := z + v[2]*fix0_765366865
	t0 := (v[0]+v[4])<<dctBits + bias
	t1 := (v[0]-v[4])<<dctBits + bias
	e0, e3 := t0+t3, t0-t3
	e1, e2 := t1+t2, t1-t2

	z1, z2, z3, z4 := v[7]+v[1], v[5]+v[3], v[7]+v[3], v[5]+v[1]
	z5 := (z3 + z4) * fix1_175875602
	z1 *= -fix0_899976223
	z2 *= -fix2_562915447
	z3 = z5 - z3*fix1_961570560
	z4 = z5 - z4*fix0_390180644
	o0 := v[7]*fix0_298631336 + z1 + z3
	o1 := v[5]*fix2_053119869 + z2 + z4
	o2 := v[3]*fix3_072711026 + z2 + z3
	o3 := v[1]*fix1_501321110 + z1 + z4

	v[0], v[7] = e0+o3, e0-o3
	v[1], v[6] = e1+o2, e1-o2
	v[2], v[5] = e2+o1, e2-o1
	v[3], v[4] = e3+o0, e3-o0
}
