package main

// This file owns text output: standard output, or a file that appears under its name only when it is
// complete.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// textFile is where records go. Close or Discard ends it; the second of the two does nothing.
type textFile struct {
	*bufio.Writer
	shown io.Writer // standard output, for its styles; nil for a file
	file  *os.File  // nil for standard output, and at the end
	final string    // the file's name in the end; "" for what is no regular file, and written directly
	flag  string    // that named it, for errors
}

// createText opens the value of --out; "" and "-" are standard output.
func (a *app) createText(path string) (*textFile, error) {
	if path == "" || path == "-" {
		return a.text(), nil
	}
	return a.createFile("--out", path)
}

// createFile opens the file that a flag names.
func (a *app) createFile(flag, path string) (*textFile, error) {
	t := &textFile{final: path, flag: flag}
	stat, err := os.Stat(path)
	switch {
	case err == nil && stat.IsDir():
		return nil, fmt.Errorf("%s: %s is a directory", flag, path)
	case err == nil && !stat.Mode().IsRegular():
		t.final = ""
		t.file, err = os.OpenFile(path, os.O_WRONLY, 0)
	default:
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			t.final = resolved // replace what a link points to, not the link
		}
		t.file, err = os.OpenFile(fmt.Sprintf("%s.%016x.partial", t.final, rand.Uint64()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", flag, path, reason(err))
	}
	t.Writer = bufio.NewWriter(t.file)
	return t, nil
}

// text is standard output.
func (a *app) text() *textFile { return &textFile{Writer: bufio.NewWriter(a.stdout), shown: a.stdout} }

// rows is standard output for tables: on a terminal their lines are cut to its width, as ps does, because lines that
// go on below each other cannot be read as columns. JSON is as it is.
func (a *app) rows(asJSON bool) *textFile {
	width, ok := terminalWidth(a.stdout)
	if !ok || asJSON {
		return a.text()
	}
	return &textFile{Writer: bufio.NewWriter(&lineCutter{w: a.stdout, width: width}), shown: a.stdout}
}

// lineCutter shortens lines. The rest of one that has not ended is kept for the next Write.
type lineCutter struct {
	w     io.Writer
	width int
	rest  []byte
}

func (c *lineCutter) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	for {
		line, rest, whole := bytes.Cut(c.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if _, err := io.WriteString(c.w, shorten(string(line), c.width)+"\n"); err != nil {
			return 0, err
		}
		c.rest = rest
	}
}

// Close writes what is left and gives the file its name.
func (t *textFile) Close() error {
	err := t.Flush()
	if t.file == nil {
		return err
	}
	file := t.file
	t.file = nil
	err = errors.Join(err, file.Close())
	switch {
	case t.final == "":
		return err
	case err == nil:
		err = os.Rename(file.Name(), t.final)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.flag, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// Discard removes an unfinished file. It is for defer, after Close it does nothing.
func (t *textFile) Discard() {
	if t.file == nil {
		return
	}
	_ = t.file.Close() // nobody wants the file any more
	if t.final != "" {
		_ = os.Remove(t.file.Name())
	}
	t.file = nil
}

// checkTarget makes sure that a file can be made at path, so that a mistake shows before the work. The
// file itself is made much later.
func checkTarget(flag, path string) error {
	stat, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %s: directory %s: %w", flag, path, filepath.Dir(path), reason(err))
	case !stat.IsDir():
		return fmt.Errorf("%s: %s: %s is not a directory", flag, path, filepath.Dir(path))
	}
	switch stat, err := os.Stat(path); {
	case err == nil && !stat.Mode().IsRegular():
		return fmt.Errorf("%s: %s is there and not a regular file", flag, path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %s: %w", flag, path, reason(err))
	}
	return nil
}
