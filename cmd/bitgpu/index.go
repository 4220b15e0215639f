package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/spf13/cobra"
)

const indexHelp = `Index keeps the embeddings of pictures in a file, for bitgpu search and bitgpu fit.

An index that is there is brought up to date: files that have the same size and time of change are not
embedded again, new and changed ones are, and what the PATHs do not lead to any more is dropped. The file is
replaced when it is complete; interrupted, the old one stays. An index of another model, or of other
preprocessing, is refused; --rebuild makes it anew.

Without --model the index that is there says which model, and how pictures are prepared.

The file is safetensors: embeddings [N,D] of length 1, norms, names, sizes and times of change of the files,
and in the metadata the model and the preprocessing. Names are relative to the index's directory, but for
PATHs that are absolute, so that both can be moved together. --dtype f16 takes half the space and changes
similarities in the fourth digit.

Pictures that cannot be read are reported and left out.`

// indexOptions are the flags of bitgpu index.
type indexOptions struct {
	model   modelFlags
	inputs  inputFlags
	out     string
	dtype   string
	rebuild bool
	json    bool
}

func (a *app) indexCommand() *cobra.Command {
	var o indexOptions
	cmd := &cobra.Command{
		Use:     "index [flags] -o FILE PATH...",
		Short:   "Keep the embeddings of pictures in a file, to search",
		Long:    indexHelp,
		Example: "  bitgpu index --model demo -o photos.idx photos/\n  bitgpu index -o photos.idx photos/   # again, after a while",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.index(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.pictures.add(flags)
	flags.Var(&o.inputs.batch, "batch", "pictures that run at once")
	o.model.addTTA(flags)
	flags.StringVarP(&o.out, "out", "o", "", "the index, `FILE`")
	flags.StringVar(&o.dtype, "dtype", "", "how embeddings are stored, `f32|f16`; as they are in an index that is there, else f32")
	flags.BoolVar(&o.rebuild, "rebuild", false, "embed everything again, also with another model than before")
	flags.BoolVar(&o.json, "json", false, "one JSON object")
	return cmd
}

// storage is the value of --dtype.
func (o *indexOptions) storage() (loader.DType, error) {
	switch o.dtype {
	case "", "f32":
		return loader.F32, nil
	case "f16":
		return loader.F16, nil
	}
	return 0, usage("--dtype: %q is neither f32 nor f16", o.dtype)
}

// indexReport is what became of the pictures of an index.
type indexReport struct {
	Index     string `json:"index"`
	Pictures  int    `json:"pictures"`
	Embedded  int    `json:"embedded"`
	Unchanged int    `json:"unchanged"`
	Dropped   int    `json:"dropped"`
	Failed    int    `json:"failed"`
}

func (a *app) index(cmd *cobra.Command, o indexOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	dtype, err := o.storage()
	if err != nil {
		return err
	}
	if o.out == "" {
		return usage("-o FILE is missing")
	}
	if err := checkTarget("--out", o.out); err != nil {
		return err
	}
	before := 0
	if !o.rebuild {
		old, err := openOldIndex(o.out)
		if err != nil {
			return err
		}
		if old != nil {
			before = old.Len()
			if o.dtype == "" {
				dtype = old.DType()
			}
			o.use(a, old.Space())
			if err := old.Close(); err != nil {
				return err
			}
		}
	}
	r := indexReport{Index: o.out}
	err = a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		in := a.inputs(&o.inputs.pictures, paths)
		count := tally{app: a, tell: true, start: time.Now()}
		if _, terminal := terminalWidth(a.stderr); terminal {
			count.bar = newInputsBar(a.stderr, in.count(cmd.Context()))
		}
		defer count.bar.end()
		err := m.WriteIndex(cmd.Context(), o.out, sources(cmd, in), bitgpu.IndexOptions{DType: dtype, Rebuild: o.rebuild, Each: func(d bitgpu.Indexed) {
			switch {
			case d.Err != nil:
				r.Failed++
			case d.Reused:
				r.Unchanged++
			case !d.Twice:
				r.Embedded++
			}
			count.add(d.Input.Name, d.Err)
		}})
		if errors.Is(err, bitgpu.ErrOtherModel) {
			err = fmt.Errorf("%w\n--rebuild makes it anew", err)
		}
		if err != nil {
			return err
		}
		return count.result(cmd.Context())
	})
	if err != nil && !isSome(err) {
		return err
	}
	r.Pictures = r.Embedded + r.Unchanged
	r.Dropped = max(before-r.Unchanged, 0)
	if failed := a.tellIndex(r, o.json); failed != nil {
		return failed
	}
	return err
}

// use has pictures embedded as an index says, but for what the command line says.
func (o *indexOptions) use(a *app, s index.Space) {
	o.model.prefer(a, s.Model)
	o.inputs.pictures.like(s.Preprocess, o.model.given)
	o.model.flipLike(s.Preprocess)
}

func (a *app) tellIndex(r indexReport, json bool) error {
	out := a.text()
	if json {
		return jsonLine(out, r)
	}
	fmt.Fprintf(out, "%s: %d pictures: %d embedded, %d unchanged, %d dropped\n", printable(r.Index), r.Pictures, r.Embedded, r.Unchanged, r.Dropped)
	return out.Flush()
}

// sources are inputs as a model takes them.
func sources(cmd *cobra.Command, in inputs) iter.Seq[bitgpu.Input] {
	return func(yield func(bitgpu.Input) bool) {
		for i := range in.all() {
			if !yield(i.source(cmd.Context())) {
				return
			}
		}
	}
}

// openOldIndex opens an index that is to be brought up to date; nil if there is none.
func openOldIndex(path string) (*index.Index, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	x, err := index.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--out: a file is there that is not a sound index; --rebuild replaces it: %w", err)
	}
	return x, nil
}

// like has pictures prepared as for other embeddings, but for what the command line says.
func (f *pictureFlags) like(p index.Preprocess, given func(flag string) bool) {
	if !given("size") {
		f.size = p.Size
	}
	if !given("crop-pct") {
		f.cropPct = p.CropPct
	}
	if !given("interpolation") {
		f.interpolation = p.Interpolation
	}
	if !given("mean") {
		f.mean = channels{p.Mean, true}
	}
	if !given("std") {
		f.std = channels{p.Std, true}
	}
	if !given("auto-orient") {
		f.autoOrient = p.AutoOrient
	}
}

// flipLike is like for --tta.
func (f *modelFlags) flipLike(p index.Preprocess) {
	if !f.given("tta") {
		f.tta = tta(p.Flip)
	}
}
