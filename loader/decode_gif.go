// This file owns the first frame of a GIF. image/gif is not used because it
// replaces the transparent palette entry by black, while Pillow's
// convert("RGB") shows the colour that the file gives, and because it refuses
// frames that reach over the logical screen, which Pillow enlarges.
// Format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt

package loader

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// gifFrame is the first frame of a file on its canvas; colour indices.
type gifFrame struct {
	canvasWidth, canvasHeight int
	x, y, width, height       int
	interlaced                bool
	background                uint8 // index that shows around the frame
	palette                   *[256][3]uint8
	litWidth                  int
	data                      []byte // sub-blocks of the LZW stream
}

func decodeGIF(data []byte, limits DecodeLimits) (*Image, error) {
	f, err := parseGIF(data)
	if err != nil {
		return nil, err
	}
	if err := limits.check(f.canvasWidth, f.canvasHeight); err != nil {
		return nil, err
	}
	canvas := bytes.Repeat([]byte{f.background}, f.canvasWidth*f.canvasHeight)
	if err := f.draw(canvas); err != nil {
		return nil, err
	}
	m := newImage(f.canvasWidth, f.canvasHeight)
	m.fromIndices(canvas, f.canvasWidth, f.palette)
	return m, nil
}

// parseGIF reads up to the pixel data of the first frame.
func parseGIF(data []byte) (*gifFrame, error) {
	const (
		headerLen      = 13
		descriptorLen  = 9
		colorTable     = 0x80
		interlaceFlag  = 0x40
		graphicControl = 0xf9
	)
	if len(data) < headerLen {
		return nil, io.ErrUnexpectedEOF
	}
	f := &gifFrame{
		canvasWidth:  int(binary.LittleEndian.Uint16(data[6:])),
		canvasHeight: int(binary.LittleEndian.Uint16(data[8:])),
		palette:      greyRamp(),
	}
	flags, rest := data[10], data[headerLen:]
	var err error
	if flags&colorTable != 0 {
		if rest, err = f.readPalette(rest, flags); err != nil {
			return nil, err
		}
	}
	for len(rest) > 0 {
		block := rest[0]
		rest = rest[1:]
		switch block {
		case '!':
			if len(rest) < 1 {
				return nil, io.ErrUnexpectedEOF
			}
			label := rest[0]
			body, after, err := gifSubBlocks(rest[1:])
			if err != nil {
				return nil, err
			}
			if label == graphicControl && len(body) >= 4 && body[0]&1 != 0 {
				f.background = body[3]
			}
			rest = after
		case ',':
			if len(rest) < descriptorLen {
				return nil, io.ErrUnexpectedEOF
			}
			f.x = int(binary.LittleEndian.Uint16(rest[0:]))
			f.y = int(binary.LittleEndian.Uint16(rest[2:]))
			f.width = int(binary.LittleEndian.Uint16(rest[4:]))
			f.height = int(binary.LittleEndian.Uint16(rest[6:]))
			f.canvasWidth = max(f.canvasWidth, f.x+f.width)
			f.canvasHeight = max(f.canvasHeight, f.y+f.height)
			flags, rest = rest[8], rest[descriptorLen:]
			f.interlaced = flags&interlaceFlag != 0
			if flags&colorTable != 0 {
				f.palette = greyRamp()
				if rest, err = f.readPalette(rest, flags); err != nil {
					return nil, err
				}
			}
			if len(rest) < 1 {
				return nil, io.ErrUnexpectedEOF
			}
			f.litWidth, f.data = int(rest[0]), rest[1:]
			return f, nil
		case ';':
			return nil, errors.New("no image in the file")
		}
		// Any other byte between blocks is skipped, as Pillow does.
	}
	return nil, io.ErrUnexpectedEOF
}

// greyRamp is the palette of a GIF without one, and what Pillow shows for the
// indices that a short palette does not cover.
func greyRamp() *[256][3]uint8 {
	var p [256][3]uint8
	for i := range p {
		p[i] = [3]uint8{uint8(i), uint8(i), uint8(i)}
	}
	return &p
}

// readPalette takes the colour table that flags describe off the front of data.
func (f *gifFrame) readPalette(data []byte, flags uint8) ([]byte, error) {
	n := 2 << (flags & 7)
	if len(data) < 3*n {
		return nil, io.ErrUnexpectedEOF
	}
	for i := range n {
		f.palette[i] = [3]uint8(data[3*i:])
	}
	return data[3*n:], nil
}

// gifSubBlocks joins the data of the sub-blocks at the front of data and
// returns what follows their terminator.
func gifSubBlocks(data []byte) (body, rest []byte, err error) {
	for {
		if len(data) < 1 {
			return body, nil, io.ErrUnexpectedEOF
		}
		n := int(data[0])
		if n == 0 {
			return body, data[1:], nil
		}
		if len(data) < 1+n {
			return append(body, data[1:]...), nil, io.ErrUnexpectedEOF
		}
		body = append(body, data[1:1+n]...)
		data = data[1+n:]
	}
}

// draw decompresses the frame into canvas. Data after the last pixel, and a
// missing end, are ignored.
func (f *gifFrame) draw(canvas []uint8) error {
	// A stream cut short shows as too few pixels below.
	body, _, _ := gifSubBlocks(f.data)
	r := lzw.NewReader(bytes.NewReader(body), lzw.LSB, f.litWidth)
	defer r.Close()
	for _, pass := range f.passes() {
		for y := pass.first; y < f.height; y += pass.step {
			start := (f.y+y)*f.canvasWidth + f.x
			if _, err := io.ReadFull(r, canvas[start:start+f.width]); err != nil {
				return fmt.Errorf("pixel data: %w", err)
			}
		}
	}
	return nil
}

// gifPass is a run over every step-th row of a frame.
type gifPass struct{ first, step int }

// passes gives the order in which the file stores the rows.
func (f *gifFrame) passes() []gifPass {
	if f.interlaced {
		return []gifPass{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	return []gifPass{{0, 1}}
}
