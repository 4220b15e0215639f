package index

// This file owns open indexes: what is in them, and which pictures have not changed since. Embeddings stay
// in the file; all else is in memory.

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/loader"
)

// Index is an open index. It is safe for many goroutines.
type Index struct {
	path    string
	file    loader.Checkpoint
	space   Space
	places  places
	dtype   loader.DType
	n, d    int
	names   string
	ends    []int64
	sizes   []int64
	mtimes  []int64
	lengths []float32
	rows    map[string]int // by places.key
}

// Open opens an index. The error wraps loader.ErrCorrupt if the file is none, or damaged.
func Open(path string) (*Index, error) {
	file, err := loader.OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	x := &Index{path: path, file: loader.Finite(file)}
	if err := x.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("index: %s: %w", path, err), file.Close())
	}
	return x, nil
}

// read reads all but the embeddings, and checks it.
func (x *Index) read() error {
	var err error
	if x.space, err = parseSpace(x.file.Metadata()); err != nil {
		return err
	}
	if x.places, err = newPlaces(x.path); err != nil {
		return err
	}
	tensors := map[string]loader.TensorInfo{}
	for _, t := range x.file.Tensors() {
		tensors[t.Name] = t
	}
	main := tensors[embeddings]
	if len(main.Shape) != 2 || main.DType != loader.F32 && main.DType != loader.F16 || main.Shape[1] < 1 {
		return fmt.Errorf("tensor %q: %v of shape %v, want F32 or F16 [N D]: %w", embeddings, main.DType, main.Shape, loader.ErrCorrupt)
	}
	x.dtype, x.n, x.d = main.DType, main.Shape[0], main.Shape[1]
	vector := func(name string, dtype loader.DType) ([]byte, error) {
		t := tensors[name]
		if len(t.Shape) != 1 || t.DType != dtype || name != names && t.Shape[0] != x.n {
			return nil, fmt.Errorf("tensor %q: %v of shape %v, want %v for each of %d pictures: %w", name, t.DType, t.Shape, dtype, x.n, loader.ErrCorrupt)
		}
		raw := make([]byte, t.Bytes())
		return raw, x.file.ReadTensor(name, raw, 0)
	}
	integers := func(name string) ([]int64, error) {
		raw, err := vector(name, loader.I64)
		values := make([]int64, len(raw)/8)
		for i := range values {
			values[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return values, err
	}
	if x.sizes, err = integers(sizes); err != nil {
		return err
	}
	if x.mtimes, err = integers(mtimes); err != nil {
		return err
	}
	if x.ends, err = integers(nameEnds); err != nil {
		return err
	}
	raw, err := vector(norms, loader.F32)
	if err != nil {
		return err
	}
	x.lengths = make([]float32, x.n)
	if err := loader.DecodeFloat32(x.lengths, raw, loader.F32); err != nil {
		return err
	}
	if raw, err = vector(names, loader.U8); err != nil {
		return err
	}
	x.names = string(raw)
	return x.list()
}

// list checks the names and makes them be found.
func (x *Index) list() error {
	x.rows = make(map[string]int, x.n)
	begin := int64(0)
	for i, end := range x.ends {
		if end < begin || end > int64(len(x.names)) {
			return fmt.Errorf("tensor %q: name %d ends at %d, after one that ends at %d: %w", nameEnds, i, end, begin, loader.ErrCorrupt)
		}
		begin = end
		key := x.places.key(Entry{Name: x.Path(i), Size: x.sizes[i]})
		if before, twice := x.rows[key]; twice {
			return fmt.Errorf("pictures %d and %d have the same name %q: %w", before, i, x.Name(i), loader.ErrCorrupt)
		}
		x.rows[key] = i
	}
	if begin != int64(len(x.names)) {
		return fmt.Errorf("tensor %q: %d bytes belong to no name: %w", names, int64(len(x.names))-begin, loader.ErrCorrupt)
	}
	return nil
}

// Close closes the file. It may be called more than once.
func (x *Index) Close() error { return x.file.Close() }

// Len is the number of pictures.
func (x *Index) Len() int { return x.n }

// Features is the number of values of an embedding.
func (x *Index) Features() int { return x.d }

// DType is how embeddings are stored, F32 or F16.
func (x *Index) DType() loader.DType { return x.dtype }

// Space says what the embeddings are of.
func (x *Index) Space() Space { return x.space }

// Name returns the name of picture i, as the file has it.
func (x *Index) Name(i int) string {
	begin := int64(0)
	if i > 0 {
		begin = x.ends[i-1]
	}
	return x.names[begin:x.ends[i]]
}

// Path returns where the file of picture i is, absolute; the name of what is no file.
func (x *Index) Path(i int) string {
	if x.sizes[i] < 0 {
		return x.Name(i)
	}
	return x.places.path(x.Name(i))
}

// Find returns the picture of a file, given any path to it that does not go through links, or of what is no file by its name.
func (x *Index) Find(path string) (i int, ok bool) {
	if i, ok := x.rows[x.places.key(Entry{Name: path})]; ok {
		return i, true
	}
	i, ok = x.rows[path]
	return i, ok
}

// Unchanged returns the picture of a file that has the same size and time of change as when it was embedded.
func (x *Index) Unchanged(e Entry) (i int, ok bool) {
	i, ok = x.rows[x.places.key(e)]
	return i, ok && e.Size >= 0 && x.sizes[i] == e.Size && x.mtimes[i] == e.ModTime
}

// unit returns the embedding of picture i, of length 1.
func (x *Index) unit(i int) ([]float32, error) {
	unit := make([]float32, x.d)
	raw := make([]byte, x.d*x.dtype.Size())
	return unit, x.readUnits(unit, raw, i)
}

// readUnits reads the embeddings from picture i on: as many as fit dst, through raw.
func (x *Index) readUnits(dst []float32, raw []byte, i int) error {
	if err := x.file.ReadTensor(embeddings, raw, int64(i)*int64(x.d)*int64(x.dtype.Size())); err != nil {
		return err
	}
	return loader.DecodeFloat32(dst, raw, x.dtype)
}

// Embedding returns the embedding of picture i as the network gave it, but for the rounding of the storage.
func (x *Index) Embedding(i int) ([]float32, error) {
	if i < 0 || i >= x.n {
		return nil, fmt.Errorf("index: %s: picture %d of %d", x.path, i, x.n)
	}
	v, err := x.unit(i)
	for j := range v {
		v[j] = float32(float64(v[j]) * float64(x.lengths[i]))
	}
	return v, err
}
