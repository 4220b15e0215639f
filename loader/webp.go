// This file owns WebP: the container, of which only the first frame's colour
// is read (alpha is dropped anyway), and libwebp's conversion of lossy frames
// to RGB. golang.org/x/image decodes the VP8 and VP8L bitstreams; its webp
// package is not used because it knows no animation and because a lossy frame
// is limited-range BT.601, which an image.YCbCr is not.
// Container: https://developers.google.com/speed/webp/docs/riff_container

package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// webpFrame is the first frame of a file. A still picture fills its canvas.
type webpFrame struct {
	canvasWidth, canvasHeight int // 0 when the file does not say (no VP8X)
	animated                  bool
	x, y, width, height       int // of an animation's frame
	lossless                  bool
	bitstream                 []byte
}

func decodeWebP(data []byte, limits DecodeLimits) (*Image, error) {
	f, err := parseWebP(data)
	if err != nil {
		return nil, err
	}
	if f.canvasWidth > 0 {
		if err := limits.check(f.canvasWidth, f.canvasHeight); err != nil {
			return nil, err
		}
	}
	m, err := f.decode(limits)
	if err != nil || !f.animated {
		return m, err
	}
	if m.Width == f.canvasWidth && m.Height == f.canvasHeight {
		return m, nil
	}
	// The canvas of an animation starts black (and transparent).
	canvas := newImage(f.canvasWidth, f.canvasHeight)
	for y := range m.Height {
		copy(canvas.row(f.y + y)[f.x*3:], m.row(y))
	}
	return canvas, nil
}

// parseWebP finds the first frame's bitstream.
func parseWebP(data []byte) (*webpFrame, error) {
	const animationFlag = 1 << 1
	if len(data) < 12 {
		return nil, io.ErrUnexpectedEOF
	}
	size := int64(binary.LittleEndian.Uint32(data[4:]))
	if size+8 > int64(len(data)) {
		return nil, io.ErrUnexpectedEOF
	}
	if size < 4 {
		return nil, errors.New("bad file size")
	}
	f := &webpFrame{}
	chunks := data[12 : 8+size]
	for {
		id, body, rest, err := riffChunk(chunks)
		if err != nil {
			return nil, err
		}
		switch id {
		case "VP8X":
			if len(body) < 10 {
				return nil, errors.New("short VP8X chunk")
			}
			f.animated = body[0]&animationFlag != 0
			f.canvasWidth, f.canvasHeight = 1+uint24(body[4:]), 1+uint24(body[7:])
		case "ANMF":
			if !f.animated || len(body) < 16 {
				return nil, errors.New("bad ANMF chunk")
			}
			f.x, f.y = 2*uint24(body), 2*uint24(body[3:])
			f.width, f.height = 1+uint24(body[6:]), 1+uint24(body[9:])
			if f.x+f.width > f.canvasWidth || f.y+f.height > f.canvasHeight {
				return nil, errors.New("frame larger than the canvas")
			}
			rest = body[16:] // the frame's own chunks
		case "VP8 ", "VP8L":
			if f.animated && f.width == 0 {
				return nil, errors.New("animation with a frame of no place")
			}
			f.lossless, f.bitstream = id == "VP8L", body
			return f, nil
		}
		chunks = rest
	}
}

// riffChunk splits the first chunk off data.
func riffChunk(data []byte) (id string, body, rest []byte, err error) {
	if len(data) < 8 {
		return "", nil, nil, errors.New("no frame in the file")
	}
	n := int64(binary.LittleEndian.Uint32(data[4:]))
	if n > int64(len(data)-8) {
		return "", nil, nil, io.ErrUnexpectedEOF
	}
	padded := min(n+n&1, int64(len(data)-8))
	return string(data[:4]), data[8 : 8+n], data[8+padded:], nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// decode brings the frame, not yet on its canvas, to RGB.
func (f *webpFrame) decode(limits DecodeLimits) (*Image, error) {
	if f.lossless {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.bitstream))
		if err == nil {
			err = f.checkSize(c.Width, c.Height, limits)
		}
		if err != nil {
			return nil, err
		}
		img, err := vp8l.Decode(bytes.NewReader(f.bitstream))
		if err != nil {
			return nil, err
		}
		return FromGoImage(img), nil
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.bitstream), len(f.bitstream))
	h, err := d.DecodeFrameHeader()
	if err == nil {
		err = f.checkSize(h.Width, h.Height, limits)
	}
	if err != nil {
		return nil, err
	}
	img, err := d.DecodeFrame()
	if err != nil {
		return nil, err
	}
	return limitedRangeRGB(img), nil
}

// checkSize compares the bitstream's size with the limits and the container.
func (f *webpFrame) checkSize(width, height int, limits DecodeLimits) error {
	if err := limits.check(width, height); err != nil {
		return err
	}
	wantWidth, wantHeight := f.canvasWidth, f.canvasHeight
	if f.animated {
		wantWidth, wantHeight = f.width, f.height
	}
	if wantWidth > 0 && (width != wantWidth || height != wantHeight) {
		return fmt.Errorf("frame of %d x %d pixels, container says %d x %d", width, height, wantWidth, wantHeight)
	}
	return nil
}

// limitedRangeRGB converts a lossy frame, 4:2:0, as libwebp does.
func limitedRangeRGB(img *image.YCbCr) *Image {
	return planarOf(img).toRGB(webpUpsampling, rowLimitedRange)
}

func webpUpsampling(c *component) upsampler {
	if c.hRatio == 1 {
		return fullSize
	}
	return upsampleH2V2(8)
}

// rowLimitedRange is VP8YuvToRgb of libwebp's dsp/yuv.h: BT.601 with luma in
// 16..235, 14-bit factors applied in two roundings.
func rowLimitedRange(rgb []uint8, c *[4][]uint8) {
	luma := c[0]
	blue, red := c[1][:len(luma)], c[2][:len(luma)]
	for x, l := range luma {
		y, u, v := int32(l)*19077>>8, int32(blue[x]), int32(red[x])
		d := rgb[3*x : 3*x+3 : 3*x+3]
		d[0] = clampByte((y + v*26149>>8 - 14234) >> 6)
		d[1] = clampByte((y - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		d[2] = clampByte((y + u*33050>>8 - 17685) >> 6)
	}
}
