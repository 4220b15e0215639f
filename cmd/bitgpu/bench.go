package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/peak"
	"github.com/spf13/cobra"
)

const benchHelp = `Bench measures how fast networks run: batches of generated pictures, one after the other, each from
pixels in memory to logits in memory. There is a row for each combination of model, precision, size
and batch. Times are medians of the runs, and the 95th percentile by nearest rank: of fewer than 20 runs
that is the slowest. GFLOP/s count two operations for every multiply-add that the network needs, whatever
the kernels do; peak is their share of what the device was measured to do at most, after each model
was loaded.

Speed does not depend on what the weights are: with --weights random:golden and the names of
published models no files are needed. The model "demo" has its own always.`

// benchOptions are the flags of bitgpu bench.
type benchOptions struct {
	device       modelFlags // but for model and precision
	models       []string
	precisions   []string
	sizes        []string
	batches      []string
	runs, warmup int
	peak         bool
	profile      bool
	json         bool
	out          string
	plot         string
}

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of networks on a device",
		Long:  benchHelp,
		Example: "  bitgpu bench --model resnetv2_50x1_bit --weights random:golden --batch 1,4,16\n" +
			"  bitgpu bench --model demo --precision fp16,fp32 --profile\n" +
			"  bitgpu bench --model demo --out old.json\n" +
			"  bitgpu bench --model demo --batch 1,2,4,8,16 --plot bench.svg",
		Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			return a.bench(cmd.Context(), o)
		}),
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.models, "model", []string{bitgpu.DefaultModel}, "one or more networks, `NAME|FILE|DIR,...`: see bitgpu run")
	o.device.addDevice(flags)
	flags.StringSliceVar(&o.precisions, "precision", []string{"auto"}, "one or more ways to store activations and weights, `auto|fp32|fp16,...`")
	flags.StringSliceVar(&o.sizes, "size", []string{"auto"}, "one or more heights and widths of the pictures in pixels, `auto|N,N...`; auto is the model's")
	flags.StringSliceVar(&o.batches, "batch", []string{"auto"}, "one or more sizes of a batch, `auto|N,N...`")
	flags.IntVar(&o.runs, "runs", 5, "batches that are measured")
	flags.IntVar(&o.warmup, "warmup", 1, "batches before those")
	flags.BoolVar(&o.peak, "peak", true, "measure what the device can do at most")
	flags.BoolVar(&o.profile, "profile", false, "also show the time of every step")
	flags.BoolVar(&o.json, "json", false, "one JSON object a row")
	flags.StringVarP(&o.out, "out", "o", "", "also write the rows to `FILE`, one JSON object each")
	flags.StringVar(&o.plot, "plot", "", "also draw throughput, times and roofline to `FILE.svg|FILE.png`")
	cmd.AddCommand(a.compareCommand())
	return cmd
}

// shape is the size of pictures and of a batch; 0 for auto.
type shape struct{ size, batch int }

// parse checks the flags and returns the shapes of each model's rows.
func (o *benchOptions) parse() ([]shape, error) {
	sizes, err := autoNumbers("--size", o.sizes)
	if err != nil {
		return nil, err
	}
	batches, err := autoNumbers("--batch", o.batches)
	if err != nil {
		return nil, err
	}
	var shapes []shape
	for _, s := range sizes {
		for _, b := range batches {
			shapes = append(shapes, shape{s, b})
		}
	}
	for _, p := range o.precisions {
		if _, err := bitgpu.ParsePrecision(p); err != nil {
			return nil, usage("--precision: %q is none of auto, fp32 and fp16", p)
		}
	}
	switch {
	case len(o.models) == 0:
		return nil, usage("--model: no model")
	case len(o.precisions) == 0:
		return nil, usage("--precision: no precision")
	case o.runs < 1:
		return nil, usage("--runs: %d, want at least 1", o.runs)
	case o.warmup < 0:
		return nil, usage("--warmup: %d is negative", o.warmup)
	}
	if ext := strings.ToLower(filepath.Ext(o.plot)); o.plot != "" && ext != ".svg" && ext != ".png" {
		return nil, usage("--plot: %s is neither a .svg nor a .png file", o.plot)
	}
	return shapes, nil
}

// autoNumbers reads a list of numbers and auto, which is 0.
func autoNumbers(flag string, list []string) ([]int, error) {
	var all []int
	for _, s := range list {
		var n batch
		if err := n.Set(strings.TrimSpace(s)); err != nil {
			return nil, usage("%s: %q: %w", flag, s, err)
		}
		all = append(all, int(n))
	}
	if len(all) == 0 {
		return nil, usage("%s: no number", flag)
	}
	return all, nil
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	shapes, err := o.parse()
	if err != nil {
		return err
	}
	b := &bench{app: a, options: o, shapes: shapes, out: a.rows(o.json)}
	if o.out != "" {
		if b.file, err = a.createText(o.out); err != nil {
			return err
		}
		defer b.file.Discard()
	}
	if o.plot != "" {
		if err := checkTarget("--plot", o.plot); err != nil {
			return err
		}
		b.plot = &benchPlot{}
	}
	for _, model := range o.models {
		for _, precision := range o.precisions {
			if err := b.model(ctx, model, precision); err != nil {
				return err
			}
		}
	}
	if b.file != nil {
		if err := b.file.Close(); err != nil {
			return err
		}
	}
	if b.plot != nil {
		if err := b.plot.write(a, o.plot); err != nil {
			return err
		}
	}
	if b.failed > 0 {
		return fmt.Errorf("%d of %d rows failed", b.failed, b.rows)
	}
	return nil
}

// bench is one run of bitgpu bench.
type bench struct {
	*app
	options      benchOptions
	shapes       []shape
	out          *textFile
	file         *textFile // of --out; nil without
	rows, failed int
	plot         *benchPlot // nil without
}

// model opens a model and measures its rows. If it cannot be opened, they fail; as the only model it is the
// error of the command.
func (b *bench) model(ctx context.Context, name, precision string) error {
	flags := b.options.device
	flags.model, flags.precision = name, precision
	if name == bitgpu.Demo {
		flags.weights = ""
	}
	debug.FreeOSMemory() // what the model before has left does not count for this one
	resetPeakRSS()
	opened := false
	err := b.with(ctx, &flags, &inputFlags{}, func(m *bitgpu.Model) error {
		opened = true
		loaded := load{flags.opening, peakRSS()}
		for i := range m.Info().Devices {
			if err := b.device(ctx, m, i, flags, loaded); err != nil {
				return err
			}
		}
		return nil
	})
	if opened || err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, bitgpu.ErrNoModel) && flags.weights == "" {
		err = fmt.Errorf("%w\nTo measure a published model without its weights: --weights %s", err, bitgpu.RandomGolden)
	}
	if len(b.options.models)*len(b.options.precisions) == 1 {
		return err
	}
	if !b.options.json {
		complain(b.stderr, err)
	}
	for _, s := range b.shapes {
		if err := b.fail(rowError{name, precision, s.size, s.batch, err.Error()}); err != nil {
			return err
		}
	}
	return nil
}

// device measures the rows of one of a model's devices.
func (b *bench) device(ctx context.Context, m *bitgpu.Model, index int, flags modelFlags, loaded load) error {
	var peaks []peak.Peak
	if b.options.peak {
		var err error
		switch peaks, err = m.MeasurePeak(ctx, index); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			warn(b.stderr, fmt.Errorf("no shares of the device's peak: %w", err))
		}
	}
	if !b.options.json {
		benchHeader(b.out, m.Info(), index, peaks, loaded)
		if err := b.out.Flush(); err != nil {
			return err
		}
	}
	for _, s := range b.shapes {
		resetPeakRSS()
		r, err := b.options.measure(ctx, m, index, s)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !b.options.json {
				complain(b.stderr, err)
			}
			err = b.fail(rowError{m.Info().Name, m.Info().Precision.String(), s.size, s.batch, err.Error()})
		default:
			r.Weights = flags.weights
			r.compareWith(peaks)
			r.count(loaded)
			err = b.add(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add prints a row.
func (b *bench) add(r *row) error {
	if b.plot != nil {
		b.plot.add(r)
	}
	if !b.options.profile {
		r.Steps, r.Kinds, r.profiled = nil, nil, false
	}
	b.rows++
	if b.options.json {
		if err := jsonLine(b.out, r); err != nil {
			return err
		}
	} else {
		printRow(b.out, r)
		if err := b.out.Flush(); err != nil {
			return err
		}
	}
	return b.keep(r)
}

// fail counts a row that could not be measured; what was wrong has been said but with --json.
func (b *bench) fail(r rowError) error {
	b.rows++
	b.failed++
	if b.options.json {
		if err := jsonLine(b.out, r); err != nil {
			return err
		}
	}
	return b.keep(r)
}

// keep writes a row to the file of --out.
func (b *bench) keep(r any) error {
	if b.file == nil {
		return nil
	}
	return jsonLine(b.file, r)
}
