package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/spf13/cobra"
)

const benchHelp = `Bench measures how fast a network runs: batches of generated pictures, one after the other, each from
pixels in memory to logits in memory. The time is the median of the runs. GFLOP/s count two operations
for every multiply-add that the network needs, whatever the kernels do.

Speed does not depend on what the weights are: with --weights random:golden and the name of a
published model no file is needed.`

// benchOptions are the flags of bitgpu bench.
type benchOptions struct {
	model        modelFlags
	batches      []string
	size         int
	runs, warmup int
	profile      bool
	json         bool
}

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of a network on a device",
		Long:  benchHelp,
		Example: "  bitgpu bench --model resnetv2_50x1_bit --weights random:golden --batch 1,4,16\n" +
			"  bitgpu bench --model demo --profile",
		Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			return a.bench(cmd.Context(), o)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	flags.StringSliceVar(&o.batches, "batch", []string{"auto"}, "one or more sizes of a batch, `auto|N,N...`")
	flags.IntVar(&o.size, "size", 0, "height and width of the pictures in `pixels`, in place of the model's")
	flags.IntVar(&o.runs, "runs", 5, "batches that are measured")
	flags.IntVar(&o.warmup, "warmup", 1, "batches before those")
	flags.BoolVar(&o.profile, "profile", false, "also show the time of every step")
	flags.BoolVar(&o.json, "json", false, "one JSON object a row")
	return cmd
}

func (o *benchOptions) parse() ([]batch, error) {
	var sizes []batch
	for _, s := range o.batches {
		var b batch
		if err := b.Set(strings.TrimSpace(s)); err != nil {
			return nil, usage("--batch: %q: %w", s, err)
		}
		sizes = append(sizes, b)
	}
	switch {
	case len(sizes) == 0:
		return nil, usage("--batch: no size")
	case o.size < 0:
		return nil, usage("--size: %d is negative", o.size)
	case o.runs < 1:
		return nil, usage("--runs: %d, want at least 1", o.runs)
	case o.warmup < 0:
		return nil, usage("--warmup: %d is negative", o.warmup)
	}
	return sizes, nil
}

// row is what was measured of one size of batch.
type row struct {
	Model          string  `json:"model"`
	Weights        string  `json:"weights,omitempty"`
	Size           int     `json:"size"`
	Batch          int     `json:"batch"`
	Precision      string  `json:"precision"`
	Device         string  `json:"device"`
	Driver         string  `json:"driver"`
	Runs           int     `json:"runs"`
	MsPerImage     float64 `json:"ms_per_image"`
	MinMsPerImage  float64 `json:"min_ms_per_image"`
	MaxMsPerImage  float64 `json:"max_ms_per_image"`
	ImagesPerSec   float64 `json:"images_per_second"`
	GFLOPs         float64 `json:"gflops"` // GFLOP/s
	GFLOPPerImage  float64 `json:"gflop_per_image"`
	CPUPerImage    float64 `json:"cpu_seconds_per_image"`
	LoadSeconds    float64 `json:"load_seconds"`
	PeakRSS        int64   `json:"peak_rss_bytes"`
	GoMaxProcs     int     `json:"gomaxprocs"`
	Steps          []step  `json:"steps,omitempty"`
	stepsRequested bool
}

// rowError is the row of a batch that could not be run.
type rowError struct {
	Model string `json:"model"`
	Batch int    `json:"batch"` // 0 for auto
	Error string `json:"error"`
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	sizes, err := o.parse()
	if err != nil {
		return err
	}
	start := time.Now()
	err = a.with(ctx, &o.model, 0, func(m *bitgpu.Model) error {
		loaded := time.Since(start)
		out := a.text()
		if !o.json {
			benchHeader(out, m, loaded)
		}
		count := errInputs{total: len(sizes)}
		for _, size := range sizes {
			r, err := o.measure(ctx, m, int(size))
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				count.failed++
				err = a.benchFailed(out, o, m, int(size), err)
			default:
				r.LoadSeconds = loaded.Seconds()
				err = printRow(out, o.json, r)
			}
			if err != nil {
				return err
			}
		}
		if count.failed > 0 {
			return fmt.Errorf("%d of %d batches failed", count.failed, count.total)
		}
		return nil
	})
	if errors.Is(err, bitgpu.ErrNoModel) && o.model.weights == "" {
		return fmt.Errorf("%w\nTo measure a published model without its weights: --weights %s", err, bitgpu.RandomGolden)
	}
	return err
}

func (a *app) benchFailed(out *textFile, o benchOptions, m *bitgpu.Model, size int, err error) error {
	if o.json {
		return jsonLine(out, rowError{m.Info().Name, size, err.Error()})
	}
	complain(a.stderr, err)
	return nil
}

// measure runs batches of one size.
func (o *benchOptions) measure(ctx context.Context, m *bitgpu.Model, size int) (*row, error) {
	opts := bitgpu.MeasureOptions{Batch: size, Size: o.size}
	for range o.warmup {
		if _, err := m.Measure(ctx, opts); err != nil {
			return nil, err
		}
	}
	before := cpuTime()
	var times []time.Duration
	var last *bitgpu.Measurement
	for range o.runs {
		var err error
		if last, err = m.Measure(ctx, opts); err != nil {
			return nil, err
		}
		times = append(times, last.Time)
	}
	cpu := cpuTime() - before
	r := newRow(m.Info(), last, times)
	r.Weights = o.model.weights
	r.CPUPerImage = cpu.Seconds() / float64(o.runs*last.Batch)
	if o.profile {
		opts.Profile = true
		for range 2 { // the first run records commands of its own
			var err error
			if last, err = m.Measure(ctx, opts); err != nil {
				return nil, err
			}
		}
		r.Steps, r.stepsRequested = newSteps(last.Steps), true
	}
	return r, nil
}

// newRow makes a row of the times of single batches.
func newRow(info bitgpu.Info, m *bitgpu.Measurement, times []time.Duration) *row {
	slices.Sort(times)
	images := float64(m.Batch)
	median := (times[(len(times)-1)/2] + times[len(times)/2]) / 2
	ms := func(t time.Duration) float64 { return t.Seconds() * 1000 / images }
	return &row{
		Model: info.Name, Size: m.Size, Batch: m.Batch, Precision: info.Precision.String(),
		Device: info.Device.Name, Driver: driver(info.Device), Runs: len(times),
		MsPerImage: ms(median), MinMsPerImage: ms(times[0]), MaxMsPerImage: ms(times[len(times)-1]),
		ImagesPerSec: images / median.Seconds(), GFLOPs: float64(m.FLOPs) / median.Seconds() / 1e9, GFLOPPerImage: float64(m.FLOPs) / images / 1e9,
		PeakRSS: peakRSS(), GoMaxProcs: runtime.GOMAXPROCS(0),
	}
}
