package main

// This file owns .npy output. Row i of every array belongs to input i: an input that failed gets a row
// of NaN (of zeros in an array of uint8), so that rows and inputs still match. The shape of the rows
// is that of the first input that worked; if none did, there is no file.

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// rowFile writes one array, [N, shape...], whose file appears under its name only when it is complete.
type rowFile struct {
	path    string
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
	return &rowFile{path: path, dtype: dtype}, nil
}

// fits says whether a row of some shape belongs into the array.
func (r *rowFile) fits(shape []int) error {
	if r.writer != nil && !slices.Equal(shape, r.shape) {
		return fmt.Errorf("the result is %v, but rows of %s are %v", shape, r.path, r.shape)
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

// add appends the one row of a tensor, [1, shape...].
func (r *rowFile) add(t *bitgpu.Tensor) error {
	if err := r.open(t.Shape[1:]); err != nil {
		return err
	}
	return r.writer.WriteFloat32(t.Data)
}

// addBytes appends a row of an array of uint8.
func (r *rowFile) addBytes(row []byte, shape ...int) error {
	if err := r.open(shape); err != nil {
		return err
	}
	_, err := r.writer.Write(row)
	return err
}

// answer appends the row of an answer: the tensor that is picked of its output, or a blank.
func (r *rowFile) answer(x *answer, pick func(*bitgpu.Output) *bitgpu.Tensor) error {
	if x.err != nil {
		return r.skip()
	}
	return r.add(pick(x.output))
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
