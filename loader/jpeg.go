// This file owns the course of a JPEG file from its bytes to RGB, as
// libjpeg-turbo decodes it for Pillow, bit for bit. image/jpeg serves for none
// of it: it replicates subsampled chroma, which is up to 144 levels off, rounds
// the inverse DCT otherwise, and converts CMYK by itself.
//
// Baseline, extended sequential and progressive Huffman coding with 8 bits and
// 1, 3 or 4 components are decoded. What libjpeg only warns of (damaged codes,
// scans that end early) is an error here.

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxScans keeps a small file from making the decoder go through a large
// picture over and over. Encoders use about 10; libjpeg-turbo's own tools
// stop at this number, too.
const maxScans = 500

func decodeJPEG(data []byte, limits DecodeLimits) (*Image, error) {
	d := &jpegDecoder{data: data, pos: 2, limits: limits}
	if err := d.readSegments(); err != nil {
		return nil, err
	}
	p := &planar{width: d.width, height: d.height}
	for i := range d.components {
		c := &d.components[i]
		if !c.scanned {
			return nil, fmt.Errorf("component %d has no scan", c.id)
		}
		if d.progressive {
			c.finishProgressive()
			c.coeffs = nil
		}
		p.components = append(p.components, component{
			plane:  plane{c.pix, c.wide * 8, c.width, c.height},
			hRatio: d.hMax / c.h, vRatio: d.vMax / c.v,
		})
	}
	return p.toRGB(jpegUpsampling, d.color()), nil
}

// readSegments goes through the file up to its end marker.
func (d *jpegDecoder) readSegments() error {
	scans := 0
	for {
		marker, body, err := d.nextSegment()
		switch {
		case err != nil:
			return err
		case marker == jpegEOI && scans == 0:
			return errors.New("no scan in the file")
		case marker == jpegEOI:
			return nil
		case marker != jpegSOS:
			err = d.segment(marker, body)
		default:
			if scans++; scans > maxScans {
				err = fmt.Errorf("more than %d scans", maxScans)
			} else {
				err = d.scan(body)
			}
		}
		if err != nil {
			return err
		}
	}
}

// nextSegment goes to the end of the next segment, or of the end marker, which
// has no body.
func (d *jpegDecoder) nextSegment() (marker uint8, body []byte, err error) {
	for marker <= 1 || jpegRST0 <= marker && marker <= jpegRST7 { // no segment
		if marker, err = d.nextMarker(); err != nil || marker == jpegEOI {
			return marker, nil, err
		}
	}
	if len(d.data)-d.pos < 2 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	n := int(binary.BigEndian.Uint16(d.data[d.pos:]))
	if n < 2 {
		return 0, nil, errors.New("short segment")
	}
	if len(d.data)-d.pos < n {
		return 0, nil, io.ErrUnexpectedEOF
	}
	body = d.data[d.pos+2 : d.pos+n]
	d.pos += n
	return marker, body, nil
}

// jpegSegments yields the segments of a file up to the first scan's header, or
// to what is damaged.
func jpegSegments(data []byte) iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		d := &jpegDecoder{data: data, pos: 2}
		for {
			marker, body, err := d.nextSegment()
			if err != nil || marker == jpegEOI || !yield(marker, body) || marker == jpegSOS {
				return
			}
		}
	}
}

// nextMarker finds the next marker. Bytes before it are skipped.
func (d *jpegDecoder) nextMarker() (uint8, error) {
	for ; d.pos+1 < len(d.data); d.pos++ {
		if d.data[d.pos] == 0xff && d.data[d.pos+1] != 0xff {
			marker := d.data[d.pos+1]
			d.pos += 2
			return marker, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
