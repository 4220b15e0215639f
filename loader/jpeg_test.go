package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// jpegSegment is a marker with its segment; data follows the one of a scan.
type jpegSegment struct {
	marker     uint8
	body, data []byte
}

// splitJPEG cuts a baseline file of one scan into segments.
func splitJPEG(t *testing.T, name string) []jpegSegment {
	t.Helper()
	file, err := os.ReadFile("testdata/preproc/cases/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var segments []jpegSegment
	for pos := 2; ; {
		n := int(binary.BigEndian.Uint16(file[pos+2:]))
		s := jpegSegment{marker: file[pos+1], body: file[pos+4 : pos+2+n]}
		pos += 2 + n
		if s.marker == jpegSOS {
			s.data = file[pos : len(file)-2]
			return append(segments, s)
		}
		segments = append(segments, s)
	}
}

func joinJPEG(segments []jpegSegment) []byte {
	file := []byte{0xff, 0xd8}
	for _, s := range segments {
		file = append(file, 0xff, s.marker)
		file = binary.BigEndian.AppendUint16(file, uint16(len(s.body)+2))
		file = append(append(file, s.body...), s.data...)
	}
	return append(file, 0xff, jpegEOI)
}

// with is segments with every one of a marker changed by edit, which may
// return none or several.
func with(segments []jpegSegment, marker uint8, edit func(s jpegSegment) []jpegSegment) []byte {
	var out []jpegSegment
	for _, s := range segments {
		if s.marker == marker {
			out = append(out, edit(s)...)
		} else {
			out = append(out, s)
		}
	}
	return joinJPEG(out)
}

func without(jpegSegment) []jpegSegment { return nil }

// edited changes one byte of a segment's body.
func edited(at int, v uint8) func(jpegSegment) []jpegSegment {
	return func(s jpegSegment) []jpegSegment {
		s.body = bytes.Clone(s.body)
		s.body[at] = v
		return []jpegSegment{s}
	}
}

func TestJPEGMalformed(t *testing.T) {
	plain, restarts := splitJPEG(t, "jpeg_420.jpg"), splitJPEG(t, "jpeg_restart.jpg")
	if _, err := DecodeBytes(joinJPEG(plain), DecodeLimits{}); err != nil {
		t.Fatal(err)
	}
	twice := func(s jpegSegment) []jpegSegment { return []jpegSegment{s, s} }
	scanData := func(edit func(data []byte) []byte) func(jpegSegment) []jpegSegment {
		return func(s jpegSegment) []jpegSegment {
			s.data = edit(bytes.Clone(s.data))
			return []jpegSegment{s}
		}
	}
	overfull := func(s jpegSegment) []jpegSegment {
		s.body = bytes.Clone(s.body)
		copy(s.body[1:], append([]byte{uint8(len(s.body) - 17)}, make([]byte, 15)...))
		return []jpegSegment{s}
	}
	longRuns := func(s jpegSegment) []jpegSegment {
		if s.body[0]>>4 == 1 { // AC: every code is for 15 zeros and a value
			s.body = append(bytes.Clone(s.body[:17]), bytes.Repeat([]byte{0xf1}, len(s.body)-17)...)
		}
		return []jpegSegment{s}
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"two frames":            {with(plain, jpegSOF0, twice), "more than one frame"},
		"no frame":              {with(plain, jpegSOF0, without), "scan before the frame"},
		"no scan":               {with(plain, jpegSOS, without), "no scan"},
		"no Huffman tables":     {with(splitJPEG(t, "jpeg_420_prog.jpg"), jpegDHT, without), "without its Huffman table"},
		"no quantization":       {with(plain, jpegDQT, without), "no quantization table"},
		"12 bits":               {with(plain, jpegSOF0, edited(0, 12)), "precision: 12"},
		"no rows":               {with(plain, jpegSOF0, func(s jpegSegment) []jpegSegment { return edited(2, 0)(edited(1, 0)(s)[0]) }), "empty image"},
		"two components":        {with(plain, jpegSOF0, edited(5, 2)), "components: 2"},
		"sampling factor 0":     {with(plain, jpegSOF0, edited(7, 0x01)), "bad component"},
		"sampling factor 5":     {with(plain, jpegSOF0, edited(7, 0x51)), "bad component"},
		"sampling 3 of 2":       {with(plain, jpegSOF0, func(s jpegSegment) []jpegSegment { return edited(7, 0x31)(edited(10, 0x21)(s)[0]) }), "fractional"},
		"arithmetic coding":     {with(plain, jpegSOF0, func(s jpegSegment) []jpegSegment { s.marker = 0xc9; return []jpegSegment{s} }), "SOF9"},
		"too many blocks":       {with(plain, jpegSOF0, edited(7, 0x44)), "more than 10 blocks"},
		"unknown component":     {with(plain, jpegSOS, edited(1, 99)), "unknown component 99"},
		"component twice":       {with(plain, jpegSOS, edited(3, 1)), "twice"},
		"table 7":               {with(plain, jpegSOS, edited(2, 0x70)), "bad table number"},
		"quantization table 9":  {with(plain, jpegDQT, edited(0, 9)), "bad quantization table"},
		"Huffman overfull":      {with(plain, jpegDHT, overfull), "too many codes"},
		"Huffman values absent": {with(plain, jpegDHT, edited(1, 255)), "bad Huffman table"},
		"bad code":              {with(plain, jpegSOS, scanData(func(d []byte) []byte { return bytes.Repeat([]byte{0xff, 0}, len(d)) })), "bad Huffman code"},
		"run over the block":    {with(plain, jpegDHT, longRuns), "bad Huffman code"},
		"Huffman table 9":       {with(plain, jpegDHT, edited(0, 9)), "bad Huffman table"},
		"scan cut":              {with(plain, jpegSOS, scanData(func(d []byte) []byte { return d[:len(d)/2] })), "scan ends early"},
		"restart marker absent": {with(restarts, jpegDRI, edited(1, 2)), "restart marker"},
		"restart out of order":  {with(restarts, jpegSOS, scanData(func(d []byte) []byte { return bytes.Replace(d, []byte{0xff, 0xd1}, []byte{0xff, 0xd5}, 1) })), "missing restart marker"},
		"endless scans":         {joinJPEG(append(slices.Clone(plain), slices.Repeat(plain[len(plain)-1:], maxScans)...)), "more than 500 scans"},
	} {
		if _, err := DecodeBytes(c.file, DecodeLimits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestJPEGComponentWithoutScan(t *testing.T) {
	segments := splitJPEG(t, "jpeg_grey.jpg")
	file := with(segments, jpegSOF0, func(s jpegSegment) []jpegSegment {
		s.body = append(bytes.Clone(s.body), 2, 0x11, 0, 3, 0x11, 0)
		s.body[5] = 3
		return []jpegSegment{s}
	})
	if _, err := DecodeBytes(file, DecodeLimits{}); err == nil || !strings.Contains(err.Error(), "component 2 has no scan") {
		t.Errorf("%v", err)
	}
}

// Every cut of a file is an error, as it is in Pillow; one that ends after all
// pixels but before the end marker, too.
func TestJPEGTruncatedAnywhere(t *testing.T) {
	for _, name := range []string{"jpeg_420.jpg", "jpeg_420_prog.jpg", "jpeg_restart.jpg"} {
		data, err := os.ReadFile("testdata/preproc/cases/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for n := 3; n < len(data); n += 7 {
			if _, err := DecodeBytes(data[:n], DecodeLimits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
		if _, err := DecodeBytes(data[:len(data)-1], DecodeLimits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s without its last byte: %v", name, err)
		}
	}
}

// Extra bytes, fill bytes and parameterless markers between segments are
// skipped, and so is what follows the end marker.
func TestJPEGTolerates(t *testing.T) {
	segments := splitJPEG(t, "jpeg_420.jpg")
	file := joinJPEG(segments)
	want, err := DecodeBytes(file, DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	loose := append([]byte{0xff, 0xd8, 0xff, 0xff, 0xff, 0x01, 7, 8, 0xff, 0xd3, 0xff, 0}, file[2:]...)
	got, err := DecodeBytes(append(loose, "trailing"...), DecodeLimits{})
	if err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("%v", err)
	}
}

// Cameras leave out the tables that the standard proposes; jpeg_420.jpg has these.
func TestJPEGWithoutHuffmanTables(t *testing.T) {
	segments := splitJPEG(t, "jpeg_420.jpg")
	want, err := DecodeBytes(joinJPEG(segments), DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeBytes(with(segments, jpegDHT, without), DecodeLimits{})
	if err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("%v, or other pixels", err)
	}
}

// The markers that say which colours a file holds, in libjpeg's order of trust.
func TestJPEGColorMarkers(t *testing.T) {
	segments := splitJPEG(t, "jpeg_420.jpg") // JFIF, YCbCr
	adobe := func(transform uint8) jpegSegment {
		return jpegSegment{marker: jpegAPP14, body: append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), transform)}
	}
	letters := func(file []byte) []byte {
		for i, letter := range []byte("RGB") {
			frame := bytes.Index(file, []byte{0xff, jpegSOF0}) + 10
			scan := bytes.Index(file, []byte{0xff, jpegSOS}) + 5
			file[frame+3*i], file[scan+2*i] = letter, letter
		}
		return file
	}
	bare := slices.DeleteFunc(slices.Clone(segments), func(s jpegSegment) bool { return s.marker == jpegAPP0 })
	ycc, err := DecodeBytes(joinJPEG(segments), DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file  []byte
		isYCC bool
	}{
		"JFIF and Adobe RGB":   {joinJPEG(append([]jpegSegment{adobe(0)}, segments...)), true},
		"JFIF and letters":     {letters(joinJPEG(segments)), true},
		"Adobe RGB":            {joinJPEG(append([]jpegSegment{adobe(0)}, bare...)), false},
		"Adobe YCC":            {joinJPEG(append([]jpegSegment{adobe(1)}, bare...)), true},
		"Adobe YCC and letter": {letters(joinJPEG(append([]jpegSegment{adobe(1)}, bare...))), true},
		"letters":              {letters(joinJPEG(bare)), false},
		"nothing":              {joinJPEG(bare), true},
	} {
		m, err := DecodeBytes(c.file, DecodeLimits{})
		if err != nil || bytes.Equal(m.Pix, ycc.Pix) != c.isYCC {
			t.Errorf("%s: YCbCr %v, want %v: %v", name, !c.isYCC, c.isYCC, err)
		}
	}
}

// A component keeps the quantization table that it had at its first scan.
func TestJPEGTableReplacedBetweenScans(t *testing.T) {
	file, err := os.ReadFile("testdata/preproc/cases/jpeg_420_prog.jpg")
	if err != nil {
		t.Fatal(err)
	}
	want, err := DecodeBytes(file, DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(file, []byte{0xff, jpegSOS})
	table := append([]byte{0xff, jpegDQT, 0, 67, 0}, bytes.Repeat([]byte{1}, 64)...)
	got, err := DecodeBytes(slices.Concat(file[:last], table, file[last:]), DecodeLimits{})
	if err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("another picture: %v", err)
	}
}

// The transform is within one level of the exact one, whatever its input.
func TestInverseDCTIsAccurate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var block [64]int32
		for range 1 + rng.IntN(64) {
			block[rng.IntN(64)] = rng.Int32N(401) - 200
		}
		exact := exactInverseDCT(&block)
		if block[0]%8 == 0 { // also where only the first is left
			flat := make([]uint8, 64)
			flatBlock(flat, 8, block[0])
			only := [64]int32{block[0]}
			full := make([]uint8, 64)
			inverseDCT(full, 8, &only)
			if !bytes.Equal(flat, full) {
				t.Fatalf("flat block of %d: %d, want %d", block[0], flat[0], full[0])
			}
		}
		got := make([]uint8, 64)
		inverseDCT(got, 8, &block)
		for i, v := range got {
			if d := float64(v) - min(max(exact[i], 0), 255); math.Abs(d) > 1 {
				t.Fatalf("sample %d: %d, exactly %.3f", i, v, exact[i])
			}
		}
	}
}

// exactInverseDCT is T.81 A.3.3 with the level shift, in float64.
func exactInverseDCT(block *[64]int32) (out [64]float64) {
	scale := func(u int) float64 {
		if u == 0 {
			return math.Sqrt(0.5)
		}
		return 1
	}
	for i := range out {
		x, y := float64(i%8), float64(i/8)
		sum := 0.0
		for j, c := range block {
			u, v := j%8, j/8
			sum += scale(u) * scale(v) * float64(c) * math.Cos((2*x+1)*float64(u)*math.Pi/16) * math.Cos((2*y+1)*float64(v)*math.Pi/16)
		}
		out[i] = sum/4 + 128
	}
	return out
}
