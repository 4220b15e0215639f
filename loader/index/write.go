package index

// This file owns writing an index: the embeddings go to the file as they come, all else is kept until the
// end, some hundred bytes for a picture.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/bitgpu/bitgpu/loader"
)

// Writer writes one index. It is for one goroutine at a time.
type Writer struct {
	file     *loader.SafetensorsWriter
	path     string
	places   places
	features int
	dtype    loader.DType
	row      []byte // one embedding

	seen                         map[string]bool
	names                        []byte
	ends, sizes, mtimes, lengths []byte
}

// Create begins an index of embeddings of so many features, stored as F32 or F16. Nothing is seen under the
// path before Close has succeeded; a file that is there stays until then.
func Create(path string, s Space, features int, dtype loader.DType) (*Writer, error) {
	fail := func(err error) (*Writer, error) { return nil, fmt.Errorf("index: %s: %w", path, err) }
	if dtype != loader.F32 && dtype != loader.F16 {
		return fail(fmt.Errorf("embeddings of %v, want F32 or F16", dtype))
	}
	if features < 1 {
		return fail(fmt.Errorf("embeddings of %d values", features))
	}
	metadata, err := s.metadata()
	if err != nil {
		return fail(err)
	}
	where, err := newPlaces(path)
	if err != nil {
		return fail(err)
	}
	w := &Writer{path: path, places: where, features: features, dtype: dtype, seen: map[string]bool{}}
	w.file, err = loader.CreateSafetensors(path, metadata, []loader.TensorInfo{
		{Name: embeddings, DType: dtype, Shape: []int{-1, features}},
		{Name: sizes, DType: loader.I64, Shape: []int{-1}},
		{Name: mtimes, DType: loader.I64, Shape: []int{-1}},
		{Name: nameEnds, DType: loader.I64, Shape: []int{-1}},
		{Name: norms, DType: loader.F32, Shape: []int{-1}},
		{Name: names, DType: loader.U8, Shape: []int{-1}},
	})
	if err != nil {
		return nil, err
	}
	return w, w.file.Next()
}

// Has says whether a picture has been added.
func (w *Writer) Has(e Entry) bool { return w.seen[w.places.key(e)] }

// Len is the number of pictures that have been added.
func (w *Writer) Len() int { return len(w.seen) }

// Add appends a picture with its embedding as the network gives it. A picture that has been added already is
// an error, and so are values that are not finite.
func (w *Writer) Add(e Entry, embedding []float32) error {
	length := 0.0
	for _, v := range embedding {
		length += float64(v) * float64(v)
	}
	length = math.Sqrt(length)
	if !(length <= math.MaxFloat32) {
		return fmt.Errorf("index: %s: the embedding of %s has the length %v", w.path, e.Name, length)
	}
	unit := make([]float32, len(embedding))
	for i, v := range embedding {
		if length > 0 {
			unit[i] = float32(float64(v) / length)
		}
	}
	return w.add(e, unit, float32(length))
}

// Copy appends picture i of another index of the same space, under the entry e.
func (w *Writer) Copy(e Entry, from *Index, i int) error {
	unit, err := from.unit(i)
	if err != nil {
		return err
	}
	return w.add(e, unit, from.lengths[i])
}

func (w *Writer) add(e Entry, unit []float32, length float32) error {
	if len(unit) != w.features {
		return fmt.Errorf("index: %s: the embedding of %s has %d values, want %d", w.path, e.Name, len(unit), w.features)
	}
	key := w.places.key(e)
	if w.seen[key] {
		return fmt.Errorf("index: %s: %s comes twice", w.path, e.Name)
	}
	row, err := loader.AppendFloat32(w.row[:0], unit, w.dtype)
	if err != nil {
		return err
	}
	w.row = row
	if _, err := w.file.Write(row); err != nil {
		return err
	}
	w.seen[key] = true
	name := e.Name
	if e.Size >= 0 {
		name = w.places.name(name)
	}
	le := binary.LittleEndian
	w.names = append(w.names, name...)
	w.ends = le.AppendUint64(w.ends, uint64(len(w.names)))
	w.sizes = le.AppendUint64(w.sizes, uint64(max(e.Size, -1)))
	w.mtimes = le.AppendUint64(w.mtimes, uint64(e.ModTime))
	w.lengths = le.AppendUint32(w.lengths, math.Float32bits(length))
	return nil
}

// Close completes the file and gives it its name. When anything failed before, nothing is left and the error
// is returned. After Close or Discard it does nothing.
func (w *Writer) Close() error {
	for _, data := range [][]byte{w.sizes, w.mtimes, w.ends, w.lengths, w.names} {
		err := w.file.Next()
		if err == nil {
			_, err = w.file.Write(data)
		}
		if err != nil {
			return errors.Join(err, w.file.Discard())
		}
	}
	return w.file.Close()
}

// Discard removes an unfinished file. After Close or Discard it does nothing.
func (w *Writer) Discard() error { return w.file.Discard() }
