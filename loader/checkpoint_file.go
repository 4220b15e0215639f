package loader

// This file owns the bytes behind an open checkpoint: a memory map where the
// system can make one, and the rule that Close never pulls it away under a
// reader.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// checkpointFile is an io.ReaderAt that can be closed at any time: reads that
// have begun end first, later ones fail with os.ErrClosed.
type checkpointFile struct {
	name string // for errors
	size int64

	mu     sync.RWMutex
	src    io.ReaderAt // nil once closed
	closer io.Closer   // nil where the source is the caller's
}

// openCheckpointFile opens a regular file, mapped into memory if possible.
func openCheckpointFile(path string) (*checkpointFile, error) {
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
	c := &checkpointFile{name: path, size: fi.Size(), src: f, closer: f}
	if m, err := mapFile(f, fi.Size()); err == nil {
		c.src, c.closer = m, m
	}
	return c, nil
}

// ReadAt implements io.ReaderAt. Its errors do not name the file.
func (f *checkpointFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.src == nil {
		return 0, os.ErrClosed
	}
	return f.src.ReadAt(p, off)
}

func (f *checkpointFile) closed() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.src == nil
}

// Close may be called more than once.
func (f *checkpointFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.src = nil
	if f.closer == nil {
		return nil
	}
	err := f.closer.Close()
	f.closer = nil
	if err != nil {
		return fmt.Errorf("loader: %s: %w", f.name, err)
	}
	return nil
}

// prefix returns the first n bytes, or all if there are fewer.
func (f *checkpointFile) prefix(n int64) ([]byte, error) {
	p := make([]byte, min(n, f.size))
	if err := readFull(f, p, 0); err != nil {
		return nil, fmt.Errorf("loader: %s: %w", f.name, err)
	}
	return p, nil
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
