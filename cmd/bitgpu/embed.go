package main

import (
	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const embedHelp = `Embed writes the embeddings of pictures: the pooled final features, timm's pre_logits.

json has one line a picture, {"file":"a.jpg","embedding":[0.1,0.2]} or {"file":"b.jpg","error":"..."}, and csv too:
file,error,0,1 and so on. npy, npz and safetensors hold float32 [N,D], of which row i belongs to input i, and that of
an input that failed is NaN; the latter two also the names of the files.

With --unpooled they hold the final features before pooling, float32 [N,D,H,W].`

// embedOptions are the flags of bitgpu embed.
type embedOptions struct {
	model    modelFlags
	inputs   inputFlags
	out      string
	format   formatFlag
	unpooled bool
}

func (a *app) embedCommand() *cobra.Command {
	var o embedOptions
	cmd := &cobra.Command{
		Use:     "embed [flags] PATH...",
		Short:   "Write the embeddings of pictures",
		Long:    embedHelp,
		Example: "  bitgpu embed --model demo --out embeddings.npz photos/\n  bitgpu embed --format csv photos/",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.embed(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	o.model.addTTA(flags)
	flags.StringVarP(&o.out, "out", "o", "", "write to `FILE` instead of standard output")
	addFormat(flags, &o.format, formatJSON, formatCSV, formatNPY, formatNPZ, formatSafetensors)
	flags.BoolVar(&o.unpooled, "unpooled", false, "the features before pooling, [N,D,H,W], in an array format")
	return cmd
}

func (a *app) embed(cmd *cobra.Command, o embedOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.unpooled && bool(o.model.tta) {
		return usage("--tta averages embeddings, not the features of --unpooled")
	}
	format, err := o.format.of("--out", o.out)
	if err != nil {
		return err
	}
	out := output{flag: "--out", path: o.out, format: format, names: []string{"embedding"}, dtype: loader.F32}
	want, pick := bitgpu.Outputs{Embedding: true}, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Embedding }
	if o.unpooled {
		if !format.isArray() {
			return usage("--unpooled needs --out FILE.npy, .npz or .safetensors")
		}
		out.names = []string{"features"}
		want, pick = bitgpu.Outputs{Unpooled: true}, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Unpooled }
	}
	w, err := a.createWriter(out)
	if err != nil {
		return err
	}
	defer w.Discard()
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		numbered(w, m.Info().Config.Features())
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: want, tell: format.isArray(), quiet: a.answersShow(out),
			answer: func(x *answer) error {
				r := record{file: x.file, err: x.err}
				if x.err == nil {
					r.rows = []values{rowOfTensor(pick(x.output))}
				}
				err := w.write(&r)
				x.err = r.err
				return err
			},
		}
		return finish(j.run(cmd.Context(), m), w)
	})
}
