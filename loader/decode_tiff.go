// This file owns what a TIFF needs beyond golang.org/x/image/tiff: the
// Orientation tag, which Pillow applies to TIFF files, the sense of black in
// fax compression, and the refusal of two layouts that the package would
// silently read as noise.
// Format: TIFF 6.0, section 2 (file structure) and 8 (baseline fields).

package loader

import (
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/image/tiff"
)

const (
	tiffCompression  = 259
	tiffPhotometric  = 262
	tiffFillOrder    = 266
	tiffOrientation  = 274
	tiffSamples      = 277
	tiffPlanarConfig = 284
)

func decodeTIFF(data []byte, limits DecodeLimits) (*Image, error) {
	tags, err := tiffShorts(data)
	if err != nil {
		return nil, err
	}
	if tags[tiffPlanarConfig] == 2 && tags[tiffSamples] > 1 {
		return nil, errors.New("unsupported feature: separate planes")
	}
	fax := tags[tiffCompression] >= 2 && tags[tiffCompression] <= 4
	if tags[tiffFillOrder] == 2 && !fax {
		return nil, errors.New("unsupported feature: reversed bit order")
	}
	m, err := decodeWith(tiff.DecodeConfig, tiff.Decode)(data, limits)
	if err != nil {
		return nil, err
	}
	if fax && tags[tiffPhotometric] == 1 {
		// A white run is 0 in the data (TIFF 6.0 section 11), which is black
		// when BlackIsZero; the package shows it white in either case.
		for i, v := range m.Pix {
			m.Pix[i] = 255 - v
		}
	}
	return m.oriented(tags[tiffOrientation]), nil
}

// tiffShorts returns the fields of the first directory that hold one SHORT.
func tiffShorts(data []byte) (map[uint16]uint16, error) {
	const (
		entryLen  = 12
		typeShort = 3
	)
	if len(data) < 8 {
		return nil, io.ErrUnexpectedEOF
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	offset := int64(order.Uint32(data[4:]))
	if offset+2 > int64(len(data)) {
		return nil, io.ErrUnexpectedEOF
	}
	entries := data[offset+2:]
	tags := make(map[uint16]uint16)
	for range order.Uint16(data[offset:]) {
		if len(entries) < entryLen {
			return nil, io.ErrUnexpectedEOF
		}
		if order.Uint16(entries[2:]) == typeShort && order.Uint32(entries[4:]) == 1 {
			tags[order.Uint16(entries)] = order.Uint16(entries[8:])
		}
		entries = entries[entryLen:]
	}
	return tags, nil
}

// oriented turns a picture stored with a TIFF orientation (1 to 8; anything
// else counts as 1) upright. The result may be m itself.
func (m *Image) oriented(orientation uint16) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	var (
		transposed = orientation >= 5 // stored rows are upright columns
		flipX      = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7
		flipY      = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8
	)
	dst := newImage(m.Width, m.Height)
	if transposed {
		dst = newImage(m.Height, m.Width)
	}
	i := 0
	for y := range dst.Height {
		for x := range dst.Width {
			sx, sy := x, y
			if flipX {
				sx = dst.Width - 1 - x
			}
			if flipY {
				sy = dst.Height - 1 - y
			}
			if transposed {
				sx, sy = sy, sx
			}
			s := (sy*m.Width + sx) * 3
			i += copy(dst.Pix[i:], m.Pix[s:s+3])
		}
	}
	return dst
}
