package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestDecoderPanicIsAnError(t *testing.T) {
	f := imageFormat{name: "PNG", decode: func(data []byte, _ DecodeLimits) (*Image, error) {
		return &Image{Pix: data[5:6]}, nil
	}}
	m, err := f.run(nil, DecodeLimits{})
	if m != nil || err == nil || !strings.Contains(err.Error(), "PNG: malformed file") {
		t.Errorf("%v, %v", m, err)
	}
}

func TestDecoderEndOfFileIsTruncation(t *testing.T) {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		f := imageFormat{decode: func([]byte, DecodeLimits) (*Image, error) { return nil, end }}
		if _, err := f.run(nil, DecodeLimits{}); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "truncated file") {
			t.Errorf("%v becomes %v", end, err)
		}
	}
}

// riff makes a chunk.
func riff(id string, body ...byte) []byte {
	chunk := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	chunk = append(chunk, body...)
	return append(chunk, make([]byte, len(body)&1)...)
}

// webpFile makes a file of chunks.
func webpFile(chunks ...[]byte) []byte {
	return riff("RIFF", slices.Concat([]byte("WEBP"), slices.Concat(chunks...))...)
}

func TestWebPContainer(t *testing.T) {
	still, err := os.ReadFile("testdata/preproc/cases/webp_lossy.webp") // 45 x 37
	if err != nil {
		t.Fatal(err)
	}
	want, err := DecodeBytes(still, DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	image := still[12:] // its VP8 chunk
	header := func(flags, w, h byte) []byte { return riff("VP8X", flags, 0, 0, 0, w-1, 0, 0, h-1, 0, 0) }
	frame := func(x, y, w, h byte, chunks ...byte) []byte {
		return riff("ANMF", append([]byte{x / 2, 0, 0, y / 2, 0, 0, w - 1, 0, 0, h - 1, 0, 0, 9, 0, 0, 0}, chunks...)...)
	}
	for name, c := range map[string]struct {
		file []byte
		want string // of the error; empty: the same picture
	}{
		"extended":              {webpFile(header(0, 45, 37), image), ""},
		"chunks before":         {webpFile(header(0, 45, 37), riff("ICCP", 1, 2, 3), riff("ALPH", 1), image), ""},
		"bytes after":           {append(bytes.Clone(still), 1, 2, 3), ""},
		"animation":             {webpFile(header(2, 45, 37), riff("ANIM", 0, 0, 0, 0, 0, 0), frame(0, 0, 45, 37, image...)), ""},
		"other size than VP8X":  {webpFile(header(0, 46, 37), image), "container says 46 x 37"},
		"other size than ANMF":  {webpFile(header(2, 60, 60), frame(0, 0, 44, 37, image...)), "container says 44 x 37"},
		"frame over the canvas": {webpFile(header(2, 45, 37), frame(2, 0, 45, 37, image...)), "larger than the canvas"},
		"frame of a still":      {webpFile(header(0, 45, 37), frame(0, 0, 45, 37, image...)), "bad ANMF"},
		"frame too short":       {webpFile(header(2, 45, 37), riff("ANMF", 1, 2, 3)), "bad ANMF"},
		"no place for a frame":  {webpFile(header(2, 45, 37), image), "frame of no place"},
		"short VP8X":            {webpFile(riff("VP8X", 1, 2, 3), image), "short VP8X"},
		"no frame":              {webpFile(header(0, 45, 37)), "no frame"},
		"no chunk":              {webpFile(), "no frame"},
		"bad size":              {append([]byte("RIFF\x00\x00\x00\x00WEBP"), image...), "bad file size"},
		"chunk over the end":    {webpFile([]byte("VP8 \xff\xff\x00\x00")), "truncated"},
		"cut":                   {still[:len(still)-2], "truncated"},
	} {
		m, err := DecodeBytes(c.file, DecodeLimits{})
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case !bytes.Equal(m.Pix, want.Pix):
			t.Errorf("%s: another picture", name)
		}
	}
}

func TestGIFMalformed(t *testing.T) {
	const screen = "GIF89a\x02\x00\x02\x00\x00\x00\x00"
	const descriptor = ",\x00\x00\x00\x00\x02\x00\x02\x00\x00"
	for name, c := range map[string]struct{ file, want string }{
		"no image":          {screen + ";", "no image"},
		"nothing":           {screen, "truncated"},
		"cut palette":       {"GIF89a\x02\x00\x02\x00\x80\x00\x00abc", "truncated"},
		"cut extension":     {screen + "!\xf9\x04ab", "truncated"},
		"cut descriptor":    {screen + ",\x00\x00", "truncated"},
		"cut local palette": {screen + descriptor[:9] + "\x80abc", "truncated"},
		"no data":           {screen + descriptor + "\x02", "truncated"},
		"data too short":    {screen + descriptor + "\x02\x01\x84\x00", "truncated"},
		"bad code width":    {screen + descriptor + "\x0c\x01\x84\x00", "litWidth"},
		"no pixels":         {"GIF89a\x00\x00\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00", "empty image"},
	} {
		if _, err := DecodeBytes([]byte(c.file), DecodeLimits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
