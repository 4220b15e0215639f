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
	"os"
	"sort"
	"strings"
	"sync"
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
func OpenSafetensors(path string) (Checkpoint, error) {
	if strings.HasSuffix(path, ".index.json") {
		return openSharded(path)
	}
	return openSafetensors(path)
}

func openSafetensors(path string) (*safetensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("loader: %s: %w", path, errors.Join(err, f.Close()))
	}
	src := io.ReaderAt(f)
	closer := io.Closer(f)
	if m, err := mapFile(f, fi.Size()); err == nil {
		src, closer = m, m
	}
	c, err := newSafetensors(src, fi.Size(), path)
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	c.closer = closer
	return c, nil
}

// NewSafetensors opens a checkpoint of size bytes that r holds. The name
// stands for it in errors. r must allow concurrent use, as io.ReaderAt says;
// it stays the caller's, Close does not close it.
func NewSafetensors(r io.ReaderAt, size int64, name string) (Checkpoint, error) {
	return newSafetensors(r, size, name)
}

// safetensors is a Checkpoint over one file. Everything but src and closer is
// immutable; mu keeps Close from pulling the map away under a reader.
type safetensors struct {
	name    string // for errors
	tensors []TensorInfo
	begin   []int64 // begin[i] is where tensors[i] starts, from the start of the file
	meta    map[string]string

	mu     sync.RWMutex
	src    io.ReaderAt // nil once closed
	closer io.Closer   // nil where the source is the caller's
}

func newSafetensors(r io.ReaderAt, size int64, name string) (*safetensors, error) {
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
	c := &safetensors{name: name, meta: meta, src: r}
	for _, e := range entries {
		c.tensors = append(c.tensors, e.TensorInfo)
		c.begin = append(c.begin, data+e.begin)
	}
	return c, nil
}

func (c *safetensors) Tensors() []TensorInfo       { return c.tensors }
func (c *safetensors) Metadata() map[string]string { return c.meta }

func (c *safetensors) ReadTensor(name string, p []byte, off int64) error {
	i := sort.Search(len(c.tensors), func(i int) bool { return c.tensors[i].Name >= name })
	if i == len(c.tensors) || c.tensors[i].Name != name {
		return fmt.Errorf("loader: %s: no tensor %q", c.name, name)
	}
	if err := checkRange(name, c.tensors[i].Bytes(), off, len(p)); err != nil {
		return fmt.Errorf("loader: %s: %w", c.name, err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.src == nil {
		return fmt.Errorf("loader: %s: tensor %q: %w", c.name, name, os.ErrClosed)
	}
	if err := readFull(c.src, p, c.begin[i]+off); err != nil {
		return fmt.Errorf("loader: %s: tensor %q: %w", c.name, name, err)
	}
	return nil
}

func (c *safetensors) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.src = nil
	if c.closer == nil {
		return nil
	}
	err := c.closer.Close()
	c.closer = nil
	if err != nil {
		return fmt.Errorf("loader: %s: %w", c.name, err)
	}
	return nil
}

// readFull fills p from off. An io.ReaderAt may return io.EOF together with
// all the bytes; a short read is io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
