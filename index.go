package bitgpu

// This file owns indexes of pictures: which a model can use, and bringing one up to date.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
)

// Space says how the model makes embeddings; index.Space tells which can be compared.
func (m *Model) Space() index.Space {
	p := m.info.Preprocess
	return index.Space{Model: m.info.Name, Trunk: m.info.Trunk, Preprocess: index.Preprocess{
		Size: p.Size, CropPct: p.CropPct, Interpolation: p.Interpolation.String(), Mean: p.Mean, Std: p.Std,
		AutoOrient: m.options.AutoOrient, Flip: m.options.Flip,
	}}
}

// CheckIndex reports whether the model's embeddings can be compared with those of an index. The error wraps
// ErrOtherModel.
func (m *Model) CheckIndex(x *index.Index) error {
	if differs := x.Space().Differs(m.Space()); differs != "" {
		return fmt.Errorf("bitgpu: the index has embeddings of %s: %w", differs, ErrOtherModel)
	}
	return nil
}

// IndexOptions of WriteIndex. The zero value works.
type IndexOptions struct {
	DType   loader.DType // how embeddings are stored: F32, or F16, which takes half the space
	Rebuild bool         // embed everything again
	// Each, if set, is told what became of each input, in order.
	Each func(Indexed)
}

// Indexed is what became of an input of WriteIndex.
type Indexed struct {
	Input  Input
	Reused bool  // the embedding was in the index already
	Twice  bool  // an earlier input is the same picture
	Err    error // the picture could not be embedded, and is not in the index
}

// WriteIndex brings the index at path up to date: afterwards it has the inputs' embeddings and no others. Files
// that have the same size and time of change as in the index that is there are not embedded again. Inputs run
// as those of Stream do; what fails is left out. The index is replaced at the end, and stays as it is when
// WriteIndex returns an error: if ctx ends, the last device fails, all inputs fail, or the index that is there
// cannot be used, when the error wraps ErrOtherModel or loader.ErrCorrupt.
//
// An input without a Path is kept under its Name and embedded every time.
func (m *Model) WriteIndex(ctx context.Context, path string, inputs iter.Seq[Input], o IndexOptions) error {
	old, err := m.oldIndex(path, o.Rebuild)
	if err != nil {
		return err
	}
	w, err := index.Create(path, m.Space(), m.info.Config.Features(), o.DType)
	if err == nil {
		err = m.fillIndex(ctx, w, old, inputs, o.Each)
		if err != nil {
			err = errors.Join(err, w.Discard())
		}
	}
	if old != nil {
		err = errors.Join(err, old.Close()) // before its file is replaced, which some systems want
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// oldIndex opens the index that is there; nil if none is, or it is not to be used.
func (m *Model) oldIndex(path string, rebuild bool) (*index.Index, error) {
	if rebuild {
		return nil, nil
	}
	x, err := index.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := m.CheckIndex(x); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), x.Close())
	}
	return x, nil
}

// candidate is a picture on its way into an index.
type candidate struct {
	input Input
	entry index.Entry
	row   int // in the old index; -1 if it has to be embedded
}

// queue hands candidates from the goroutine that lists them to the one that writes.
type queue struct {
	mu  sync.Mutex
	all []candidate
}

func (q *queue) push(c candidate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, c)
}

func (q *queue) pop() (c candidate, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.all) == 0 {
		return c, false
	}
	c, q.all = q.all[0], q.all[1:]
	return c, true
}

// fillIndex writes the embeddings of all inputs in their order.
func (m *Model) fillIndex(ctx context.Context, w *index.Writer, old *index.Index, inputs iter.Seq[Input], each func(Indexed)) error {
	if each == nil {
		each = func(Indexed) {}
	}
	var waiting queue // in the order of the inputs; those that are embedded come back in this order, too
	fresh := func(yield func(Input) bool) {
		for in := range inputs {
			c := newCandidate(in, old)
			waiting.push(c)
			if c.row < 0 && !yield(in) {
				return
			}
		}
	}
	// copied writes the candidates before the next one that has been embedded.
	copied := func() (c candidate, err error) {
		for {
			c, ok := waiting.pop()
			if !ok || c.row < 0 {
				return c, nil
			}
			if w.Has(c.entry) {
				each(Indexed{Input: c.input, Twice: true})
				continue
			}
			if err := w.Copy(c.entry, old, c.row); err != nil {
				return c, err
			}
			each(Indexed{Input: c.input, Reused: true})
		}
	}
	failed := 0
	for r := range m.Stream(ctx, fresh, Outputs{Embedding: true}) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("bitgpu: %w", err)
		}
		if errors.Is(r.Err, gpu.ErrDeviceLost) || errors.Is(r.Err, gpu.ErrOutOfMemory) {
			return r.Err // which is not the picture's fault
		}
		c, err := copied()
		if err != nil {
			return err
		}
		done := Indexed{Input: r.Input, Err: r.Err, Twice: r.Err == nil && w.Has(c.entry)}
		if done.Err == nil && !finite(r.Output.Embedding.Data) {
			done.Err = fmt.Errorf("bitgpu: %s: the embedding has NaN or infinity in it", c.entry.Name)
		}
		if done.Err == nil && !done.Twice {
			if err := w.Add(c.entry, r.Output.Embedding.Data); err != nil {
				return err
			}
		}
		if done.Err != nil {
			failed++
		}
		each(done)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("bitgpu: %w", err)
	}
	if _, err := copied(); err != nil {
		return err
	}
	if failed > 0 && w.Len() == 0 {
		return fmt.Errorf("bitgpu: none of %d pictures could be embedded, so there is nothing to index", failed)
	}
	return nil
}

// newCandidate looks a picture up in the old index, if there is one.
func newCandidate(in Input, old *index.Index) candidate {
	c := candidate{input: in, entry: index.Entry{Name: in.Name, Size: -1}, row: -1}
	if in.Image != nil || in.Path == "" {
		return c
	}
	c.entry = index.Entry{Name: in.Path}
	entry, err := index.File(in.Path)
	if err != nil {
		return c // reading it will fail, too
	}
	c.entry = entry
	if old != nil {
		if row, ok := old.Unchanged(entry); ok {
			c.row = row
		}
	}
	return c
}

// finite says whether no value is NaN or infinite.
func finite(values []float32) bool {
	for _, v := range values {
		if v-v != 0 {
			return false
		}
	}
	return true
}
