// This file owns Image, the one pixel format that leaves a decoder, and the
// conversion of Go's image types to it by the rules of Pillow's
// convert("RGB"):
//
//   - alpha is dropped, never composited: the colour under alpha 0 shows;
//   - alpha-premultiplied colour is divided by its alpha first, v*255/a;
//   - 16-bit samples keep their high byte;
//   - palettes are looked up, their transparency ignored;
//   - grey is replicated;
//   - CMYK becomes (255-K) - (255-K)*C/255, rounded as Pillow rounds it;
//   - YCbCr is full-range JFIF with libjpeg's chroma upsampling.
//
// 16-bit grey follows the same high-byte rule. Pillow 9.4 saturates it
// instead, min(v, 255), which turns almost all of a picture white; that is the
// one deliberate difference.

package loader

import (
	"image"
	"image/color"
)

// Image is an 8-bit RGB picture: Pix is HWC, Width*Height*3 bytes, rows from
// the top without padding.
type Image struct {
	Width, Height int
	Pix           []uint8
}

func newImage(width, height int) *Image {
	return &Image{Width: width, Height: height, Pix: make([]uint8, width*height*3)}
}

// RGBA returns a copy of the picture for the image package, opaque.
func (m *Image) RGBA() *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(dst.Pix[4*i:4*i+3], m.Pix[3*i:3*i+3])
		dst.Pix[4*i+3] = 255
	}
	return dst
}

// row returns the bytes of row y.
func (m *Image) row(y int) []uint8 {
	n := m.Width * 3
	return m.Pix[y*n : (y+1)*n : (y+1)*n]
}

// FromGoImage converts any image.Image by the rules of Pillow's
// convert("RGB"): alpha is dropped, never composited, after colour that is
// premultiplied by it has been divided by it; 16-bit samples, grey ones too,
// keep their high byte (Pillow 9.4 saturates grey). The result shares no
// memory with img; its first pixel is the one at Bounds().Min.
//
// An *image.YCbCr is taken to be JFIF, as image/jpeg yields it, and its chroma
// upsampled as libjpeg does. The limited-range pictures of x/image/webp have
// the same type and cannot be told apart, so WebP files belong in Decode; JPEG
// files too, whose samples image/jpeg rounds otherwise (at most 3 levels).
func FromGoImage(img image.Image) *Image {
	b := img.Bounds()
	dst := newImage(b.Dx(), b.Dy())
	if len(dst.Pix) == 0 {
		return dst
	}
	switch m := img.(type) {
	case *image.Gray:
		dst.fromGray(m.Pix, m.Stride, 1)
	case *image.Gray16:
		dst.fromGray(m.Pix, m.Stride, 2)
	case *image.NRGBA:
		dst.fromRGBA(m.Pix, m.Stride, 4, false)
	case *image.NRGBA64:
		dst.fromRGBA(m.Pix, m.Stride, 8, false)
	case *image.RGBA:
		dst.fromRGBA(m.Pix, m.Stride, 4, true)
	case *image.RGBA64:
		dst.fromRGBA(m.Pix, m.Stride, 8, true)
	case *image.Paletted:
		dst.fromIndices(m.Pix, m.Stride, paletteRGB(m.Palette))
	case *image.CMYK:
		for y := range dst.Height {
			rowCMYK(dst.row(y), m.Pix[y*m.Stride:])
		}
	case *image.YCbCr:
		dst.fromYCbCr(m)
	case *image.NYCbCrA:
		dst.fromYCbCr(&m.YCbCr)
	default:
		dst.fromColors(img)
	}
	return dst
}

// fromGray replicates the first of every step bytes.
func (m *Image) fromGray(pix []uint8, stride, step int) {
	for y := range m.Height {
		dst, src := m.row(y), pix[y*stride:]
		for i, j := 0, 0; i < len(dst); i, j = i+3, j+step {
			v := src[j]
			dst[i], dst[i+1], dst[i+2] = v, v, v
		}
	}
}

// fromRGBA takes pixels of step bytes: R, G, B, A of 8 bits (step 4) or of 16
// bits with the high byte first (step 8).
func (m *Image) fromRGBA(pix []uint8, stride, step int, premultiplied bool) {
	sample := step / 4
	for y := range m.Height {
		dst, src := m.row(y), pix[y*stride:]
		for i, j := 0, 0; i < len(dst); i, j = i+3, j+step {
			p, d := src[j:j+step], dst[i:i+3]
			r, g, b := p[0], p[sample], p[2*sample]
			if premultiplied {
				if a := p[3*sample]; a != 255 {
					r, g, b = unmultiply(r, a), unmultiply(g, a), unmultiply(b, a)
				}
			}
			d[0], d[1], d[2] = r, g, b
		}
	}
}

// fromIndices looks every byte up in a palette.
func (m *Image) fromIndices(pix []uint8, stride int, palette *[256][3]uint8) {
	for y := range m.Height {
		dst, src := m.row(y), pix[y*stride:]
		for i, j := 0, 0; i < len(dst); i, j = i+3, j+1 {
			c := &palette[src[j]]
			dst[i], dst[i+1], dst[i+2] = c[0], c[1], c[2]
		}
	}
}

// fromColors is the way of every image type without a faster one.
func (m *Image) fromColors(img image.Image) {
	b := img.Bounds()
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := colorRGB(img.At(x, y))
			i += copy(m.Pix[i:], c[:])
		}
	}
}

// paletteRGB is a lookup table for p. Entries that p lacks are black.
func paletteRGB(p color.Palette) *[256][3]uint8 {
	var table [256][3]uint8
	for i := range min(len(p), len(table)) {
		table[i] = colorRGB(p[i])
	}
	return &table
}

// colorRGB drops the alpha of c. Colours that store it beside the other
// channels give those as they are; others are divided by it.
func colorRGB(c color.Color) [3]uint8 {
	switch c := c.(type) {
	case color.NRGBA:
		return [3]uint8{c.R, c.G, c.B}
	case color.NRGBA64:
		return [3]uint8{uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)}
	}
	r, g, b, a := c.RGBA()
	a8 := uint8(a >> 8)
	return [3]uint8{unmultiply(uint8(r>>8), a8), unmultiply(uint8(g>>8), a8), unmultiply(uint8(b>>8), a8)}
}

// unmultiply undoes alpha premultiplication as Pillow's "RGBa" unpacker does.
func unmultiply(v, a uint8) uint8 {
	if a == 0 {
		return 0
	}
	return uint8(min(uint(v)*255/uint(a), 255))
}

// rowCMYK converts interleaved CMYK, 0 = no ink, to the RGB of dst.
func rowCMYK(dst, src []uint8) {
	for i, j := 0, 0; i < len(dst); i, j = i+3, j+4 {
		p, d := src[j:j+4], dst[i:i+3]
		white := 255 - uint32(p[3])
		d[0] = underInk(p[0], white)
		d[1] = underInk(p[1], white)
		d[2] = underInk(p[2], white)
	}
}

// underInk is what one ink leaves of white: Pillow's
// CLIP8(white - MULDIV255(ink, white)), which cannot leave 0..255.
func underInk(ink uint8, white uint32) uint8 {
	t := uint32(ink)*white + 128
	return uint8(white - ((t>>8)+t)>>8)
}
