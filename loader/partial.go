package loader

// This file owns files that are seen under their name only when they are
// complete: they are written beside it and renamed at the end.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// partialFile is a temporary file that becomes path, or nothing. After commit
// or discard its file is nil. Its errors do not name path; callers do.
type partialFile struct {
	file   *os.File
	target string
}

// createPartial begins a file. One that is already at path is replaced by
// commit and left alone by discard; what is there and no regular file is an
// error.
func createPartial(path string) (*partialFile, error) {
	if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
		return nil, errors.New("is there and no regular file")
	}
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved // replace what a link points to, not the link
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.%016x.partial", target, rand.Uint64()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &partialFile{file: f, target: target}, nil
}

// commit gives the file its name. What it leaves on an error is discard's.
func (p *partialFile) commit() error {
	if err := p.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(p.file.Name(), p.target); err != nil {
		return err
	}
	p.file = nil
	return nil
}

// discard removes the file. After commit or discard it does nothing.
func (p *partialFile) discard() error {
	if p.file == nil {
		return nil
	}
	p.file.Close() // it may be closed already, and what is in it is not wanted
	err := os.Remove(p.file.Name())
	p.file = nil
	return err
}
