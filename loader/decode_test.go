package loader_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

const preproc = "testdata/preproc"

// decodePicture decodes a file that must decode.
func decodePicture(t testing.TB, path string) *loader.Image {
	t.Helper()
	m, err := loader.DecodeFile(path, loader.DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// difference is the largest and the mean difference of two pictures' samples;
// infinite when they differ in size.
func difference(a, b *loader.Image) (largest int, mean float64) {
	if a.Width != b.Width || a.Height != b.Height || len(a.Pix) != len(b.Pix) {
		return math.MaxInt, math.Inf(1)
	}
	sum := 0
	for i := range a.Pix {
		d := int(a.Pix[i]) - int(b.Pix[i])
		d = max(d, -d)
		largest = max(largest, d)
		sum += d
	}
	return largest, float64(sum) / float64(len(a.Pix))
}

func TestDecodeEqualsPillow(t *testing.T) {
	refs, err := filepath.Glob(preproc + "/cases/*.ref.png")
	if err != nil || len(refs) < 90 {
		t.Fatalf("%d cases: %v", len(refs), err)
	}
	for _, ref := range refs {
		file := strings.TrimSuffix(ref, ".ref.png")
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, want := decodePicture(t, file), decodePicture(t, ref)
			largest, mean := difference(got, want)
			if largest > 0 {
				t.Errorf("%d x %d differs from %d x %d by at most %d, mean %.4f",
					got.Width, got.Height, want.Width, want.Height, largest, mean)
			}
		})
	}
}

// grey16 is a 16-bit grey file as it is stored.
func grey16(t testing.TB, path string) *image.Gray16 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*image.Gray16)
}

func TestDecodeScales16BitGrey(t *testing.T) {
	const path = preproc + "/src/gray16.png"
	got, grey := decodePicture(t, path), grey16(t, path)
	for i := range got.Pix {
		x, y := i/3%got.Width, i/3/got.Width
		if want := uint8(grey.Gray16At(x, y).Y >> 8); got.Pix[i] != want {
			t.Fatalf("pixel %d,%d: %d, want %d", x, y, got.Pix[i], want)
		}
	}
}

func TestDecodeReaderBytesAndFileAgree(t *testing.T) {
	path := preproc + "/src/tiny.png"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := decodePicture(t, path)
	fromBytes, err := loader.DecodeBytes(data, loader.DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	fromReader, err := loader.Decode(io.MultiReader(bytes.NewReader(data[:5]), bytes.NewReader(data[5:])), loader.DecodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*loader.Image{"bytes": fromBytes, "reader": fromReader} {
		if d, _ := difference(got, want); d != 0 {
			t.Errorf("%s: differs by %d", name, d)
		}
	}
}

func TestDecodeIgnoresExtension(t *testing.T) {
	data, err := os.ReadFile(preproc + "/cases/gif_plain.gif")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "picture.jpg")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := decodePicture(t, preproc+"/cases/gif_plain.gif")
	if d, _ := difference(decodePicture(t, path), want); d != 0 {
		t.Errorf("differs by %d", d)
	}
}

// x/image/tiff ignores both fields and would return noise.
func TestDecodeUnsupportedTIFF(t *testing.T) {
	base, err := os.ReadFile(preproc + "/cases/tiff_big_endian.tif")
	if err != nil {
		t.Fatal(err)
	}
	// replace gives the file with the field of tag old made another that
	// keeps the tags ascending.
	replace := func(old, tag, value uint16) []byte {
		data := bytes.Clone(base)
		for i := 10; i < 10+9*12; i += 12 {
			if binary.BigEndian.Uint16(data[i:]) == old {
				field := binary.BigEndian.AppendUint16(nil, tag)
				field = append(field, 0, 3, 0, 0, 0, 1)
				copy(data[i:], binary.BigEndian.AppendUint16(field, value))
			}
		}
		return data
	}
	const compression, fillOrder, planarConfig, stripBytes, photometric = 259, 266, 284, 279, 262
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"separate planes":    {replace(stripBytes, planarConfig, 2), "separate planes"},
		"reversed bit order": {replace(photometric, fillOrder, 2), "bit order"},
		"JPEG inside":        {replace(compression, compression, 7), "compression value 7"},
	} {
		if _, err := loader.DecodeBytes(c.data, loader.DecodeLimits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeConcurrent(t *testing.T) {
	want := decodePicture(t, preproc+"/cases/jpeg_420.jpg")
	results := make(chan *loader.Image)
	for range 8 {
		go func() {
			m, _ := loader.DecodeFile(preproc+"/cases/jpeg_420.jpg", loader.DecodeLimits{})
			results <- m
		}()
	}
	for range 8 {
		if m := <-results; m == nil {
			t.Error("no picture")
		} else if d, _ := difference(m, want); d != 0 {
			t.Errorf("differs by %d", d)
		}
	}
}

// FuzzDecode looks for panics that Decode does not catch, for pictures over
// the limit, and for pictures of the wrong form.
func FuzzDecode(f *testing.F) {
	for _, data := range smallest(f) {
		f.Add(data)
	}
	for _, data := range hugeHeaders() {
		f.Add(data)
	}
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := loader.DecodeBytes(data, loader.DecodeLimits{MaxPixels: limit})
		if err != nil {
			if m != nil {
				t.Error("a picture and an error")
			}
			if strings.Contains(err.Error(), "decoder failed") {
				t.Log(err)
			}
			return
		}
		if m.Width < 1 || m.Height < 1 || m.Width*m.Height > limit || len(m.Pix) != m.Width*m.Height*3 {
			t.Errorf("%d x %d with %d bytes", m.Width, m.Height, len(m.Pix))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"base_420.jpg", "base_444.jpg", "progressive.jpg", "landscape.png", "lossy.webp"} {
		data, err := os.ReadFile(preproc + "/src/" + name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := loader.DecodeBytes(data, loader.DecodeLimits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
