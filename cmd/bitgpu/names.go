package main

// This file owns the names of inputs on their way into an archive: in a temporary file, because there may be any
// number of them.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"unicode/utf8"
)

// nameList is a file of JSON strings, one a line.
type nameList struct {
	file    *os.File
	buf     *bufio.Writer
	count   int64
	longest int // in characters
}

func createNames(path string) (*nameList, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &nameList{file: f, buf: bufio.NewWriter(f)}, nil
}

func (n *nameList) add(name string) error {
	line, err := json.Marshal(name)
	if err != nil {
		return err
	}
	n.count++
	n.longest = max(n.longest, utf8.RuneCountInString(name))
	_, _ = n.buf.Write(line) // WriteByte has the error
	return n.buf.WriteByte('\n')
}

// lines yields the JSON of each name, without a newline, from the first one on. The slice is the list's.
func (n *nameList) lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := n.buf.Flush()
		if err == nil {
			_, err = n.file.Seek(0, io.SeekStart)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		r := bufio.NewReader(n.file)
		for range n.count {
			line, err := r.ReadBytes('\n')
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", n.file.Name(), err))
				return
			}
			if !yield(line[:len(line)-1], nil) {
				return
			}
		}
	}
}

// all yields the names.
func (n *nameList) all() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range n.lines() {
			var name string
			if err == nil {
				err = json.Unmarshal(line, &name)
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
	}
}

// writeJSON writes a list of all names.
func (n *nameList) writeJSON(w io.Writer) error {
	before := "["
	for line, err := range n.lines() {
		if err != nil {
			return err
		}
		if _, err := w.Write(append([]byte(before), line...)); err != nil {
			return err
		}
		before = ","
	}
	end := "]"
	if n.count == 0 {
		end = "[]"
	}
	_, err := io.WriteString(w, end)
	return err
}

// discard removes the file.
func (n *nameList) discard() {
	_ = n.file.Close() // nobody reads it again
	_ = os.Remove(n.file.Name())
}
