package loader

// This file owns safetensors checkpoints of one file: opening them, and
// reading their tensors from a memory map or from any io.ReaderAt. The format
// itself is in safetensors_header.go, sharded checkpoints in
// safetensors_index.go, the memory map in safetensors_map.go.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

// maxHeader bounds the JSON header of a safetensors file, and the index of a
// sharded one, in bytes: the format's own limit.
const maxHeader = 100_000_000

// OpenSafetensors opens a .safetensors file, or the .safetensors.index.json of
// a checkpoint that is split over several. The files are mapped into memory
// where the system can do that, and the pages behind every read are given
// back, so that the resident size of the process does not grow with the
// checkpoint. Where a file cannot be mapped it is read in the ordinary way.
//
// A file that breaks the format gives an error that wraps ErrCorrupt. A file
// that is cut short by somebody while it is open makes ReadTensor fail; it
// does not crash the process.
//
// The tensors have the names of the file. Open takes the other forms too.
func OpenSafetensors(path string) (Checkpoint, error) {
	if strings.HasSuffix(path, ".index.json") {
		return openSharded(path)
	}
	f, err := openCheckpointFile(path)
	if err != nil {
		return nil, err
	}
	c, err := newSafetensors(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// NewSafetensors opens a checkpoint of size bytes that r holds. The name
// stands for it in errors. r must allow concurrent use, as io.ReaderAt says;
// it stays the caller's, Close does not close it.
func NewSafetensors(r io.ReaderAt, size int64, name string) (Checkpoint, error) {
	return newSafetensors(&checkpointFile{name: name, size: size, src: r})
}

// safetensors is a Checkpoint over one file. It is immutable; the file does its
// own locking.
type safetensors struct {
	*checkpointFile
	tensors []TensorInfo
	begin   []int64 // begin[i] is where tensors[i] starts, from the start of the file
	meta    map[string]string
}

func newSafetensors(r *checkpointFile) (*safetensors, error) {
	name, size := r.name, r.size
	corrupt := func(format string, args ...any) error {
		return fmt.Errorf("loader: %s: not a sound safetensors file: %w: %w", name, fmt.Errorf(format, args...), ErrCorrupt)
	}
	if size < 8 {
		return nil, corrupt("%d bytes are too few for one", size)
	}
	var length [8]byte
	if err := readFull(r, length[:], 0); err != nil {
		return nil, fmt.Errorf("loader: %s: reading the header length: %w", name, err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, corrupt("header length %d, at most %d are allowed", n, maxHeader)
	}
	if int64(n) > size-8 {
		return nil, corrupt("header length %d, but only %d bytes follow", n, size-8)
	}
	header := make([]byte, n)
	if err := readFull(r, header, 8); err != nil {
		return nil, fmt.Errorf("loader: %s: reading the header: %w", name, err)
	}
	entries, meta, err := parseHeader(header)
	if err != nil {
		return nil, corrupt("header: %w", err)
	}
	data := 8 + int64(n)
	if err := checkLayout(entries, size-data); err != nil {
		return nil, corrupt("%w", err)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	c := &safetensors{checkpointFile: r, meta: meta}
	for _, e := range entries {
		c.tensors = append(c.tensors, e.TensorInfo)
		c.begin = append(c.begin, data+e.begin)
	}
	return c, nil
}

func (c *safetensors) Tensors() []TensorInfo       { return c.tensors }
func (c *safetensors) Metadata() map[string]string { return c.meta }

func (c *safetensors) ReadTensor(name string, p []byte, off int64) error {
	i, ok := findTensor(c.tensors, name)
	if !ok {
		return fmt.Errorf("loader: %s: no tensor %q", c.name, name)
	}
	if err := checkRange(name, c.tensors[i].Bytes(), off, len(p)); err != nil {
		return fmt.Errorf("loader: %s: %w", c.name, err)
	}
	if err := readFull(c, p, c.begin[i]+off); err != nil {
		return fmt.Errorf("loader: %s: tensor %q: %w", c.name, name, err)
	}
	return nil
}
