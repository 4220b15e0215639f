// This file owns the conversion of JPEG components to RGB: libjpeg's
// (jdcolor.c, 16-bit fixed point, bit for bit), what Pillow makes of the CMYK
// that it yields, and the same for an image.YCbCr that a caller brings.

package loader

import "image"

// Fixed-point factors with 16 fractional bits: libjpeg's FIX(x).
const (
	crToR = 91881  // 1.40200
	cbToG = 22554  // 0.34414
	crToG = 46802  // 0.71414
	cbToB = 116130 // 1.77200
	half  = 1 << 15
)

// clampByte limits v to 0..255.
func clampByte(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31)) // 0 below, 255 above
	}
	return uint8(v)
}

func rowGrey(rgb []uint8, c *[4][]uint8) {
	for x, v := range c[0] {
		d := rgb[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = v, v, v
	}
}

func rowYCbCr(rgb []uint8, c *[4][]uint8) {
	luma := c[0]
	blue, red := c[1][:len(luma)], c[2][:len(luma)]
	for x, l := range luma {
		y, cb, cr := int32(l), int32(blue[x])-128, int32(red[x])-128
		r := y + (crToR*cr+half)>>16
		g := y + (half-cbToG*cb-crToG*cr)>>16
		b := y + (cbToB*cb+half)>>16
		if uint32(r|g|b) > 255 { // one test for what most pixels need not
			r, g, b = int32(clampByte(r)), int32(clampByte(g)), int32(clampByte(b))
		}
		d := rgb[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = uint8(r), uint8(g), uint8(b)
	}
}

func rowStoredRGB(rgb []uint8, c *[4][]uint8) {
	for x := range c[0] {
		rgb[3*x], rgb[3*x+1], rgb[3*x+2] = c[0][x], c[1][x], c[2][x]
	}
}

// rowStoredCMYK takes inverted ink, 255 for none. Adobe's programs store it so,
// and Pillow takes every CMYK JPEG to be theirs.
func rowStoredCMYK(rgb []uint8, c *[4][]uint8) {
	for x, k := range c[3] {
		d := rgb[3*x : 3*x+3]
		for i := range d {
			d[i] = underInk(255-c[i][x], uint32(k))
		}
	}
}

// rowYCCK takes YCbCr, which gives the complement of the stored CMY, and
// stored K (jdcolor.c, ycck_cmyk_convert).
func rowYCCK(rgb []uint8, c *[4][]uint8) {
	rowYCbCr(rgb, c)
	for x, k := range c[3] {
		d := rgb[3*x : 3*x+3]
		for i, v := range d {
			d[i] = underInk(v, uint32(k))
		}
	}
}

// fromYCbCr converts a JFIF picture, possibly a part of a larger one.
func (m *Image) fromYCbCr(img *image.YCbCr) {
	if img.Rect.Min.X < 0 || img.Rect.Min.Y < 0 {
		// COffset rounds toward zero, so chroma has no regular phase here.
		m.fromColors(img)
		return
	}
	*m = *planarOf(img).toRGB(jpegUpsampling, rowYCbCr)
}

// planarOf shares the memory of img, whose Rect.Min is not negative.
func planarOf(img *image.YCbCr) *planar {
	p := &planar{width: img.Rect.Dx(), height: img.Rect.Dy()}
	c := component{}
	c.hRatio, c.vRatio = subsampling(img.SubsampleRatio)
	c.left, c.top = img.Rect.Min.X%c.hRatio, img.Rect.Min.Y%c.vRatio
	c.w, c.h = ceilDiv(c.left+p.width, c.hRatio), ceilDiv(c.top+p.height, c.vRatio)
	c.stride = img.CStride
	blue, red := c, c
	blue.pix, red.pix = img.Cb, img.Cr
	luma := component{plane: plane{img.Y, img.YStride, p.width, p.height}, hRatio: 1, vRatio: 1}
	p.components = []component{luma, blue, red}
	return p
}

func subsampling(r image.YCbCrSubsampleRatio) (h, v int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}
