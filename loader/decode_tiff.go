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
	tags, err := tiffNumbers(data)
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
	return m.Oriented(int(tags[tiffOrientation])), nil
}

// tiffNumbers returns the fields of the first directory that hold one SHORT or
// one LONG. Where the directory is damaged, it returns what comes before too.
func tiffNumbers(data []byte) (map[uint16]uint32, error) {
	const (
		entryLen  = 12
		typeShort = 3
		typeLong  = 4
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
	tags := make(map[uint16]uint32)
	for range order.Uint16(data[offset:]) {
		if len(entries) < entryLen {
			return tags, io.ErrUnexpectedEOF
		}
		if tag := order.Uint16(entries); order.Uint32(entries[4:]) == 1 {
			switch order.Uint16(entries[2:]) {
			case typeShort:
				tags[tag] = uint32(order.Uint16(entries[8:]))
			case typeLong:
				tags[tag] = order.Uint32(entries[8:])
			}
		}
		entries = entries[entryLen:]
	}
	return tags, nil
}
