package main

// This file owns what PATH arguments stand for. Nothing is collected: a directory of any size takes
// the memory of its largest level of names, a list on standard input that of one line.

import (
	"bufio"
	"bytes"
	"cmp"
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
	"unicode"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
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
	file  string // its name, for the answers
	class int    // where classes are known
	err   error
	open  func(context.Context) (io.ReadCloser, error) // of what is no file on a disk; nil for one
}

// source is an input as a model's stream takes it.
func (i input) source(ctx context.Context) bitgpu.Input {
	switch {
	case i.err != nil:
		return bitgpu.Input{Name: i.file, Open: func() (io.ReadCloser, error) { return nil, i.err }}
	case i.open != nil:
		return bitgpu.Input{Name: i.file, Class: i.class, Open: func() (io.ReadCloser, error) { return i.open(ctx) }}
	}
	return bitgpu.Input{Name: i.file, Class: i.class, Path: i.file}
}

// read brings a picture's file into memory.
func (i input) read(ctx context.Context, limits loader.DecodeLimits) (*loader.Encoded, error) {
	switch {
	case i.err != nil:
		return nil, i.err
	case i.open == nil:
		return loader.ReadImageFile(i.file, limits)
	}
	r, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return loader.ReadImage(r, i.file, limits)
}

// inputs are the arguments of --input, and the PATHs.
type inputs struct {
	named      []string
	paths      []string
	stdin      io.Reader       // what "-" reads
	extensions []string        // of the files that directories are searched for
	web        *loader.Fetcher // of URLs; nil if there are none
	source     iter.Seq[input] // in place of paths, if set; can be gone through more than once
}

// all yields the files in the order of the arguments; those of a directory or a glob sorted. An argument that leads to no file yields one input with an error.
func (in inputs) all() iter.Seq[input] {
	if in.source != nil {
		return in.source
	}
	return func(yield func(input) bool) {
		for _, path := range in.named {
			for i := range in.literal(path) {
				if !yield(i) {
					return
				}
			}
		}
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
	if _, err := os.Stat(path); err != nil && scheme(path) == "" && strings.ContainsAny(path, "*?[{") {
		return in.glob(path)
	}
	return in.path(path)
}

// standardInput is the name of a picture on standard input.
const standardInput = "stdin"

// literal yields what an argument of --input stands for.
func (in inputs) literal(path string) iter.Seq[input] {
	if path == "-" {
		return one(input{file: standardInput, open: in.standard})
	}
	return in.path(path)
}

// path yields a file, the files of a directory, or what a URL leads to.
func (in inputs) path(path string) iter.Seq[input] {
	stat, err := os.Stat(path)
	if err == nil && stat.IsDir() {
		return in.directory(path)
	}
	if err != nil {
		if in.web != nil && scheme(path) != "" {
			return one(input{file: path, open: func(ctx context.Context) (io.ReadCloser, error) { return in.web.Open(ctx, path) }})
		}
		err = fmt.Errorf("%s: %w", path, reason(err))
	}
	return one(input{file: path, err: err})
}

// scheme returns that of a URL, and nothing for other paths.
func scheme(path string) string {
	name, _, ok := strings.Cut(path, "://")
	letters := strings.TrimFunc(name, func(r rune) bool {
		return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("+-.", r))
	})
	if !ok || letters != "" {
		return ""
	}
	return name
}

// standard reads the picture on standard input. Nothing interrupts such a read, so it goes on by itself when ctx ends.
func (in inputs) standard(ctx context.Context) (io.ReadCloser, error) {
	limit := cmp.Or(in.web.MaxBytes, loader.DefaultFetchBytes)
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if data, err = io.ReadAll(io.LimitReader(in.stdin, limit+1)); err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%w: more than %d bytes", loader.ErrImageTooLarge, limit)
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", standardInput, err)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
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

// takes says whether a file in a directory is chosen.
func (in inputs) takes(name string) bool {
	return slices.Contains(in.extensions, strings.ToLower(filepath.Ext(name)))
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
				return give(input{file: path, err: fmt.Errorf("%s: %w", path, reason(err))})
			case path != root && strings.HasPrefix(d.Name(), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir() || !in.takes(path):
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
			yield(input{file: dir, err: fmt.Errorf("%s: no %s file in this directory", dir, strings.Join(in.extensions, ", "))})
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
			yield(input{file: pattern, err: fmt.Errorf("%s: not a valid glob", pattern)})
		case !found:
			yield(input{file: pattern, err: fmt.Errorf("%s: no such file, and no file matches", pattern)})
		}
	}
}

// longestPath is the largest line of a list.
const longestPath = 1 << 16

// list yields the files, directories and URLs that standard input names, one a line. Empty lines count for
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
			yield(input{file: "-", err: fmt.Errorf("list on standard input: %w", err)})
		}
	}
}
