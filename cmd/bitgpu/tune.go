package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/cobra"
)

const tuneHelp = `Tune measures on a device which kernels, tiles and transforms are fastest for each kind of convolution of a
network, and keeps that in the cache directory, for all later runs there. Without it bitgpu uses defaults that are
sane for the kind of device. Kinds of convolution come in the order of their operations: when the budget
ends, those that matter least are left at their defaults.

Weights are not loaded and need not be there for a published model. Let the device do nothing else.`

// tuneOptions are the flags of bitgpu tune.
type tuneOptions struct {
	workload
	budget time.Duration
}

func (a *app) tuneCommand() *cobra.Command {
	var o tuneOptions
	cmd := &cobra.Command{
		Use:     "tune MODEL",
		Short:   "Find the fastest kernels for a network on a device",
		Long:    tuneHelp,
		Example: "  bitgpu tune demo\n  bitgpu tune resnetv2_50x1_bit --batch 8 --budget 2m",
		Args:    cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.tune(cmd.Context(), args[0], o)
		}),
	}
	o.add(cmd.Flags())
	cmd.Flags().DurationVar(&o.budget, "budget", 3*time.Minute, "about how long it may take; 0 for no limit")
	return cmd
}

func (a *app) tune(ctx context.Context, model string, o tuneOptions) error {
	precision, err := o.parse()
	if err != nil {
		return err
	}
	if o.budget < 0 {
		return usage("--budget: %v is negative", o.budget)
	}
	out := a.rows(o.json)
	options := bitgpu.TuneOptions{Batch: o.batch, Size: o.size, Budget: o.budget}
	total := 0
	if !o.json {
		fmt.Fprintf(out, "%-46s %-28s %10s %10s %6s\n", "convolution", "fastest", "ms", "default", "gain")
		options.Progress = func(_, all int, c net.TunedConv) {
			total = all
			printTuned(out, c)
		}
	}
	t, err := bitgpu.Tune(ctx, model, bitgpu.Options{Device: o.device, Precision: precision}, options)
	if err != nil {
		return cannotOpen(err)
	}
	if o.json {
		return jsonLine(out, t)
	}
	for _, w := range t.Winograds {
		way := "direct"
		if w.Tile > 0 {
			way = fmt.Sprintf("transforms of %dx%d tiles", w.Tile, w.Tile)
		}
		printRowOf(out, layerName(w.Layer, w.Pixels), way, w.Seconds, w.Direct)
	}
	if n := total - len(t.Convs); n > 0 {
		fmt.Fprintf(out, "the budget ended before %d kinds of convolution were tuned\n", n)
	}
	fmt.Fprintf(out, "kept for %s in %s\n", printable(t.Device.Name), printable(t.File))
	return out.Flush()
}

func printTuned(out io.Writer, c net.TunedConv) {
	printRowOf(out, layerName(c.Layer, c.Pixels), fmt.Sprintf("%s%v", c.Kernel, c.Constants), c.Seconds, c.Default)
}

func printRowOf(out io.Writer, layer, choice string, seconds, before float64) {
	fmt.Fprintf(out, "%-46s %-28s %10.3f %10.3f %5.2fx\n", layer, choice, 1000*seconds, 1000*before, before/seconds)
}

// layerName describes a kind of convolution in a line.
func layerName(l net.Layer, pixels int) string {
	name := fmt.Sprintf("%dx%d /%d %d to %d of %d px", l.Kernel[0], l.Kernel[1], l.Stride[0], l.In, l.Out, pixels)
	for _, part := range []struct {
		has  bool
		name string
	}{{l.Norm, " norm"}, {l.Residual, " add"}, {l.Positions > 1, fmt.Sprintf(" x%d", l.Positions)}} {
		if part.has {
			name += part.name
		}
	}
	return name
}
