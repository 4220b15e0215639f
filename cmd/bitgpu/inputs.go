package main

// This file owns what PATH arguments stand for. Nothing is collected: a directory of any size takes
// the memory of its largest level of names, a list on standard input that of one line.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Extensions, in lower case, by which files in directories are chosen. A file that is named is taken
// whatever its name.
var (
	pictureFiles = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
	tensorFiles  = []string{".npy"}
)

// input is a file, or the reason why a PATH gives none.
type input struct {
	file string
	err  error
}

// inputs are the PATH arguments.
type inputs struct {
	paths      []string
	stdin      io.Reader // what "-" reads
	extensions []string  // of the files that directories are searched for
}

// all yields the files in the order of the arguments; those of a directory or a glob sorted. An argument that leads to no file yields one input with an error.
func (in inputs) all() iter.Seq[input] {
	return func(yield func(input) bool) {
		for _, path := range in.paths {
			for i := range in.expand(path) {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// count returns the number of inputs, or -1 if that takes reading standard input.
func (in inputs) count(ctx context.Context) int {
	if slices.Contains(in.paths, "-") {
		return -1
	}
	n := 0
	for range in.all() {
		if n++; ctx.Err() != nil {
			return -1
		}
	}
	return n
}

// expand yields what one argument stands for. A file that exists is no glob, whatever its name.
func (in inputs) expand(path string) iter.Seq[input] {
	if path == "-" {
		return in.list()
	}
	if _, err := os.Stat(path); err != nil && strings.ContainsAny(path, "*?[{") {
		return in.glob(path)
	}
	return in.path(path)
}

// path yields a file, or the files of a directory.
func (in inputs) path(path string) iter.Seq[input] {
	stat, err := os.Stat(path)
	if err == nil && stat.IsDir() {
		return in.directory(path)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, reason(err))
	}
	return one(input{path, err})
}

// reason is an error without the path that package os adds.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func one(i input) iter.Seq[input] {
	return func(yield func(input) bool) { yield(i) }
}

// directory yields the files with the wanted extensions below dir, sorted as filepath.WalkDir does.
// What begins with a dot is left out; links to directories are not followed, but dir may be one.
func (in inputs) directory(dir string) iter.Seq[input] {
	return func(yield func(input) bool) {
		found := false
		give := func(i input) error {
			found = true
			if !yield(i) {
				return fs.SkipAll
			}
			return nil
		}
		root := dir + string(filepath.Separator)
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { // give returns no other error
			switch {
			case err != nil:
				path = filepath.Clean(path)
				return give(input{path, fmt.Errorf("%s: %w", path, reason(err))})
			case path != root && strings.HasPrefix(d.Name(), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir() || !slices.Contains(in.extensions, strings.ToLower(filepath.Ext(path))):
				return nil
			case d.Type()&fs.ModeSymlink != 0:
				if stat, err := os.Stat(path); err == nil && !stat.Mode().IsRegular() {
					return nil
				}
			case !d.Type().IsRegular():
				return nil
			}
			return give(input{file: path})
		})
		if !found {
			yield(input{dir, fmt.Errorf("%s: no %s file in this directory", dir, strings.Join(in.extensions, ", "))})
		}
	}
}

// glob yields the files that a pattern matches: * ? [class] {one,other}, and ** for any directories.
// They are sorted within each directory, whose own files come before those further down.
func (in inputs) glob(pattern string) iter.Seq[input] {
	return func(yield func(input) bool) {
		base, rest := doublestar.SplitPattern(filepath.ToSlash(filepath.Clean(pattern)))
		found, stopped := false, false
		err := doublestar.GlobWalk(os.DirFS(base), rest, func(match string, _ fs.DirEntry) error {
			found = true
			if stopped = !yield(input{file: filepath.Join(base, filepath.FromSlash(match))}); stopped {
				return fs.SkipAll
			}
			return nil
		}, doublestar.WithFilesOnly())
		switch {
		case stopped:
		case errors.Is(err, doublestar.ErrBadPattern):
			yield(input{pattern, fmt.Errorf("%s: not a valid glob", pattern)})
		case !found:
			yield(input{pattern, fmt.Errorf("%s: no such file, and no file matches", pattern)})
		}
	}
}

// longestPath is the largest line of a list.
const longestPath = 1 << 16

// list yields the files and directories that standard input names, one a line. Empty lines count for
// nothing.
func (in inputs) list() iter.Seq[input] {
	return func(yield func(input) bool) {
		lines := bufio.NewScanner(in.stdin)
		lines.Buffer(nil, longestPath)
		for lines.Scan() {
			line := strings.TrimSuffix(lines.Text(), "\r")
			if line == "" {
				continue
			}
			for i := range in.path(line) {
				if !yield(i) {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(input{"-", fmt.Errorf("list on standard input: %w", err)})
		}
	}
}
