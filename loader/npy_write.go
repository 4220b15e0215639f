package loader

// This file owns writing .npy files as a stream: rows come in pieces, and how
// many there are is known at the end. The header is given room for the largest
// count, and is written last. Nothing is seen under the file's name before
// Close has succeeded.

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"strconv"
	"strings"
)

// NPYWriter writes one array, [N, rowShape...], of a number of rows N that
// only Close knows. It is for one goroutine at a time.
type NPYWriter struct {
	path    string // for errors
	file    *partialFile
	buf     *bufio.Writer
	dtype   DType
	row     []int // rowShape
	rowSize int64 // bytes of a row
	written int64 // bytes of data
	err     error // the first failure; no write happens after it
}

// CreateNPY begins a file of F32, F16, F64 or U8 elements. The data goes to a
// temporary file beside path; Close gives it its name, Discard removes it. A
// file that is already there is replaced by Close and left alone by Discard.
func CreateNPY(path string, dtype DType, rowShape ...int) (*NPYWriter, error) {
	fail := func(err error) (*NPYWriter, error) {
		return nil, fmt.Errorf("loader: %s: %w", path, err)
	}
	if _, ok := npyDescr(dtype); !ok {
		return fail(fmt.Errorf("no .npy type for %v", dtype))
	}
	n, ok := elements(rowShape)
	if !ok || len(rowShape) >= maxNPYDims {
		return fail(fmt.Errorf("rows cannot have shape %v", rowShape))
	}
	f, err := createPartial(path)
	if err != nil {
		return fail(err)
	}
	w := &NPYWriter{
		path: path, file: f, buf: bufio.NewWriterSize(f.file, 1<<16),
		dtype: dtype, row: append([]int{}, rowShape...), rowSize: int64(n) * int64(dtype.Size()),
	}
	w.buf.Write(w.header(0)) // an error stays in buf and comes with the first flush
	return w, nil
}

// header returns the header for so many rows; its length does not depend on
// the number.
func (w *NPYWriter) header(rows int64) []byte {
	descr, _ := npyDescr(w.dtype)
	return npyHeaderBytes(descr, rows, w.row)
}

// npyHeaderBytes returns the header of an array [rows, row...], with room for
// any number of rows.
func npyHeaderBytes(descr string, rows int64, row []int) []byte {
	dict := func(rows int64) string {
		shape := strconv.FormatInt(rows, 10) + ","
		for i, d := range row {
			if i > 0 {
				shape += ","
			}
			shape += " " + strconv.Itoa(d)
		}
		return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }"
	}
	// NumPy aligns the data to 64 bytes: magic and version (8), length (2),
	// dict, spaces, newline.
	const fixed, align = 8 + 2, 64
	total := (fixed + len(dict(math.MaxInt64)) + 1 + align - 1) / align * align
	text := dict(rows)
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(total-fixed))
	b = append(b, text...)
	b = append(b, strings.Repeat(" ", total-len(b)-1)...)
	return append(b, '\n')
}

// WriteNPYStrings writes an array of n strings, [n], of as many characters as
// the longest has: NumPy's type <U. Nothing of the sequence is kept; it is an
// error if it has another number of strings, or a longer one.
func WriteNPYStrings(w io.Writer, n int64, longest int, all iter.Seq2[string, error]) error {
	longest = max(longest, 1) // NumPy itself writes <U1 for empty strings
	if _, err := w.Write(npyHeaderBytes("<U"+strconv.Itoa(longest), n, nil)); err != nil {
		return fmt.Errorf("loader: %w", err)
	}
	buf := make([]byte, 4*longest) // UTF-32, with zeros behind
	for s, err := range all {
		if err != nil {
			return err
		}
		at := 0
		clear(buf)
		for _, r := range s {
			if at == len(buf) {
				return fmt.Errorf("loader: %q has more than %d characters", s, longest)
			}
			binary.LittleEndian.PutUint32(buf[at:], uint32(r))
			at += 4
		}
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("loader: %w", err)
		}
		n--
	}
	if n != 0 {
		return fmt.Errorf("loader: %d strings more than there are were to be written", n)
	}
	return nil
}

// Write appends raw little-endian bytes of elements. A call need not end at
// the end of a row. It implements io.Writer.
func (w *NPYWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	w.written += int64(n)
	if err != nil {
		w.err = fmt.Errorf("loader: %s: %w", w.path, err)
	}
	return n, w.err
}

// WriteFloat32 appends elements to an array of F32.
func (w *NPYWriter) WriteFloat32(values []float32) error {
	if w.dtype != F32 {
		return fmt.Errorf("loader: %s: float32 values for an array of %v", w.path, w.dtype)
	}
	var chunk [4096]byte
	for len(values) > 0 {
		n := min(len(values), len(chunk)/4)
		for i, v := range values[:n] {
			binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(chunk[:4*n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// Close writes the number of rows, and gives the file its name. When anything
// failed before, or the last row is not whole, it removes the temporary file
// and returns the error. After Close or Discard it does nothing.
func (w *NPYWriter) Close() error {
	if w.file.file == nil {
		return nil
	}
	err := w.err
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		return errors.Join(err, w.Discard())
	}
	return nil
}

// finish does the work of Close; what it leaves on an error is Discard's.
func (w *NPYWriter) finish() error {
	rows := int64(0)
	if w.rowSize > 0 {
		rows = w.written / w.rowSize
	}
	if rows*w.rowSize != w.written {
		return fmt.Errorf("loader: %s: %d bytes were written, no whole rows of %d", w.path, w.written, w.rowSize)
	}
	err := w.buf.Flush()
	if err == nil {
		_, err = w.file.file.WriteAt(w.header(rows), 0)
	}
	if err == nil {
		err = w.file.commit()
	}
	if err != nil {
		return fmt.Errorf("loader: %s: %w", w.path, err)
	}
	w.err = fmt.Errorf("loader: %s: %w", w.path, os.ErrClosed)
	return nil
}

// Discard removes the temporary file. After Close or Discard it does nothing,
// so it can be deferred right after CreateNPY.
func (w *NPYWriter) Discard() error {
	if w.file.file == nil {
		return nil
	}
	err := w.file.discard()
	if w.err == nil {
		w.err = fmt.Errorf("loader: %s: %w", w.path, os.ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("loader: %s: %w", w.path, err)
	}
	return nil
}
