package main

import (
	"fmt"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const runHelp = `Run classifies pictures.

The table is for reading. json has one line a picture,
  {"file":"a.jpg","top":[{"index":3,"label":"cat","prob":0.66}]} or {"file":"b.jpg","error":"..."}
and csv one line a class: file,rank,index,label,prob,error. npy, npz and safetensors hold the raw logits, float32
[N,classes], of which row i belongs to input i, and that of an input that failed is NaN; the latter two also the names
of the files. Answers come in the order of the inputs. With --tensor, row R of an array of more than one is called
FILE#R.`

// runOptions are the flags of bitgpu run.
type runOptions struct {
	model  modelFlags
	inputs inputFlags
	topk   int
	format formatFlag
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
	flags.IntVarP(&o.topk, "topk", "k", 5, "how many classes to name")
	addFormat(flags, &o.format, formatTable, formatJSON, formatCSV, formatNPY, formatNPZ, formatSafetensors)
	flags.StringVarP(&o.out, "out", "o", "", "write to `FILE` instead of standard output")
	flags.StringVar(&o.logits, "logits", "", "also write the raw logits, float32 [N,classes], to `FILE.npy|FILE.npz|FILE.safetensors`")
	return cmd
}

func (a *app) classify(cmd *cobra.Command, o runOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.topk < 1 {
		return usage("--topk: %d, want at least 1", o.topk)
	}
	out, err := o.output("--out", o.out, &o.format)
	if err != nil {
		return err
	}
	w, err := a.createWriter(out)
	if err != nil {
		return err
	}
	defer w.Discard()
	writers, results := []writer{w}, []result{w}
	if o.logits != "" {
		logits, err := o.output("--logits", o.logits, &formatFlag{formatAuto, []format{formatNPY, formatNPZ, formatSafetensors}})
		if err != nil {
			return err
		}
		w, err := a.createWriter(logits)
		if err != nil {
			return err
		}
		defer w.Discard()
		writers, results = append(writers, w), append(results, w)
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		if m.Info().Config.Classes == 0 {
			return cannotOpen(fmt.Errorf("model %s has no classes; bitgpu embed gives its embeddings", m.Info().Name))
		}
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: bitgpu.Outputs{Logits: true},
			tell: out.format == formatTable || out.format.isArray(), quiet: a.answersShow(out),
			answer: func(x *answer) error {
				r := record{file: x.file, err: x.err}
				if x.err == nil {
					r.top = m.Top(x.output.Logits.Data, o.topk)
					r.rows = []values{rowOfTensor(x.output.Logits)}
				}
				for _, w := range writers {
					if err := w.write(&r); err != nil {
						return err
					}
				}
				x.err = r.err
				return nil
			},
		}
		return finish(j.run(cmd.Context(), m), results...)
	})
}

// output describes the file of answers, or of logits.
func (o *runOptions) output(flag, path string, f *formatFlag) (output, error) {
	format, err := f.of(flag, path)
	out := output{flag: flag, path: path, format: format, dtype: loader.F32}
	if format.isArray() {
		out.names = []string{"logits"}
	}
	return out, err
}
