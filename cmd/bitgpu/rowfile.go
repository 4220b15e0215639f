package main

// This file owns one array of results that is written row by row: a .npy file, for good or as part of an archive.

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitgpu/bitgpu/loader"
)

// rowFile writes one array, [N, shape...], whose file appears under its name only when it is complete.
type rowFile struct {
	path    string
	shown   string       // what errors call it
	dtype   loader.DType // F32 or U8
	writer  *loader.NPYWriter
	shape   []int // of a row
	blank   []byte
	waiting int // failed inputs before the first row
}

// createRows prepares a file for rows. flag is the one that named it, for errors.
func createRows(flag, path string, dtype loader.DType) (*rowFile, error) {
	if err := checkTarget(flag, path); err != nil {
		return nil, err
	}
	return &rowFile{path: path, shown: path, dtype: dtype}, nil
}

// fits says whether a row of some shape belongs into the array.
func (r *rowFile) fits(shape []int) error {
	if r.writer != nil && !slices.Equal(shape, r.shape) {
		return fmt.Errorf("the result is %v, but rows of %s are %v", shape, r.shown, r.shape)
	}
	return nil
}

// open creates the file with the first row.
func (r *rowFile) open(shape []int) error {
	if r.writer != nil {
		return r.fits(shape)
	}
	w, err := loader.CreateNPY(r.path, r.dtype, shape...)
	if err != nil {
		return err
	}
	size := r.dtype.Size()
	for _, n := range shape {
		size *= n
	}
	r.writer, r.shape, r.blank = w, slices.Clone(shape), make([]byte, size)
	if nan := math.Float32bits(float32(math.NaN())); r.dtype == loader.F32 {
		for i := range r.blank {
			r.blank[i] = byte(nan >> (8 * (i % 4)))
		}
	}
	for ; r.waiting > 0; r.waiting-- {
		if _, err := w.Write(r.blank); err != nil {
			return err
		}
	}
	return nil
}

// add appends a row.
func (r *rowFile) add(v values) error {
	if err := r.open(v.shape); err != nil {
		return err
	}
	if r.dtype == loader.U8 {
		_, err := r.writer.Write(v.bytes)
		return err
	}
	return r.writer.WriteFloat32(v.floats)
}

// skip appends the row of an input that failed.
func (r *rowFile) skip() error {
	if r.writer == nil {
		r.waiting++
		return nil
	}
	_, err := r.writer.Write(r.blank)
	return err
}

// Close gives the file its name.
func (r *rowFile) Close() error {
	if r.writer == nil {
		return nil
	}
	return r.writer.Close()
}

// Discard removes an unfinished file. It is for defer, after Close it does nothing.
func (r *rowFile) Discard() {
	if r.writer != nil {
		_ = r.writer.Discard() // nobody wants the file any more
	}
}
