// This file owns BMP. golang.org/x/image/bmp is not used because it lacks much
// of what Pillow reads: run-length coding, 16 bits a pixel, bit fields, and the
// headers of OS/2.
// Format: "Bitmap Storage" and [MS-WMF] 2.2.2 (DIB objects), 3.1.6 (RLE).

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Compression methods.
const (
	bmpRaw       = 0
	bmpRLE8      = 1
	bmpRLE4      = 2
	bmpBitFields = 3
)

// bmpFile is a file's header and what follows it.
type bmpFile struct {
	width, height int
	topDown       bool
	bits          int // of a pixel
	compression   uint32
	masks         [3]uint32      // of R, G, B, from 16 bits on
	palette       *[256][3]uint8 // up to 8 bits
	data          []byte         // pixels, from the offset that the header gives
}

func decodeBMP(data []byte, limits DecodeLimits) (*Image, error) {
	f, err := parseBMP(data)
	if err == nil {
		err = limits.check(f.width, f.height)
	}
	if err != nil {
		return nil, err
	}
	m := newImage(f.width, f.height)
	switch {
	case f.compression == bmpRLE8 || f.compression == bmpRLE4:
		indices := make([]uint8, f.width*f.height)
		if err := f.runs(indices); err != nil {
			return nil, err
		}
		for y := range f.height {
			f.look(m.row(f.place(y)), indices[y*f.width:])
		}
		return m, nil
	case len(f.data) < f.stride()*f.height:
		return nil, io.ErrUnexpectedEOF
	}
	indices := make([]uint8, f.width)
	for y := range f.height {
		row, dst := f.data[y*f.stride():(y+1)*f.stride()], m.row(f.place(y))
		if f.bits > 8 {
			f.colours(dst, row)
			continue
		}
		each := 8 / f.bits
		for x := range indices {
			indices[x] = row[x/each] >> (8 - f.bits*(x%each+1)) & (1<<f.bits - 1)
		}
		f.look(dst, indices)
	}
	return m, nil
}

// stride is the size of a row in the file, a multiple of four bytes.
func (f *bmpFile) stride() int { return (f.width*f.bits + 31) >> 3 &^ 3 }

// place is the row of the picture that row y of the file is.
func (f *bmpFile) place(y int) int {
	if f.topDown {
		return y
	}
	return f.height - 1 - y
}

// look writes a row of palette indices as colours.
func (f *bmpFile) look(dst []uint8, indices []uint8) {
	for x := range f.width {
		copy(dst[3*x:], f.palette[indices[x]][:])
	}
}

// parseBMP reads all but the pixels.
func parseBMP(data []byte) (*bmpFile, error) {
	const (
		fileHeader = 14
		os2Header  = 12
		infoHeader = 40
	)
	if len(data) < fileHeader+os2Header {
		return nil, io.ErrUnexpectedEOF
	}
	order := binary.LittleEndian
	offset, size := int64(order.Uint32(data[10:])), int64(order.Uint32(data[14:]))
	if size != os2Header && size != infoHeader && size != 64 && size != 108 && size != 124 {
		return nil, fmt.Errorf("unsupported header of %d bytes", size)
	}
	if int64(len(data)) < fileHeader+size {
		return nil, io.ErrUnexpectedEOF
	}
	f, head, rest := &bmpFile{}, data[fileHeader:fileHeader+size], data[fileHeader+size:]
	entry, colours := 4, int64(0)
	if size == os2Header {
		f.width, f.height, f.bits = int(order.Uint16(head[4:])), int(order.Uint16(head[6:])), int(order.Uint16(head[10:]))
		entry = 3
	} else {
		height := int32(order.Uint32(head[8:]))
		f.width, f.height, f.topDown = int(int32(order.Uint32(head[4:]))), max(int(height), -int(height)), height < 0
		f.bits, f.compression = int(order.Uint16(head[14:])), order.Uint32(head[16:])
		colours = int64(order.Uint32(head[32:]))
	}
	if f.bits <= 8 {
		if colours == 0 {
			colours = 1 << f.bits
		}
		if offset == fileHeader+size {
			offset += 4 * colours // a header that forgets its palette
		}
		if err := f.readPalette(rest, entry, colours); err != nil {
			return nil, err
		}
	}
	if f.compression == bmpBitFields && size == infoHeader {
		head = append(head[:infoHeader:infoHeader], rest[:min(len(rest), 12)]...)
	}
	if err := f.readMasks(head); err != nil {
		return nil, err
	}
	if offset > int64(len(data)) {
		return nil, io.ErrUnexpectedEOF
	}
	f.data = data[offset:]
	return f, nil
}

// readPalette takes colours entries of so many bytes, B first. What is missing
// is grey, as in a GIF.
func (f *bmpFile) readPalette(data []byte, entry int, colours int64) error {
	if int64(len(data)) < int64(entry)*colours {
		return io.ErrUnexpectedEOF
	}
	f.palette = greyRamp()
	for i := range min(int(colours), 256) {
		e := data[i*entry:]
		f.palette[i] = [3]uint8{e[2], e[1], e[0]}
	}
	return nil
}

// readMasks checks the form of the pixels and finds where R, G and B are in
// them. head is the information header, with any masks.
func (f *bmpFile) readMasks(head []byte) error {
	const fields = 40 // where the masks are
	switch {
	case f.compression == bmpRLE8 && f.bits == 8, f.compression == bmpRLE4 && f.bits == 4:
		return nil
	case f.compression == bmpRaw && (f.bits == 1 || f.bits == 4 || f.bits == 8):
		return nil
	case f.compression == bmpRaw && f.bits == 16:
		f.masks = [3]uint32{0x7c00, 0x3e0, 0x1f}
	case f.compression == bmpRaw && (f.bits == 24 || f.bits == 32):
		f.masks = [3]uint32{0xff0000, 0xff00, 0xff}
	case f.compression == bmpBitFields && (f.bits == 16 || f.bits == 24 || f.bits == 32):
		if len(head) < fields+12 {
			return io.ErrUnexpectedEOF
		}
		for c := range f.masks {
			f.masks[c] = binary.LittleEndian.Uint32(head[fields+4*c:])
		}
		if f.masks == [3]uint32{} {
			f.masks = [3]uint32{0xff0000, 0xff00, 0xff}
		}
	default:
		return fmt.Errorf("unsupported compression %d of %d bits", f.compression, f.bits)
	}
	for _, m := range f.masks {
		if n := bits.OnesCount32(m); n == 0 || n > 8 || bits.Len32(m)-bits.TrailingZeros32(m) != n || bits.Len32(m) > f.bits {
			return fmt.Errorf("unsupported bit fields %#x", f.masks)
		}
	}
	return nil
}

// colours converts a row of pixels with bit fields.
func (f *bmpFile) colours(dst, row []byte) {
	if f.masks == [3]uint32{0xff0000, 0xff00, 0xff} {
		for x, step := 0, f.bits/8; x < f.width; x++ {
			s := row[x*step : x*step+3 : x*step+3]
			dst[3*x], dst[3*x+1], dst[3*x+2] = s[2], s[1], s[0]
		}
		return
	}
	var shift, most [3]uint32
	for c, m := range f.masks {
		shift[c] = uint32(bits.TrailingZeros32(m))
		most[c] = m >> shift[c]
	}
	for x, step := 0, f.bits/8; x < f.width; x++ {
		var pixel uint32
		for i, b := range row[x*step : (x+1)*step] {
			pixel |= uint32(b) << (8 * i)
		}
		for c, m := range f.masks {
			dst[3*x+c] = uint8(((pixel & m) >> shift[c]) * 255 / most[c])
		}
	}
}

// runs decodes run-length coding to indices, in the order of the file. What is
// skipped is 0, and so is what comes after the end of the bitmap; what reaches
// over a row is dropped.
func (f *bmpFile) runs(indices []uint8) error {
	data, x, y := f.data, 0, 0
	put := func(v uint8) {
		if x < f.width {
			indices[y*f.width+x] = v
		}
		x++
	}
	perByte := 8 / f.bits
	nibble := func(b uint8, i int) uint8 {
		if perByte == 1 {
			return b
		}
		return b >> (4 * (1 - i%2)) & 15
	}
	for y < f.height && y*f.width+x < len(indices) {
		if len(data) < 2 {
			return io.ErrUnexpectedEOF
		}
		n, v := int(data[0]), data[1]
		data = data[2:]
		switch {
		case n > 0:
			for i := range n {
				put(nibble(v, i))
			}
		case v == 0: // end of the row
			x, y = 0, y+1
		case v == 1: // end of the bitmap
			return nil
		case v == 2: // on by columns and rows
			if len(data) < 2 {
				return io.ErrUnexpectedEOF
			}
			x, y = x+int(data[0]), y+int(data[1])
			if x > f.width {
				return errors.New("run-length coding leaves the picture")
			}
			data = data[2:]
		default: // single pixels, padded to 16 bits
			size := (int(v) + perByte - 1) / perByte
			if len(data) < size {
				return io.ErrUnexpectedEOF
			}
			for i := range int(v) {
				put(nibble(data[i/perByte], i))
			}
			data = data[min(size+size&1, len(data)):]
		}
	}
	return nil
}
