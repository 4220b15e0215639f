package main

// This file owns --tensor: .npy files whose rows are pictures, normalized already.

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// tensors runs the rows of .npy files, batch by batch. A file that cannot be run as a whole gives one
// answer. It ends early, without a word, when ctx does.
func tensors(ctx context.Context, m *bitgpu.Model, in inputs, want bitgpu.Outputs) iter.Seq[answer] {
	return func(yield func(answer) bool) {
		// In a goroutine of its own, because nothing interrupts reading a list.
		files := ordered(ctx, in.all(), 1, func(i input) input { return i })
		for i := range files {
			for a := range rows(ctx, m, i, want) {
				a.class = i.class
				if ctx.Err() != nil || !yield(a) {
					return
				}
			}
		}
	}
}

// rows runs one .npy file.
func rows(ctx context.Context, m *bitgpu.Model, in input, want bitgpu.Outputs) iter.Seq[answer] {
	return func(yield func(answer) bool) {
		if in.err == nil && in.open != nil {
			in.err = errors.New("--tensor reads files, not URLs")
		}
		if in.err != nil {
			yield(answer{file: in.file, err: in.err})
			return
		}
		npy, err := loader.OpenNPY(in.file)
		if err != nil {
			yield(answer{file: in.file, err: err})
			return
		}
		defer npy.Close()
		shape := npy.Shape()
		batch, err := tensorBatch(m, npy, want)
		if err != nil {
			yield(answer{file: in.file, err: named(in.file, err)})
			return
		}
		starts := func(yield func(int) bool) {
			for at := 0; at < shape[0] && yield(at); at += batch {
			}
		}
		// While the devices compute one batch the next is read.
		for b := range ordered(ctx, starts, 2, func(at int) *tensorRows { return runRows(ctx, m, npy, want, at, min(batch, shape[0]-at)) }) {
			for row := range b.bad {
				a := b.answer(row)
				a.file = in.file
				if shape[0] > 1 {
					a.file = fmt.Sprintf("%s#%d", in.file, b.at+row)
				}
				if !yield(a) {
					return
				}
			}
		}
	}
}

// tensorRows are rows of an array that were run together.
type tensorRows struct {
	at  int    // the first
	bad []bool // which have NaN or infinity in them
	out *bitgpu.Output
	err error
}

func runRows(ctx context.Context, m *bitgpu.Model, npy *loader.NPYReader, want bitgpu.Outputs, at, n int) *tensorRows {
	shape := npy.Shape()
	x := &bitgpu.Tensor{Shape: []int{n, shape[1], shape[2], shape[3]}, Data: make([]float32, n*npy.RowLen())}
	r := &tensorRows{at: at, bad: make([]bool, n)}
	if r.err = npy.ReadFloat32(x.Data, at); r.err == nil {
		r.bad = blankRows(x)
		r.out, r.err = m.Forward(ctx, x, want)
	}
	return r
}

func (r *tensorRows) answer(row int) answer {
	switch {
	case r.err != nil:
		return answer{err: r.err}
	case r.bad[row]:
		return answer{err: errors.New("the input has NaN or infinity in it")}
	}
	return answer{output: r.out.Image(row)}
}

// tensorBatch checks that an array holds pictures and returns how many of them to run at once.
func tensorBatch(m *bitgpu.Model, npy *loader.NPYReader, want bitgpu.Outputs) (int, error) {
	shape := npy.Shape()
	if len(shape) != 4 || shape[1] != 3 || npy.DType() == loader.U8 {
		return 0, fmt.Errorf("%v %v, want a float32 array [N,3,H,W] of normalized pictures", npy.DType(), shape)
	}
	return m.BatchSize(shape[2], shape[3], want)
}

// blankRows zeroes the pictures that have NaN or infinity in them, so that the others can run, and
// says which they were.
func blankRows(x *bitgpu.Tensor) []bool {
	bad := make([]bool, x.Shape[0])
	each := len(x.Data) / len(bad)
	for i := range bad {
		row := x.Data[i*each : (i+1)*each]
		if bad[i] = !finite(row); bad[i] {
			clear(row)
		}
	}
	return bad
}

// finite says whether there is neither NaN nor infinity.
func finite(values []float32) bool {
	for _, v := range values {
		if v-v != 0 { // NaN for both
			return false
		}
	}
	return true
}
