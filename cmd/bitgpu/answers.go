package main

// This file owns running inputs through a model and counting those that fail.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/pflag"
)

// inputFlags say how PATHs are read and run.
type inputFlags struct {
	pictures pictureFlags
	batch    batch
	tensor   bool
}

func (f *inputFlags) add(flags *pflag.FlagSet) {
	f.pictures.add(flags)
	f.addRunning(flags)
}

// addRunning adds the flags that say how pictures are run.
func (f *inputFlags) addRunning(flags *pflag.FlagSet) {
	flags.Var(&f.batch, "batch", "pictures that run at once")
	flags.BoolVar(&f.tensor, "tensor", false, "PATHs are .npy files, float32 [N,3,H,W], already normalized; each row is a picture")
}

// answer is what became of one picture.
type answer struct {
	file   string // with --tensor, of an array of more than one row, FILE#ROW
	class  int    // as the input's
	output *bitgpu.Output
	err    error
}

// job is what run, embed and features have in common: inputs through a model, answers to a sink.
type job struct {
	*app
	paths  []string
	flags  inputFlags
	want   bitgpu.Outputs
	tell   bool // print what is wrong with an input to stderr
	quiet  bool // no progress bar, because answers go to the terminal as they come
	answer func(*answer) error

	source iter.Seq[input] // in place of paths, if set
	status func() string   // what the progress bar says beside the count; nil for nothing
}

// check checks the flags, and that there is something to do.
func (f *inputFlags) check(flags *pflag.FlagSet, paths []string) error {
	if err := f.pictures.check(flags, paths); err != nil {
		return err
	}
	if f.pictures.size != 0 && f.pictures.size < net.MinSize {
		return usage("--size: %d, want at least %d", f.pictures.size, net.MinSize)
	}
	if !f.tensor {
		return nil
	}
	var pictures pflag.FlagSet
	new(pictureFlags).add(&pictures)
	var err error
	pictures.VisitAll(func(p *pflag.Flag) {
		given := flags.Lookup(p.Name)
		if given.Changed && given.Annotations[presetFrom] == nil && err == nil {
			err = usage("--%s is about pictures and does not go with --tensor", p.Name)
		}
	})
	return err
}

// run hands every input's answer to the sink, in order. The sink may set an answer's error; an error
// that it returns ends the run. The result is an errInputs if inputs failed.
func (j *job) run(ctx context.Context, m *bitgpu.Model) error {
	in := j.inputs(&j.flags.pictures, j.paths)
	in.source = j.source
	answers := pictures
	if j.flags.tensor {
		in.extensions = tensorFiles
		answers = tensors
	}
	count := tally{app: j.app, tell: j.tell, start: time.Now()}
	if _, terminal := terminalWidth(j.stderr); terminal && !j.quiet {
		total := -1
		if !j.flags.tensor {
			total = in.count(ctx)
		}
		count.bar = newInputsBar(j.stderr, total)
	}
	defer count.bar.end()
	for a := range answers(ctx, m, in, j.want) {
		if a.err == nil {
			a.err = checkOutput(a.output)
		}
		if err := j.answer(&a); err != nil {
			return err
		}
		count.add(a.file, a.err)
		if j.status != nil {
			count.bar.describe(j.status())
		}
	}
	return count.result(ctx)
}

// tally counts inputs that are done, and those that failed.
type tally struct {
	*app
	bar   *bar // nil for none
	tell  bool // print what is wrong with an input to stderr
	count errInputs
	start time.Time // of the first input
}

func (t *tally) add(file string, err error) {
	t.count.total++
	if err != nil {
		t.count.failed++
		if t.tell {
			t.bar.pause()
			complain(t.stderr, named(file, err))
		}
	}
	t.bar.add()
}

// result is ctx's error if the run was interrupted, or an errInputs if inputs failed.
func (t *tally) result(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.bar.pause()
	took := time.Since(t.start).Seconds()
	t.mention("%d of %d inputs worked, in %.2f s, %.1f a second; at most %s of memory", t.count.total-t.count.failed, t.count.total, took,
		float64(t.count.total)/took, size(peakRSS()))
	if t.count.failed > 0 {
		return t.count
	}
	return nil
}

// named is an error about a file, with the file's name in it.
func named(file string, err error) error {
	if strings.Contains(err.Error(), file) {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// pictures runs files through the model's own pipeline. It ends early, without a word, when ctx does.
func pictures(ctx context.Context, m *bitgpu.Model, in inputs, want bitgpu.Outputs) iter.Seq[answer] {
	return func(yield func(answer) bool) {
		stream := func(yield func(bitgpu.Input) bool) {
			for i := range in.all() {
				if !yield(i.source(ctx)) {
					return
				}
			}
		}
		for r := range m.Stream(ctx, stream, want) {
			if ctx.Err() != nil || !yield(answer{r.Input.Name, r.Input.Class, r.Output, r.Err}) {
				return
			}
		}
	}
}

// checkOutput makes sure that all of a picture's output is finite. It is not where values have grown
// beyond fp16.
func checkOutput(o *bitgpu.Output) error {
	for _, t := range append([]*bitgpu.Tensor{o.Logits, o.Embedding, o.Unpooled}, o.Maps...) {
		if t != nil && !finite(t.Data) {
			return errors.New("the result has NaN or infinity in it")
		}
	}
	return nil
}
