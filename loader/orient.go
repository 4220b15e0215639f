// This file owns EXIF orientation: which of the eight ways a camera was held,
// where each file format keeps that, and turning a picture upright as Pillow's
// ImageOps.exif_transpose does.
// Formats: CIPA DC-008 (EXIF) 4.5.4 and 4.6.5, PNG 1.5 extensions (eXIf), the
// WebP container.

package loader

import (
	"bytes"
	"encoding/binary"
)

// Orientation returns how the file says that the picture was taken: 2 to 8 are
// EXIF's turns and mirrorings, which Oriented takes back; 1 is upright, and what
// a file without that field, or with a damaged one, gives. A TIFF file is
// turned by Decode already and gives 1.
func (e *Encoded) Orientation() int {
	var exif []byte
	switch e.format.name {
	case "JPEG":
		exif = jpegEXIF(e.data)
	case "PNG":
		exif = pngEXIF(e.data)
	case "WebP":
		exif = webpEXIF(e.data)
	}
	exif = bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
	if len(exif) < 8 {
		return 1
	}
	if magic := string(exif[:4]); magic != "II*\x00" && magic != "MM\x00*" {
		return 1
	}
	tags, _ := tiffNumbers(exif) // what a damaged directory holds before the damage counts
	if o := tags[tiffOrientation]; o >= 2 && o <= 8 {
		return int(o)
	}
	return 1
}

// jpegEXIF returns the body of the first APP1 segment with EXIF in it.
func jpegEXIF(data []byte) []byte {
	const app1 = 0xe1
	for marker, body := range jpegSegments(data) {
		if marker == app1 && bytes.HasPrefix(body, []byte("Exif\x00")) {
			return body
		}
	}
	return nil
}

// pngEXIF returns the body of the eXIf chunk, which may be anywhere.
func pngEXIF(data []byte) []byte {
	for data = data[8:]; len(data) >= 12; {
		n := int64(binary.BigEndian.Uint32(data))
		if n > int64(len(data)-12) {
			return nil
		}
		if string(data[4:8]) == "eXIf" {
			return data[8 : 8+n]
		}
		data = data[12+n:]
	}
	return nil
}

// webpEXIF returns the body of the EXIF chunk.
func webpEXIF(data []byte) []byte {
	if len(data) < 12 {
		return nil
	}
	for chunks := data[12:]; ; {
		id, body, rest, err := riffChunk(chunks)
		if err != nil || id == "EXIF" {
			return body
		}
		chunks = rest
	}
}

// Oriented turns a picture stored with an EXIF or TIFF orientation (2 to 8;
// anything else counts as 1) upright. The result may be m itself.
func (m *Image) Oriented(orientation int) *Image {
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
