package loader_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// smallest returns one small file of each format by its extension.
func smallest(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"png_palette4.png", "jpeg_420.jpg", "jpeg_420_prog.jpg", "gif_plain.gif", "bmp_24.bmp", "bmp_rle8.bmp", "bmp_rle4.bmp", "bmp_565.bmp", "webp_lossy.webp", "webp_lossless.webp", "webp_animated.webp", "tiff_lzw.tif", "tiff_raw.tif"} {
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

// The canvas of an animation counts, not only its first frame.
func TestDecodeLimitsCanvas(t *testing.T) {
	for _, file := range []string{"webp_animated_offset.webp", "gif_offset.gif"} {
		m := decodePicture(t, preproc+"/cases/"+file)
		limits := loader.DecodeLimits{MaxPixels: int64(m.Width*m.Height) - 1}
		if _, err := loader.DecodeFile(preproc+"/cases/"+file, limits); !errors.Is(err, loader.ErrImageTooLarge) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A file whose size is known is refused before it is read.
func TestDecodeFileTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.bmp")
	if err := os.WriteFile(path, []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, loader.DefaultMaxBytes+1); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	_, err := loader.DecodeFile(path, loader.DecodeLimits{})
	if !errors.Is(err, loader.ErrImageTooLarge) || !strings.Contains(err.Error(), "file of 1073741825 bytes") {
		t.Errorf("%v", err)
	}
}
