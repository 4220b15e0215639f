package loader

// This file owns the memory map of a checkpoint file. It is the only place
// where a fault in mapped memory can happen, and the one that turns such a
// fault into an error.

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"

	"github.com/edsrzf/mmap-go"
)

// dropWindow is the alignment, in bytes, of the ranges whose pages are given
// back after a read. It is the window in which Linux maps the neighbours of a
// page that was touched (fault_around_bytes, 64 KiB), so those go as well.
const dropWindow = 64 << 10

// mappedFile is an io.ReaderAt over a mapped file, safe for concurrent reads.
// It owns the file. Close must not run while a read does.
type mappedFile struct {
	file *os.File
	data mmap.MMap
}

// mapFile maps the first size bytes of f. It fails where the system has no
// maps, or no room for this one; f is then as it was.
func mapFile(f *os.File, size int64) (*mappedFile, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, fmt.Errorf("cannot map %d bytes", size)
	}
	data, err := mmap.MapRegion(f, int(size), mmap.RDONLY, 0, 0)
	if err != nil {
		return nil, err
	}
	return &mappedFile{file: f, data: data}, nil
}

// ReadAt copies from the map and then gives the pages back to the system,
// which keeps them in its own cache: the process's resident size stays the
// same however much is read.
func (m *mappedFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off > int64(len(m.data)) {
		return 0, io.ErrUnexpectedEOF
	}
	// Touching a page that the file has lost (it was truncated, or the disk
	// under it fails) is a SIGBUS. With SetPanicOnFault it is a panic of this
	// goroutine alone.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			n, err = 0, fmt.Errorf("the file can no longer be read (changed while it was open?): %v", fault)
		}
	}()
	n = copy(p, m.data[off:])
	begin := off / dropWindow * dropWindow
	end := min((off+int64(n)+dropWindow-1)/dropWindow*dropWindow, int64(len(m.data)))
	dropPages(m.data[begin:end])
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Close unmaps and closes the file.
func (m *mappedFile) Close() error {
	err := m.data.Unmap()
	if cerr := m.file.Close(); err == nil {
		err = cerr
	}
	return err
}
