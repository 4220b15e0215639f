package loader

// This file owns reading .npy files, NumPy's array format (numpy.lib.format,
// versions 1.0 to 3.0). Writing is in npy_write.go, the header in
// npy_header.go.
//
// Why not a library: the arrays here have shapes that are known at run time
// only, are read and written in pieces, and get their number of rows after the
// last one is written. github.com/sbinet/npyio writes whole arrays, of static
// Go types for more than one dimension.

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/x448/float16"
)

// NPYReader reads rows of an array: the slices along its first dimension. It
// holds the open file and nothing of the data, and is safe for concurrent use.
type NPYReader struct {
	name   string
	src    io.ReaderAt
	closer io.Closer // nil where the source is the caller's
	header npyHeader
	data   int64 // offset of the first element
	rowLen int   // elements of a row
}

// OpenNPY opens a .npy file of F32, F16, F64 or U8 elements in C order. A file
// that breaks the format, is cut short or goes on after the array gives an
// error that wraps ErrCorrupt; a sound one that is not such an array gives one
// that does not. Memory stays small whatever the header says.
func OpenNPY(path string) (*NPYReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("loader: %s: not a regular file", path)
	}
	var r *NPYReader
	if err == nil {
		r, err = NewNPY(f, fi.Size(), path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closer = f
	return r, nil
}

// NewNPY opens an array of size bytes, header included, that src holds; it is
// OpenNPY otherwise. The name stands for it in errors. src stays the caller's.
func NewNPY(src io.ReaderAt, size int64, name string) (*NPYReader, error) {
	h, data, err := readNPYHeader(src, size)
	if err != nil {
		return nil, fmt.Errorf("loader: %s: %w", name, err)
	}
	return &NPYReader{name: name, src: src, header: h, data: data, rowLen: h.rowLen()}, nil
}

// Shape returns the dimensions, the rows first. The slice is the caller's.
func (r *NPYReader) Shape() []int { return slices.Clone(r.header.shape) }

// DType returns the element type: F32, F16, F64 or U8.
func (r *NPYReader) DType() DType { return r.header.dtype }

// Rows returns the first dimension.
func (r *NPYReader) Rows() int { return r.header.shape[0] }

// RowLen returns the number of elements of a row.
func (r *NPYReader) RowLen() int { return r.rowLen }

// ReadRows fills p with the raw little-endian bytes of whole rows, beginning
// with the given one.
func (r *NPYReader) ReadRows(p []byte, row int) error {
	size := r.header.dtype.Size()
	if len(p)%size != 0 {
		return fmt.Errorf("loader: %s: %d bytes are no whole elements of %v", r.name, len(p), r.header.dtype)
	}
	off, err := r.offset(len(p)/size, row)
	if err == nil {
		err = readFull(r.src, p, off)
	}
	if err != nil {
		return fmt.Errorf("loader: %s: rows from %d: %w", r.name, row, err)
	}
	return nil
}

// ReadFloat32 fills dst with the elements of whole rows, beginning with the
// given one. F64 is rounded, U8 keeps its value (0 to 255).
func (r *NPYReader) ReadFloat32(dst []float32, row int) error {
	off, err := r.offset(len(dst), row)
	if err != nil {
		return fmt.Errorf("loader: %s: rows from %d: %w", r.name, row, err)
	}
	size := r.header.dtype.Size()
	buf := make([]byte, min(len(dst)*size, 1<<16))
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/size)
		if err := readFull(r.src, buf[:n*size], off); err != nil {
			return fmt.Errorf("loader: %s: rows from %d: %w", r.name, row, err)
		}
		toFloat32(dst[:n], buf, r.header.dtype)
		dst = dst[n:]
		off += int64(n * size)
	}
	return nil
}

// offset returns where in the file a read of n elements from a row on begins.
func (r *NPYReader) offset(n, row int) (int64, error) {
	rows := 0
	if r.rowLen > 0 {
		rows = n / r.rowLen
	}
	if n != rows*r.rowLen {
		return 0, fmt.Errorf("%d elements are no whole rows of %d", n, r.rowLen)
	}
	if row < 0 || row > r.Rows() || rows > r.Rows()-row {
		return 0, fmt.Errorf("%d rows wanted, but there are %d in all", rows, r.Rows())
	}
	return r.data + int64(row)*int64(r.rowLen)*int64(r.header.dtype.Size()), nil
}

// toFloat32 converts len(dst) little-endian elements of src.
func toFloat32(dst []float32, src []byte, d DType) {
	le := binary.LittleEndian
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = float16.Frombits(le.Uint16(src[2*i:])).Float32()
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case U8:
		for i := range dst {
			dst[i] = float32(src[i])
		}
	}
}

// Close closes the file. It may be called more than once.
func (r *NPYReader) Close() error {
	if r.closer == nil {
		return nil
	}
	err := r.closer.Close()
	r.closer = nil
	if err != nil {
		return fmt.Errorf("loader: %s: %w", r.name, err)
	}
	return nil
}
