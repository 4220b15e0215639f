package main

import (
	"fmt"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const runHelp = `Run classifies pictures.

The table is for reading; json gives one line a picture,
  {"file":"a.jpg","top":[{"index":3,"label":"cat","prob":0.66}]} or {"file":"b.jpg","error":"..."}
and csv one line a class. Answers come in the order of the inputs. With --tensor, row R of an
array of more than one is called FILE#R.

In the array of --logits, row i belongs to input i; that of an input that failed is NaN.`

// runOptions are the flags of bitgpu run.
type runOptions struct {
	model  modelFlags
	inputs inputFlags
	topk   int
	format string
	out    string
	logits string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:     "run [flags] PATH...",
		Short:   "Classify pictures",
		Long:    runHelp,
		Example: "  bitgpu run --model demo photos/\n  bitgpu run --format json --out answers.jsonl 'photos/**/*.jpg'",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.classify(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	o.model.addTTA(flags)
	o.model.addHead(flags)
	flags.IntVar(&o.topk, "topk", 5, "how many classes to name")
	flags.StringVar(&o.format, "format", "table", "of the answers, `table|json|csv`")
	flags.StringVar(&o.out, "out", "", "write to `FILE` instead of standard output")
	flags.StringVar(&o.logits, "logits", "", "also write the raw logits, float32 [N,classes], to `FILE.npy`")
	return cmd
}

func (a *app) classify(cmd *cobra.Command, o runOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.topk < 1 {
		return usage("--topk: %d, want at least 1", o.topk)
	}
	if err := checkFormat(o.format); err != nil {
		return err
	}
	out, err := a.createText(o.out)
	if err != nil {
		return err
	}
	defer out.Discard()
	width, terminal := 0, false
	if out.file == nil {
		width, terminal = terminalWidth(a.stdout)
	}
	recorder := newRecorder(o.format, out, width)
	results := []result{out}
	var logits *rowFile
	if o.logits != "" {
		if logits, err = createRows("--logits", o.logits, loader.F32); err != nil {
			return err
		}
		defer logits.Discard()
		results = append(results, logits)
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		if m.Info().Config.Classes == 0 {
			return cannotOpen(fmt.Errorf("model %s has no classes; bitgpu embed gives its embeddings", m.Info().Name))
		}
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: bitgpu.Outputs{Logits: true}, tell: o.format == "table", quiet: terminal,
			answer: func(x *answer) error {
				r := record{file: x.file, err: x.err}
				if x.err == nil {
					r.top = m.Top(x.output.Logits.Data, o.topk)
				}
				if logits != nil {
					if err := logits.answer(x, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Logits }); err != nil {
						return err
					}
				}
				return recorder.record(r)
			},
		}
		return finish(j.run(cmd.Context(), m), results...)
	})
}
