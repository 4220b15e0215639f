package loader

// This file owns the members of zip archives as sources of tensors: stored ones
// are read where they lie, deflated ones are inflated whole, one after the other.
// Names are looked up and never become paths.

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// maxInflation is the most that deflate makes of a byte (RFC 1951: 258 bytes of
// two bits), and some room: a member that claims more is a bomb.
const maxInflation = 1040

// zipArchive is an open archive. It is immutable but for the members inflated.
type zipArchive struct {
	file     *checkpointFile
	names    []string // in the archive's order
	members  map[string]*zip.File
	inflater inflater
}

func newZipArchive(f *checkpointFile) (*zipArchive, error) {
	r, err := zip.NewReader(f, f.size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	a := &zipArchive{file: f, members: map[string]*zip.File{}}
	for _, m := range r.File {
		if a.members[m.Name] != nil {
			return nil, fmt.Errorf("member %q comes twice: %w", m.Name, ErrCorrupt)
		}
		a.names = append(a.names, m.Name)
		a.members[m.Name] = m
	}
	return a, nil
}

// member returns where the bytes of a member are. name must be there.
func (a *zipArchive) member(name string) (src io.ReaderAt, begin, size int64, err error) {
	m := a.members[name]
	fail := func(format string, args ...any) (io.ReaderAt, int64, int64, error) {
		return nil, 0, 0, fmt.Errorf("member %q: %w", name, fmt.Errorf(format, args...))
	}
	size = int64(m.UncompressedSize64)
	switch {
	case m.Flags&1 != 0:
		return fail("is encrypted")
	case m.Method == zip.Deflate:
		if size < 0 || uint64(size)/maxInflation > m.CompressedSize64 || m.CompressedSize64 > uint64(a.file.size) {
			return fail("%d bytes cannot come of %d: %w", size, m.CompressedSize64, ErrCorrupt)
		}
		return &inflated{m, a}, 0, size, nil
	case m.Method != zip.Store:
		return fail("compression method %d, want stored or deflated", m.Method)
	case m.CompressedSize64 != m.UncompressedSize64:
		return fail("is stored, but %d bytes are said to be %d: %w", m.CompressedSize64, m.UncompressedSize64, ErrCorrupt)
	}
	if begin, err = m.DataOffset(); err != nil {
		return fail("%w: %w", err, ErrCorrupt)
	}
	if size < 0 || begin < 0 || size > a.file.size-begin {
		return fail("ends past the end of the file: %w", ErrCorrupt)
	}
	return a.file, begin, size, nil
}

// inflated is a deflated member.
type inflated struct {
	member  *zip.File
	archive *zipArchive
}

func (m *inflated) ReadAt(p []byte, off int64) (int, error) {
	data, err := m.archive.inflater.get(m.member)
	if err == nil && m.archive.file.closed() {
		err = os.ErrClosed // although it may still be kept
	}
	if err != nil {
		return 0, err
	}
	n := 0
	if off < int64(len(data)) {
		n = copy(p, data[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// keptMembers is how many inflated members are kept: each device that loads a
// model reads its tensors in the same order, and not at the same time.
const keptMembers = 2

// inflater keeps the members that were inflated last.
type inflater struct {
	mu   sync.Mutex
	kept []keptMember // the last one first
}

type keptMember struct {
	member *zip.File
	data   []byte
}

func (c *inflater) get(m *zip.File) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(k keptMember) bool { return k.member == m })
	if i >= 0 {
		return c.kept[i].data, nil
	}
	if len(c.kept) == keptMembers {
		c.kept = c.kept[:keptMembers-1] // before the next one takes its memory
	}
	data, err := inflate(m, int64(m.UncompressedSize64))
	if err != nil {
		return nil, err
	}
	c.kept = slices.Insert(c.kept, 0, keptMember{m, data})
	return data, nil
}

// inflate returns the first n bytes of a member; of a whole one the checksum is
// checked.
func inflate(m *zip.File, n int64) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	if err == nil && n == int64(m.UncompressedSize64) {
		if _, err = r.Read(make([]byte, 1)); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("goes on after its end")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("member %q: %w: %w", m.Name, err, ErrCorrupt)
	}
	return data, nil
}
