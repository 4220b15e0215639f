//go:build desktop

package main

// This file owns what the viewer has of the command: its pictures, models and files.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"iter"
	"runtime"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/view"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/cobra"
)

// Window systems want their calls from the thread that the program began on.
func init() { runtime.LockOSThread() }

// lateFrame is what nobody should have to wait for a frame.
const lateFrame = 100 * time.Millisecond

func (a *app) view(cmd *cobra.Command, o viewOptions, paths []string) error {
	if err := o.check(paths); err != nil {
		return err
	}
	precision, err := bitgpu.ParsePrecision(o.model.precision)
	if err != nil {
		return usage("--precision: %q is none of auto, fp32 and fp16", o.model.precision)
	}
	items := func(paths []string) iter.Seq[view.Item] {
		return func(yield func(view.Item) bool) {
			for v := range a.viewedInputs(&o.pictures, paths) {
				if !yield(view.Item{Name: v.name, Decode: v.decode}) {
					return
				}
			}
		}
	}
	m := view.Model{Name: o.model.model, Weights: o.model.weights, Precision: precision}
	v := view.Options{
		Expand: items, Model: m, Models: modelsFor(m), Device: o.model.device, TopK: o.topk, Slice: o.slice,
		Width: o.width, Height: o.height, Validate: o.model.validate, Mode: o.show, Map: o.feature,
		Bench: o.bench, Frames: a.tellFrames,
	}
	if len(paths) > 0 {
		v.Items = items(paths)
	}
	if o.screenshot != "" {
		if err := checkTarget("--screenshot", o.screenshot); err != nil {
			return err
		}
		v.Shot = func(img *image.NRGBA) error { return a.writeShot(o.screenshot, img) }
	}
	err = view.Run(cmd.Context(), v)
	var written *failure
	if err == nil || errors.As(err, &written) {
		return err
	}
	return cannotOpen(err)
}

// modelsFor lists what the menu offers: the model that was asked for, the demo network, and the published ones whose weights are here.
func modelsFor(first view.Model) []view.Model {
	models := []view.Model{first}
	add := func(name string) {
		m := view.Model{Name: name, Precision: first.Precision}
		if !slices.Contains(models, m) {
			models = append(models, m)
		}
	}
	add(bitgpu.Demo)
	for _, name := range net.VariantNames() {
		if path, _ := loader.Find(name); path != "" {
			add(name)
		}
	}
	return models
}

// writeShot writes a PNG file.
func (a *app) writeShot(path string, img *image.NRGBA) error {
	file, err := a.createText(path)
	if err != nil {
		return err
	}
	defer file.Discard()
	var data bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&data, img); err != nil {
		return fmt.Errorf("--screenshot: %w", err)
	}
	if _, err := bufio.NewReader(&data).WriteTo(file); err != nil {
		return fmt.Errorf("--screenshot: %w", err)
	}
	return file.Close()
}

// tellFrames prints the distribution of frame times.
func (a *app) tellFrames(frames []view.FrameTime) {
	var drawn, intervals, busy, busyIntervals []time.Duration
	for _, f := range frames {
		drawn = append(drawn, f.Drawn)
		if f.Interval > 0 {
			intervals = append(intervals, f.Interval)
		}
		if f.Busy {
			busy = append(busy, f.Drawn)
			busyIntervals = append(busyIntervals, f.Interval)
		}
	}
	for _, t := range []struct {
		what  string
		times []time.Duration
	}{{"drawn", drawn}, {"  with the network", busy}, {"between frames", intervals}, {"  with the network", busyIntervals}} {
		slices.Sort(t.times)
		a.frameReport(t.what, t.times, lateFrame)
	}
}

// frameReport writes how long frames took: of all, and of those with the network running.
func (a *app) frameReport(what string, times []time.Duration, late time.Duration) {
	if len(times) == 0 {
		fmt.Fprintf(a.stdout, "%-22s none\n", what)
		return
	}
	at := func(share float64) time.Duration { return times[min(int(share*float64(len(times))), len(times)-1)] }
	over := 0
	for _, t := range times {
		if t > late {
			over++
		}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	fmt.Fprintf(a.stdout, "%-22s %6d frames, ms: median %.1f, 95 %% %.1f, 99 %% %.1f, most %.1f; %d over %.0f\n", what, len(times),
		ms(at(0.5)), ms(at(0.95)), ms(at(0.99)), ms(times[len(times)-1]), over, ms(late))
}

// viewed is a picture for the viewer.
type viewed struct {
	name   string
	decode func(context.Context) (*loader.Image, error)
}

// viewedInputs yields what PATHs stand for.
func (a *app) viewedInputs(f *pictureFlags, paths []string) iter.Seq[viewed] {
	return func(yield func(viewed) bool) {
		for i := range a.inputs(f, paths).all() {
			if !yield(viewed{i.file, func(ctx context.Context) (*loader.Image, error) { return f.decode(ctx, i) }}) {
				return
			}
		}
	}
}
