package main

import (
	"path/filepath"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const embedHelp = `Embed writes the embeddings of pictures: the pooled final features, timm's pre_logits.

FILE.npy is float32 [N,D]; row i belongs to input i, and that of an input that failed is NaN.
FILE.jsonl, and standard output, is one line a picture:
  {"file":"a.jpg","embedding":[0.1,0.2]} or {"file":"b.jpg","error":"..."}
With --unpooled, FILE.npy is the final features before pooling, float32 [N,D,H,W].`

// embedOptions are the flags of bitgpu embed.
type embedOptions struct {
	model    modelFlags
	inputs   inputFlags
	out      string
	unpooled bool
}

func (a *app) embedCommand() *cobra.Command {
	var o embedOptions
	cmd := &cobra.Command{
		Use:     "embed [flags] PATH...",
		Short:   "Write the embeddings of pictures",
		Long:    embedHelp,
		Example: "  bitgpu embed --model demo --out embeddings.npy photos/",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.embed(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	o.model.addTTA(flags)
	flags.StringVar(&o.out, "out", "", "`FILE`.npy or FILE.jsonl; JSON lines on standard output if not given")
	flags.BoolVar(&o.unpooled, "unpooled", false, "the features before pooling, [N,D,H,W], to FILE.npy")
	return cmd
}

func (a *app) embed(cmd *cobra.Command, o embedOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.unpooled && bool(o.model.tta) {
		return usage("--tta averages embeddings, not the features of --unpooled")
	}
	switch ext := strings.ToLower(filepath.Ext(o.out)); {
	case ext == ".npy":
		return a.embedRows(cmd, o, paths)
	case o.unpooled:
		return usage("--unpooled needs --out FILE.npy")
	case ext == ".jsonl" || o.out == "" || o.out == "-":
		return a.embedLines(cmd, o, paths)
	}
	return usage("--out: %s is neither a .npy nor a .jsonl file", o.out)
}

func (a *app) embedRows(cmd *cobra.Command, o embedOptions, paths []string) error {
	want, pick := bitgpu.Outputs{Embedding: true}, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Embedding }
	if o.unpooled {
		want, pick = bitgpu.Outputs{Unpooled: true}, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Unpooled }
	}
	file, err := createRows("--out", o.out, loader.F32)
	if err != nil {
		return err
	}
	defer file.Discard()
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: want, tell: true,
			answer: func(x *answer) error {
				if x.err == nil {
					x.err = file.fits(pick(x.output).Shape[1:])
				}
				return file.answer(x, pick)
			},
		}
		return finish(j.run(cmd.Context(), m), file)
	})
}

func (a *app) embedLines(cmd *cobra.Command, o embedOptions, paths []string) error {
	out, err := a.createText(o.out)
	if err != nil {
		return err
	}
	defer out.Discard()
	_, terminal := terminalWidth(a.stdout)
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: bitgpu.Outputs{Embedding: true}, quiet: terminal && out.file == nil,
			answer: func(x *answer) error {
				if x.err != nil {
					return jsonLine(out, jsonError{x.file, x.err.Error()})
				}
				return jsonLine(out, struct {
					File      string    `json:"file"`
					Embedding []float32 `json:"embedding"`
				}{x.file, x.output.Embedding.Data})
			},
		}
		return finish(j.run(cmd.Context(), m), out)
	})
}
