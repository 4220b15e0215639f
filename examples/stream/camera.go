package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"math"
	"os"
	"time"

	_ "image/jpeg"
	_ "image/png"

	"github.com/bitgpu/bitgpu"
)

// largestFrame is the most bytes that a JPEG may have.
const largestFrame = 64 << 20

// readMJPEG cuts a stream of JPEG files into frames. They are decoded by whoever runs them.
func readMJPEG(r io.Reader, put func(bitgpu.Input)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, largestFrame)
	s.Split(splitJPEG)
	for s.Scan() {
		data := bytes.Clone(s.Bytes())
		put(bitgpu.Input{Name: "frame", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
	}
	return s.Err()
}

var errNoJPEG = errors.New("standard input is no sequence of JPEG files")

// splitJPEG finds the end of a JPEG (ITU-T T.81, annex B): of segments with a length each, up to the pixels, which
// begin with SOS and have no marker but RST until EOI.
func splitJPEG(data []byte, atEOF bool) (advance int, token []byte, err error) {
	more := func() (int, []byte, error) {
		if atEOF && len(data) > 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	}
	if len(data) < 2 {
		return more()
	}
	if data[0] != 0xFF || data[1] != 0xD8 {
		return 0, nil, errNoJPEG
	}
	for at := 2; at+2 <= len(data); {
		if data[at] != 0xFF { // pixels, after SOS or between progressive scans
			next := bytes.IndexByte(data[at:], 0xFF)
			if next < 0 {
				break
			}
			at += next
			continue
		}
		switch marker := data[at+1]; {
		case marker == 0xD9:
			return at + 2, data[:at+2], nil
		case marker == 0xFF: // fill
			at++
		case marker == 0 || marker >= 0xD0 && marker <= 0xD7: // a byte of pixels, or RST
			at += 2
		case at+4 > len(data):
			return more()
		default:
			at += 2 + int(data[at+2])<<8 + int(data[at+3])
		}
	}
	return more()
}

// pan is a camera for want of one: a window of half the picture's height that goes round in it.
func pan(ctx context.Context, path string, frames, fps int, put func(bitgpu.Input)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	picture, _, err := image.Decode(f)
	if err != nil {
		return err
	}
	part, ok := picture.(interface {
		SubImage(image.Rectangle) image.Image
	})
	if !ok || fps < 1 {
		return errors.New("a picture that has parts, and at least one frame a second, are needed")
	}
	b := picture.Bounds()
	side := min(b.Dx(), b.Dy()) / 2
	ticker := time.NewTicker(time.Second / time.Duration(fps))
	defer ticker.Stop()
	for i := 0; frames == 0 || i < frames; i++ {
		sin, cos := math.Sincos(float64(i) / 30)
		corner := image.Pt(b.Min.X+int((1+cos)/2*float64(b.Dx()-side)), b.Min.Y+int((1+sin)/2*float64(b.Dy()-side)))
		put(bitgpu.Input{Image: part.SubImage(image.Rectangle{corner, corner.Add(image.Pt(side, side))})})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
