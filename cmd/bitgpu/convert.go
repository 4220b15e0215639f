package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/spf13/cobra"
)

const convertHelp = `Convert writes the weights of IN as safetensors, under the names that timm gives them, with a config.json in timm's
form. IN is a model's name on this machine, or a checkpoint of any form: safetensors, a file that torch.save wrote,
an .npz of Google's; a directory may hold it. OUT is a directory, which gets model.safetensors and config.json, or a
.safetensors file, which gets a .json of the same name beside it. Both appear when they are complete.

With --dtype all weights are rounded to that type, to the nearest and halves to even; without, each keeps its own.
A value that f16 cannot hold is an error. The network is checked first: IN must be a BiT network, whole and finite.

timm loads OUT with create_model('local-dir:OUT', pretrained=True), or with checkpoint_path; bitgpu with --model OUT.`

func (a *app) convertCommand() *cobra.Command {
	var o bitgpu.ConvertOptions
	cmd := &cobra.Command{
		Use:     "convert [flags] IN OUT",
		Short:   "Write a checkpoint as safetensors that timm loads",
		Long:    convertHelp,
		Example: "  bitgpu convert BiT-M-R50x1.npz r50x1\n  bitgpu convert --dtype f16 pytorch_model.bin small.safetensors",
		Args:    cobra.ExactArgs(2),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.convert(cmd.Context(), args[0], args[1], o)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.DType, "dtype", "", "round all weights to one type, `f32|f16|bf16`")
	flags.StringVar(&o.Weights, "weights", "", "generated weights, `random:golden`, for the name of a published model")
	return cmd
}

func (a *app) convert(ctx context.Context, in, to string, o bitgpu.ConvertOptions) error {
	if !slices.Contains([]string{"", "f32", "f16", "bf16"}, o.DType) {
		return usage("--dtype: %q is none of f32, f16 and bf16", o.DType)
	}
	if o.Weights != "" && o.Weights != bitgpu.RandomGolden {
		return usage("--weights: %q is not %q", o.Weights, bitgpu.RandomGolden)
	}
	bar := newLoadingBar(a.stderr)
	o.Progress = bar.set
	start := time.Now()
	c, err := bitgpu.Convert(ctx, in, to, o)
	bar.end()
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return modelError(in, err)
	}
	a.mention("converted in %.2f s", time.Since(start).Seconds())
	out := a.text()
	fmt.Fprintf(out, "%s: %d tensors, %d parameters, %s%s\n", printable(c.Weights), c.Tensors, c.Parameters, size(c.Bytes), architectureText(c.Architecture))
	fmt.Fprintln(out, printable(c.Config))
	return out.Flush()
}

// architectureText is the end of a line that says which architecture it is about.
func architectureText(name string) string {
	if name == "" {
		return ""
	}
	return ", " + name
}
