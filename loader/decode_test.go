package loader_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"io/fs"
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

// smallest returns one small file of each format by its extension.
func smallest(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"png_palette4.png", "jpeg_420.jpg", "jpeg_420_prog.jpg", "gif_plain.gif", "bmp_24.bmp", "webp_lossy.webp", "webp_lossless.webp", "webp_animated.webp", "tiff_lzw.tif", "tiff_raw.tif"} {
		data, err := os.ReadFile(filepath.Join(preproc, "cases", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

func TestDecodeTruncated(t *testing.T) {
	for name, data := range smallest(t) {
		for _, keep := range []int{1, 4, 11, 12, 13, 20, 40, len(data) / 4, len(data) / 2, len(data) * 3 / 4} {
			if m, err := loader.DecodeBytes(data[:keep], loader.DecodeLimits{}); err == nil {
				t.Errorf("%s cut to %d of %d bytes: decoded %d x %d", name, keep, len(data), m.Width, m.Height)
			}
		}
	}
	// Where the format allows to tell, the error says so.
	for _, name := range []string{"gif_plain.gif", "bmp_24.bmp", "webp_lossy.webp"} {
		data := smallest(t)[name]
		_, err := loader.DecodeBytes(data[:len(data)/2], loader.DecodeLimits{})
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%s cut in half: %v", name, err)
		}
	}
}

func TestDecodeNotAnImage(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"empty.png": "", "text.jpg": "this is no picture, but some text", "zeros.gif": string(make([]byte, 100)),
		"riff.webp": "RIFF\x10\x00\x00\x00WAVEfmt xxxxxxxx", "short.png": "\x89PNG",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loader.DecodeFile(path, loader.DecodeLimits{})
		if !errors.Is(err, loader.ErrImageFormat) {
			t.Errorf("%s: %v", name, err)
		} else if !strings.HasPrefix(err.Error(), "loader: "+path+": ") {
			t.Errorf("%s: error does not start with the file: %v", name, err)
		}
	}
	_, err := loader.DecodeFile(filepath.Join(dir, "missing.png"), loader.DecodeLimits{})
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "missing.png") != 1 {
		t.Errorf("missing file: %v", err)
	}
	if _, err := loader.DecodeFile(dir, loader.DecodeLimits{}); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
}

// A reader without end that is no image must not be read to its end.
func TestDecodeReadsLittleOfGarbage(t *testing.T) {
	r := &countingReader{}
	if _, err := loader.Decode(r, loader.DecodeLimits{}); !errors.Is(err, loader.ErrImageFormat) {
		t.Errorf("%v", err)
	}
	if r.n > 64 {
		t.Errorf("read %d bytes", r.n)
	}
	bmp := append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 90)...)
	r = &countingReader{}
	_, err := loader.Decode(io.MultiReader(bytes.NewReader(bmp), r), loader.DecodeLimits{MaxBytes: 10_000})
	if !errors.Is(err, loader.ErrImageTooLarge) {
		t.Errorf("endless BMP: %v", err)
	}
	if r.n > 1<<20 {
		t.Errorf("read %d bytes, limit 10000", r.n)
	}
}

type countingReader struct{ n int }

func (r *countingReader) Read(p []byte) (int, error) {
	r.n += len(p)
	return len(p), nil
}

// hugeHeaders are files that claim 60000 x 60000 pixels (16384 x 16384 in
// WebP) in a few bytes.
func hugeHeaders() map[string][]byte {
	const side = 60000
	le16, le32, be16, be32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32, binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32

	ihdr := append(be32(be32([]byte("IHDR"), side), side), 8, 2, 0, 0, 0)
	pngFile := be32([]byte("\x89PNG\r\n\x1a\n"), uint32(len(ihdr)-4))
	pngFile = be32(append(pngFile, ihdr...), crc32.ChecksumIEEE(ihdr))

	jpegFile := be16(be16([]byte("\xff\xd8\xff\xc0\x00\x11\x08"), side), side)
	jpegFile = append(jpegFile, "\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00"...)

	gifFile := append(le16(le16([]byte("GIF89a"), side), side), 0, 0, 0, ',', 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 0)

	bmpFile := append(le32(le32([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00"), side), side), 1, 0, 24, 0)
	bmpFile = append(bmpFile, make([]byte, 24)...)

	tiffFile := append([]byte("II*\x00\x08\x00\x00\x00"), 3, 0)
	for _, tag := range []uint16{256, 257} {
		tiffFile = le32(le32(le16(le16(tiffFile, tag), 4), 1), side)
	}
	tiffFile = append(le32(le16(le16(tiffFile, 262), 3), 1), 1, 0, 0, 0)
	tiffFile = append(tiffFile, 0, 0, 0, 0)

	lossless := append([]byte("WEBPVP8L\x05\x00\x00\x00\x2f"), 0xff, 0xff, 0xff, 0x0f, 0)
	lossless = append(le32([]byte("RIFF"), uint32(len(lossless))), lossless...)
	extended := append([]byte("WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00"), 0xff, 0xff, 0, 0xff, 0xff, 0)
	extended = append(le32([]byte("RIFF"), uint32(len(extended)+8)), append(extended, "VP8 \x00\x00\x00\x00"...)...)

	return map[string][]byte{"png": pngFile, "jpeg": jpegFile, "gif": gifFile, "bmp": bmpFile, "tiff": tiffFile, "lossless webp": lossless, "extended webp": extended}
}

func TestDecodeHugeHeader(t *testing.T) {
	for name, data := range hugeHeaders() {
		t.Run(name, func(t *testing.T) {
			var err error
			allocated := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for range min(b.N, 1) {
					_, err = loader.DecodeBytes(data, loader.DecodeLimits{})
				}
			}).MemBytes
			if !errors.Is(err, loader.ErrImageTooLarge) {
				t.Errorf("%v", err)
			}
			if allocated > 1<<20 {
				t.Errorf("allocated %d bytes", allocated)
			}
		})
	}
}

func TestDecodeLimits(t *testing.T) {
	for name, data := range smallest(t) {
		full, err := loader.DecodeBytes(data, loader.DecodeLimits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pixels, size := int64(full.Width*full.Height), int64(len(data))
		for _, c := range []struct {
			limits loader.DecodeLimits
			ok     bool
		}{
			{loader.DecodeLimits{MaxPixels: pixels}, true},
			{loader.DecodeLimits{MaxPixels: pixels - 1}, false},
			{loader.DecodeLimits{MaxBytes: size}, true},
			{loader.DecodeLimits{MaxBytes: size - 1}, false},
		} {
			_, errBytes := loader.DecodeBytes(data, c.limits)
			_, errReader := loader.Decode(bytes.NewReader(data), c.limits)
			for _, err := range []error{errBytes, errReader} {
				if (err == nil) != c.ok || err != nil && !errors.Is(err, loader.ErrImageTooLarge) {
					t.Errorf("%s, limits %+v: %v", name, c.limits, err)
				}
			}
		}
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
