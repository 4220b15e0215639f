package loader

// This file owns writing safetensors files as a stream: the data of one tensor
// after the other, in pieces, and the header last, in the room that was left
// for it. Nothing is seen under the file's name before Close has succeeded.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// SafetensorsWriter writes one file. It is for one goroutine at a time.
type SafetensorsWriter struct {
	path     string // for errors
	file     *partialFile
	buf      *bufio.Writer
	metadata map[string]string
	tensors  []TensorInfo
	room     int     // bytes of the header, without its length
	ends     []int64 // of the tensors that are done, from the first byte of data
	begun    int     // tensors that are done or being written
	written  int64   // bytes of data
	err      error   // the first failure; no write happens after it
}

// CreateSafetensors begins a file of tensors, whose data is then written in
// the order of the list: Next, any number of Write, Next, and so on. The first
// dimension of a shape may be -1: then what is written decides about it. The
// data goes to a temporary file beside path; Close gives it its name, Discard
// removes it. A file that is already there is replaced by Close and left alone
// by Discard. metadata may be nil.
func CreateSafetensors(path string, metadata map[string]string, tensors []TensorInfo) (*SafetensorsWriter, error) {
	fail := func(err error) (*SafetensorsWriter, error) {
		return nil, fmt.Errorf("loader: %s: %w", path, err)
	}
	seen := map[string]bool{"__metadata__": true}
	for _, t := range tensors {
		if seen[t.Name] {
			return fail(fmt.Errorf("tensor %q comes twice", t.Name))
		}
		seen[t.Name] = true
		if _, ok := elements(rowShape(t)); !ok || t.DType.Size() == 0 {
			return fail(fmt.Errorf("tensor %q cannot be %v of shape %v", t.Name, t.DType, t.Shape))
		}
	}
	w := &SafetensorsWriter{path: path, metadata: metadata, tensors: slices.Clone(tensors)}
	header, err := w.header(true)
	if err != nil {
		return fail(err)
	}
	w.room = (len(header) + 7) / 8 * 8 // the data begins aligned
	if w.room > maxHeader {
		return fail(fmt.Errorf("header of %d bytes, at most %d are allowed", w.room, maxHeader))
	}
	if w.file, err = createPartial(path); err != nil {
		return fail(err)
	}
	w.buf = bufio.NewWriterSize(w.file.file, 1<<16)
	w.buf.Write(make([]byte, 8+w.room)) // an error stays in buf and comes with the first flush
	return w, nil
}

// rowShape is the shape of a tensor, without the first dimension if that is
// not known.
func rowShape(t TensorInfo) []int {
	if len(t.Shape) > 0 && t.Shape[0] == -1 {
		return t.Shape[1:]
	}
	return t.Shape
}

// header returns the JSON. With reserve every number that is not known yet is
// as long as it can get; without, ends says where each tensor ends.
func (w *SafetensorsWriter) header(reserve bool) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if w.metadata != nil {
		text, err := json.Marshal(w.metadata) // sorted by key
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `"__metadata__":%s`, text)
	}
	begin := int64(0)
	for i, t := range w.tensors {
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape := slices.Clone(t.Shape)
		end := int64(math.MaxInt64)
		switch {
		case reserve && len(rowShape(t)) < len(shape):
			shape[0] = math.MaxInt
		case !reserve:
			end = w.ends[i]
			if row := rowBytes(t); len(rowShape(t)) < len(shape) {
				shape[0] = 0
				if row > 0 {
					shape[0] = int((end - begin) / row)
				}
			}
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		list := strings.ReplaceAll(fmt.Sprint(shape), " ", ",")
		fmt.Fprintf(&b, `%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, t.DType.String(), list, begin, end)
		begin = end
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// rowBytes is the size of what a tensor's rowShape describes.
func rowBytes(t TensorInfo) int64 {
	n, _ := elements(rowShape(t)) // CreateSafetensors has checked it
	return int64(n) * int64(t.DType.Size())
}

// Next ends the tensor that is being written and begins the one after it in
// the list. It fails if the former's data is not as long as its shape says.
func (w *SafetensorsWriter) Next() error {
	switch {
	case w.err != nil:
	case w.begun == len(w.tensors):
		w.fail(fmt.Errorf("there are only %d tensors", len(w.tensors)))
	default:
		w.end()
		w.begun++
	}
	return w.err
}

// end ends the tensor that is being written, if there is one.
func (w *SafetensorsWriter) end() {
	if w.begun == 0 || len(w.ends) == w.begun {
		return
	}
	t, begin := w.tensors[w.begun-1], int64(0)
	if n := len(w.ends); n > 0 {
		begin = w.ends[n-1]
	}
	size, row := w.written-begin, rowBytes(t)
	whole := size == row
	if len(rowShape(t)) < len(t.Shape) {
		whole = size == 0 || row > 0 && size%row == 0
	}
	if !whole {
		w.fail(fmt.Errorf("tensor %q: %d bytes were written, want %v of shape %v", t.Name, size, t.DType, t.Shape))
		return
	}
	w.ends = append(w.ends, w.written)
}

// fail keeps the first failure.
func (w *SafetensorsWriter) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("loader: %s: %w", w.path, err)
	}
}

// Write appends raw little-endian bytes to the tensor that Next has begun. It
// implements io.Writer.
func (w *SafetensorsWriter) Write(p []byte) (int, error) {
	if w.err == nil && w.begun == 0 {
		w.fail(errors.New("no tensor has been begun"))
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	w.written += int64(n)
	if err != nil {
		w.fail(err)
	}
	return n, w.err
}

// Close writes the header, and gives the file its name. When anything failed
// before, or a tensor is missing or not whole, it removes the temporary file
// and returns the error. After Close or Discard it does nothing.
func (w *SafetensorsWriter) Close() error {
	if w.file.file == nil {
		return nil
	}
	w.end()
	if w.err == nil && w.begun < len(w.tensors) {
		w.fail(fmt.Errorf("tensor %q has not been written", w.tensors[w.begun].Name))
	}
	if w.err == nil {
		if err := w.finish(); err != nil {
			w.fail(err)
		}
	}
	if w.err != nil {
		return errors.Join(w.err, w.Discard())
	}
	w.fail(os.ErrClosed)
	return nil
}

// finish does the work of Close; what it leaves on an error is Discard's.
func (w *SafetensorsWriter) finish() error {
	header, err := w.header(false)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(w.room))
	b = append(append(b, header...), strings.Repeat(" ", w.room-len(header))...)
	if err := w.buf.Flush(); err != nil {
		return err
	}
	if _, err := w.file.file.WriteAt(b, 0); err != nil {
		return err
	}
	return w.file.commit()
}

// Discard removes the temporary file. After Close or Discard it does nothing,
// so it can be deferred right after CreateSafetensors.
func (w *SafetensorsWriter) Discard() error {
	if w.file.file == nil {
		return nil
	}
	err := w.file.discard()
	w.fail(os.ErrClosed)
	if err != nil {
		return fmt.Errorf("loader: %s: %w", w.path, err)
	}
	return nil
}
