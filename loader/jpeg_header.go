// This file owns the marker segments of a JPEG file: tables, the frame header
// and the application segments that say which colours its components are.
// Sections and tables named here and in the other jpeg files are those of
// ITU-T T.81.

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Markers, table B.1.
const (
	jpegSOF0  = 0xc0 // baseline
	jpegSOF2  = 0xc2 // progressive; SOF1, extended sequential, is between
	jpegDHT   = 0xc4
	jpegJPG   = 0xc8
	jpegDAC   = 0xcc
	jpegSOF15 = 0xcf
	jpegRST0  = 0xd0
	jpegRST7  = 0xd7
	jpegEOI   = 0xd9
	jpegSOS   = 0xda
	jpegDQT   = 0xdb
	jpegDRI   = 0xdd
	jpegAPP0  = 0xe0
	jpegAPP14 = 0xee
)

// zigzag gives the row-major place in a block of a coefficient's number in the
// file, figure A.6.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// jpegComponent is one component of the frame.
type jpegComponent struct {
	id            uint8
	h, v          int // sampling factors
	table         int // of quantization
	width, height int // in samples, without padding
	wide, high    int // in blocks, padded to whole MCUs

	quant   *[64]uint16 // in the file's order; set by the first scan
	pix     []uint8     // wide*8 x high*8 samples
	coeffs  []int16     // progressive: 64 for each block, in the file's order
	scanned bool
}

// jpegDecoder is the state of one file.
type jpegDecoder struct {
	data   []byte
	pos    int
	limits DecodeLimits

	width, height   int
	hMax, vMax      int // largest sampling factors
	progressive     bool
	components      []jpegComponent
	quant           [4]*[64]uint16
	huffman         [2][4]*huffmanTable // DC and AC
	restartInterval int                 // in MCUs; 0: none

	jfif, adobe    bool
	adobeTransform uint8
}

// segment handles a marker's segment.
func (d *jpegDecoder) segment(marker uint8, body []byte) error {
	switch {
	case marker == jpegDQT:
		return d.quantization(body)
	case marker == jpegDHT:
		return d.huffmanTables(body)
	case marker == jpegDRI:
		if len(body) != 2 {
			return errors.New("bad restart interval segment")
		}
		d.restartInterval = int(binary.BigEndian.Uint16(body))
	case marker == jpegAPP0 && len(body) >= 14 && string(body[:5]) == "JFIF\x00":
		d.jfif = true
	case marker == jpegAPP14 && len(body) >= 12 && string(body[:5]) == "Adobe":
		d.adobe, d.adobeTransform = true, body[11]
	case jpegSOF0 <= marker && marker <= jpegSOF2:
		d.progressive = marker == jpegSOF2
		return d.frame(body)
	case jpegSOF2 < marker && marker <= jpegSOF15 && marker != jpegJPG && marker != jpegDAC:
		return fmt.Errorf("unsupported coding process SOF%d", marker-jpegSOF0)
	}
	return nil
}

// quantization reads tables, B.2.4.1.
func (d *jpegDecoder) quantization(body []byte) error {
	for len(body) > 0 {
		precision, index := body[0]>>4, body[0]&15
		size := 64 * (1 + int(precision))
		if precision > 1 || index > 3 || len(body) < 1+size {
			return errors.New("bad quantization table")
		}
		// A new array: components may still refer to the table it replaces.
		table := new([64]uint16)
		for i := range table {
			if precision == 0 {
				table[i] = uint16(body[1+i])
			} else {
				table[i] = binary.BigEndian.Uint16(body[1+2*i:])
			}
		}
		d.quant[index] = table
		body = body[1+size:]
	}
	return nil
}

// huffmanTables reads tables, B.2.4.2.
func (d *jpegDecoder) huffmanTables(body []byte) error {
	for len(body) > 0 {
		class, index := body[0]>>4, body[0]&15
		if class > 1 || index > 3 {
			return errors.New("bad Huffman table")
		}
		table, size, err := newHuffmanTable(body[1:])
		if err != nil {
			return err
		}
		d.huffman[class][index] = table
		body = body[1+size:]
	}
	return nil
}

// frame reads the frame header, B.2.2, and checks the picture's size. It
// allocates nothing that grows with it.
func (d *jpegDecoder) frame(body []byte) error {
	if d.components != nil {
		return errors.New("more than one frame")
	}
	if len(body) < 6 {
		return errors.New("short frame header")
	}
	if body[0] != 8 {
		return fmt.Errorf("unsupported precision: %d bits", body[0])
	}
	d.height = int(binary.BigEndian.Uint16(body[1:]))
	d.width = int(binary.BigEndian.Uint16(body[3:]))
	if err := d.limits.check(d.width, d.height); err != nil {
		return err
	}
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("unsupported number of components: %d", n)
	}
	if len(body) != 6+3*n {
		return errors.New("bad frame header")
	}
	d.components = make([]jpegComponent, n)
	for i := range d.components {
		c, spec := &d.components[i], body[6+3*i:]
		c.id, c.h, c.v, c.table = spec[0], int(spec[1]>>4), int(spec[1]&15), int(spec[2])
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return errors.New("bad component in the frame header")
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	for i := range d.components {
		c := &d.components[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return errors.New("unsupported fractional subsampling")
		}
		c.width, c.height = ceilDiv(d.width*c.h, d.hMax), ceilDiv(d.height*c.v, d.vMax)
		c.wide, c.high = ceilDiv(d.width, 8*d.hMax)*c.h, ceilDiv(d.height, 8*d.vMax)*c.v
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// color is the colour space of the components as libjpeg's
// default_decompress_parms determines it.
func (d *jpegDecoder) color() rowConverter {
	ids := [3]uint8{}
	if len(d.components) >= 3 {
		ids = [3]uint8{d.components[0].id, d.components[1].id, d.components[2].id}
	}
	switch {
	case len(d.components) == 1:
		return rowGrey
	case len(d.components) == 4 && d.adobe && d.adobeTransform != 0:
		return rowYCCK
	case len(d.components) == 4:
		return rowStoredCMYK
	case d.jfif:
		return rowYCbCr
	case d.adobe && d.adobeTransform == 0, !d.adobe && ids == [3]uint8{'R', 'G', 'B'}:
		return rowStoredRGB
	}
	return rowYCbCr
}
