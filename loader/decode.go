// This file owns the way from the bytes of a picture file to an Image:
// recognition by content, the limits that hold before anything large is
// allocated, and the form of every error. Each format's decoding is in a file
// of its own or in a package of the Go project.

package loader

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
)

// Errors of the decoders that a caller may act on.
var (
	// ErrImageFormat: the bytes start like no format that Decode knows.
	ErrImageFormat = errors.New("not a PNG, JPEG, GIF, BMP, WebP or TIFF image")
	// ErrImageTooLarge: the picture or its file is over DecodeLimits.
	ErrImageTooLarge = errors.New("image too large")
)

// The limits that a zero DecodeLimits stands for.
const (
	// DefaultMaxPixels is the count at which Pillow, too, refuses a picture
	// as a decompression bomb.
	DefaultMaxPixels = 178_956_970
	// DefaultMaxBytes is the size of an encoded file.
	DefaultMaxBytes = 1 << 30
)

// DecodeLimits bounds the memory of a decode. MaxPixels is checked against
// the size that the file's header claims, before any pixel is allocated; a
// decode then holds the file's own bytes and at most about 20 more for each of
// those pixels (16-bit TIFF and interlaced PNG; most files need 4 to 7). Zero
// fields mean the defaults.
type DecodeLimits struct {
	MaxPixels int64 // width*height
	MaxBytes  int64 // of the encoded file
}

func (l DecodeLimits) maxBytes() int64 {
	if l.MaxBytes > 0 {
		return l.MaxBytes
	}
	return DefaultMaxBytes
}

// check accepts a picture's size as its header gives it.
func (l DecodeLimits) check(width, height int) error {
	limit := l.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	if width <= 0 || height <= 0 {
		return fmt.Errorf("empty image: %d x %d pixels", width, height)
	}
	if int64(width) > limit/int64(height) {
		return fmt.Errorf("%w: %d x %d pixels, limit %d", ErrImageTooLarge, width, height, limit)
	}
	return nil
}

// imageFormat is a file format: its name, the prefix that identifies it ('?'
// matches any byte) and its decoder, which gets the whole file.
type imageFormat struct {
	name, magic string
	decode      func(data []byte, limits DecodeLimits) (*Image, error)
}

// magicLen is enough of a file to recognize its format.
const magicLen = 12

func imageFormats() [8]imageFormat {
	return [...]imageFormat{
		{"PNG", "\x89PNG\r\n\x1a\n", decodeWith(png.DecodeConfig, png.Decode)},
		{"JPEG", "\xff\xd8\xff", chosenJPEG},
		{"GIF", "GIF87a", decodeGIF},
		{"GIF", "GIF89a", decodeGIF},
		{"BMP", "BM????\x00\x00\x00\x00", decodeBMP},
		{"WebP", "RIFF????WEBP", decodeWebP},
		{"TIFF", "II*\x00", decodeTIFF},
		{"TIFF", "MM\x00*", decodeTIFF},
	}
}

// sniff finds the format whose magic head starts with.
func sniff(head []byte) (imageFormat, error) {
	if len(head) == 0 {
		return imageFormat{}, fmt.Errorf("%w: empty file", ErrImageFormat)
	}
	for _, f := range imageFormats() {
		if hasMagic(head, f.magic) {
			return f, nil
		}
	}
	return imageFormat{}, ErrImageFormat
}

func hasMagic(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// decodeWith makes a decoder of one that follows the image package's form.
func decodeWith(config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) func([]byte, DecodeLimits) (*Image, error) {
	return func(data []byte, limits DecodeLimits) (*Image, error) {
		c, err := config(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if err := limits.check(c.Width, c.Height); err != nil {
			return nil, err
		}
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return FromGoImage(m), nil
	}
}

// DecodeBytes decodes a whole PNG, JPEG, GIF, BMP, WebP or TIFF file, told
// apart by content, to what Pillow's Image.open(f).convert("RGB") gives: the
// first frame of an animation, no alpha, no colour management, EXIF
// orientation ignored (TIFF's own Orientation tag is applied, as Pillow
// does). The result equals that of Pillow 9.4 with libjpeg-turbo to the byte,
// but for 16-bit grey (see FromGoImage). A file that ends too early, or whose
// size is over limits, is an error. Safe for concurrent use.
func DecodeBytes(data []byte, limits DecodeLimits) (*Image, error) {
	format, err := sniff(data)
	if err == nil && int64(len(data)) > limits.maxBytes() {
		err = fmt.Errorf("%w: file of %d bytes, limit %d", ErrImageTooLarge, len(data), limits.maxBytes())
	}
	var m *Image
	if err == nil {
		m, err = format.run(data, limits)
	}
	if err != nil {
		return nil, fmt.Errorf("loader: image: %w", err)
	}
	return m, nil
}

// Encoded is a picture's file in memory, recognized but not decoded. Reading waits
// for a disk or a network and decoding for a processor, so a program may want
// them in different goroutines.
type Encoded struct {
	name   string
	format imageFormat
	data   []byte
	limits DecodeLimits
}

// ReadImage reads a picture's file up to the end of r. It reads no more than a few
// bytes of something that is not an image. name is for errors, of Decode too.
func ReadImage(r io.Reader, name string, limits DecodeLimits) (*Encoded, error) {
	e := &Encoded{name: name, limits: limits}
	if err := e.read(r, 0); err != nil {
		return nil, e.named(err)
	}
	return e, nil
}

// ReadImageFile is ReadImage of a file; its errors name the file.
func ReadImageFile(path string, limits DecodeLimits) (*Encoded, error) {
	e := &Encoded{name: path, limits: limits}
	if err := e.readFile(path); err != nil {
		return nil, e.named(err)
	}
	return e, nil
}

// Decode decodes the file as DecodeBytes does.
func (e *Encoded) Decode() (*Image, error) {
	m, err := e.format.run(e.data, e.limits)
	if err != nil {
		return nil, e.named(err)
	}
	return m, nil
}

// named says which file an error is about.
func (e *Encoded) named(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) && pe.Path == e.name {
		err = pe.Err
	}
	return fmt.Errorf("loader: %s: %w", e.name, err)
}

// Decode is DecodeBytes of what r holds up to its end. It reads no more than
// a few bytes of something that is not an image.
func Decode(r io.Reader, limits DecodeLimits) (*Image, error) {
	e, err := ReadImage(r, "image", limits)
	if err != nil {
		return nil, err
	}
	return e.Decode()
}

// DecodeFile is DecodeBytes of a file; its errors name the file.
func DecodeFile(path string, limits DecodeLimits) (*Image, error) {
	e, err := ReadImageFile(path, limits)
	if err != nil {
		return nil, err
	}
	return e.Decode()
}

func (e *Encoded) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory")
	}
	return e.read(f, info.Size())
}

// read reads r, of which size bytes are expected (0: unknown).
func (e *Encoded) read(r io.Reader, size int64) error {
	head := make([]byte, magicLen)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if e.format, err = sniff(head[:n]); err != nil {
		return err
	}
	e.data, err = readAll(r, head[:n], size, e.limits.maxBytes())
	return err
}

// readAll returns head and the rest of r: at most limit bytes.
func readAll(r io.Reader, head []byte, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%w: file of %d bytes, limit %d", ErrImageTooLarge, size, limit)
	}
	var buf bytes.Buffer
	buf.Grow(int(max(size, int64(len(head)))) + bytes.MinRead)
	buf.Write(head)
	n, err := buf.ReadFrom(io.LimitReader(r, limit-int64(len(head))+1))
	if err != nil {
		return nil, err
	}
	if n+int64(len(head)) > limit {
		return nil, fmt.Errorf("%w: file of more than %d bytes", ErrImageTooLarge, limit)
	}
	return buf.Bytes(), nil
}

// run decodes a whole file. It turns a panic into an error: the decoders are
// other people's code, fed with files of unknown origin, and one that indexes
// out of range on some malformed file must cost that file, not the program.
func (f imageFormat) run(data []byte, limits DecodeLimits) (m *Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%s: malformed file: decoder failed: %v", f.name, p)
		}
	}()
	m, err = f.decode(data, limits)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("truncated file: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return m, nil
}
