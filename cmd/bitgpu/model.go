package main

// This file owns the flags that choose a model and a device, and opening the two.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/pflag"
)

// modelFlags say what to open.
type modelFlags struct {
	model, weights, device, precision string
	validate, offline                 bool
	tta                               tta
	head                              string
	given                             func(flag string) bool // whether the command line has a flag

	opening time.Duration // how long it took to open the model, fetching left out; with sets it
}

func (f *modelFlags) add(flags *pflag.FlagSet) {
	addModelFlag(flags, &f.model)
	f.given = flags.Changed
	f.addDevice(flags)
	flags.StringVar(&f.precision, "precision", "auto", "how activations and weights are stored, `auto|fp32|fp16`")
}

// addDevice adds the flags that stay the same where there are several models and precisions.
func (f *modelFlags) addDevice(flags *pflag.FlagSet) {
	flags.StringVar(&f.weights, "weights", "", "generated weights, `random:golden`, for the name of a published model")
	flags.BoolVar(&f.offline, "offline", false, "fetch no weights from the Hugging Face Hub, as with HF_HUB_OFFLINE=1")
	addDeviceFlags(flags, &f.device, &f.validate)
	flags.Lookup("device").Usage += "; all, or several as in 0,1, share the work"
}

// addDeviceFlags adds those of a single device.
func addDeviceFlags(flags *pflag.FlagSet, device *string, validate *bool) {
	flags.StringVar(device, "device", "auto", "the device to run on, `auto|cpu|N|NAME|UUID`, as bitgpu devices lists them")
	flags.BoolVar(validate, "validate", false, "run under the Vulkan validation layer")
	_ = flags.MarkHidden("validate") // fails only for a flag that is not there
}

func addModelFlag(flags *pflag.FlagSet, model *string) {
	flags.StringVar(model, "model", bitgpu.DefaultModel,
		"the network, `NAME|FILE|DIR`: demo, a timm name, a checkpoint (safetensors, PyTorch, .npz) or a directory that holds one")
}

// addHead adds the flag of commands that want logits.
func (f *modelFlags) addHead(flags *pflag.FlagSet) {
	flags.StringVar(&f.head, "head", "", "a classifier in place of the model's own, `FILE.safetensors` of bitgpu fit; without --model, for the model that it was made for")
}

// readHead reads the classifier that takes the place of the model's own, and has the model be the one that it
// was made for, and pictures be prepared as they were then, where the command line says nothing else; nil for
// the model's own.
func (f *modelFlags) readHead(a *app, in *inputFlags) (*loader.Head, error) {
	if f.head == "" {
		return nil, nil
	}
	h, err := loader.ReadHead(f.head)
	if err != nil {
		return nil, fmt.Errorf("--head: %w", err)
	}
	f.prefer(a, h.Metadata[bitgpu.MetadataModel])
	if text, ok := h.Metadata[metadataPreprocess]; ok && !in.tensor {
		var p index.Preprocess
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, fmt.Errorf("--head: %s: metadata: %s: %w", f.head, metadataPreprocess, err)
		}
		in.pictures.like(p, f.given)
	}
	return h, nil
}

// prefer has a model opened that a file names, if the command line names none.
func (f *modelFlags) prefer(a *app, model string) {
	if preset := a.origins["model"] != ""; model != "" && (preset || !f.given("model")) {
		f.model = model
	}
}

// tta is the value of --tta.
type tta bool

// addTTA adds the flag of commands whose results can be averaged over ways of looking at a picture.
func (f *modelFlags) addTTA(flags *pflag.FlagSet) {
	flags.Var(&f.tta, "tta", "average the results over the picture and, with flip, its mirror image")
}

func (t *tta) String() string {
	if *t {
		return "flip"
	}
	return "none"
}

func (t *tta) Type() string { return "none|flip" }

func (t *tta) Set(s string) error {
	if s != "none" && s != "flip" {
		return errors.New("want none or flip")
	}
	*t = s == "flip"
	return nil
}

// batch is the value of --batch.
type batch int

func (b *batch) String() string {
	if *b == 0 {
		return "auto"
	}
	return strconv.Itoa(int(*b))
}

func (b *batch) Type() string { return "auto|N" }

func (b *batch) Set(s string) error {
	if s == "auto" {
		*b = 0
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n == 0 {
		return errors.New("want auto or a number of at least 1")
	}
	*b = batch(n)
	return nil
}

// workload is the flags of commands that look at the kernels for one kind of batch, without weights.
type workload struct {
	device, precision string
	batch, size       int
	json              bool
}

func (w *workload) add(flags *pflag.FlagSet) {
	flags.StringVar(&w.device, "device", "auto", "the device, `auto|cpu|N|NAME|UUID`: bitgpu devices lists them")
	flags.StringVar(&w.precision, "precision", "auto", "how activations and weights are stored, `auto|fp32|fp16`")
	flags.IntVar(&w.batch, "batch", 1, "pictures in the batch")
	flags.IntVar(&w.size, "size", 0, "height and width of the pictures in `pixels`, in place of the model's")
	flags.BoolVar(&w.json, "json", false, "one JSON object")
}

// parse checks the flags and returns the precision.
func (w *workload) parse() (bitgpu.Precision, error) {
	precision, err := bitgpu.ParsePrecision(w.precision)
	switch {
	case err != nil:
		return 0, usage("--precision: %q is none of auto, fp32 and fp16", w.precision)
	case w.batch < 1:
		return 0, usage("--batch: %d, want at least 1", w.batch)
	case w.size != 0 && w.size < net.MinSize:
		return 0, usage("--size: %d, want at least %d", w.size, net.MinSize)
	}
	return precision, nil
}

// with opens the model as inputs want it, has it used, and closes it. Of both ends' errors none is lost.
func (a *app) with(ctx context.Context, f *modelFlags, in *inputFlags, use func(*bitgpu.Model) error) error {
	precision, err := bitgpu.ParsePrecision(f.precision)
	if err != nil {
		return usage("--precision: %q is none of auto, fp32 and fp16", f.precision)
	}
	if f.weights != "" && f.weights != bitgpu.RandomGolden {
		return usage("--weights: %q is not %q", f.weights, bitgpu.RandomGolden)
	}
	head, err := f.readHead(a, in)
	if err != nil {
		return cannotOpen(err)
	}
	bar, fetching, start := newLoadingBar(a.stderr), newFetching(a.stderr), time.Now()
	m, err := bitgpu.Open(ctx, f.model, bitgpu.Options{
		Head:   head,
		Device: f.device, Precision: precision, Batch: int(in.batch), Weights: f.weights, Validation: f.validate,
		Preprocess: in.pictures.override(), Preprocessor: bitgpu.Preprocessor(in.pictures.preprocess), Flip: bool(f.tta), AutoOrient: in.pictures.autoOrient,
		MaxPixels: in.pictures.maxPixels, MaxBytes: in.pictures.maxBytes, Progress: bar.set,
		Offline: f.offline, Fetching: fetching.set,
	})
	fetching.stop()
	bar.end()
	f.opening = time.Since(start) - fetching.took
	if errors.Is(err, bitgpu.ErrNoModel) && f.weights == "" {
		err = fmt.Errorf("%w\nTo see bitgpu work without weights: --model %s", err, bitgpu.Demo)
	}
	if err != nil {
		return cannotOpen(modelError(f.model, err))
	}
	a.tellOpened(m.Info(), f.opening)
	return a.closing(use(m), m.Close)
}

// tellOpened says, with --verbose, what was opened.
func (a *app) tellOpened(info bitgpu.Info, took time.Duration) {
	p := info.Preprocess
	a.mention("model %s, %.1f M parameters, %d classes, %v, opened in %.2f s",
		info.Name, float64(info.Parameters)/1e6, info.Config.Classes, info.Precision, took.Seconds())
	a.mention("pictures become %dx%d, crop %v, %v, mean %v, std %v", p.Size, p.Size, p.CropPct, p.Interpolation, p.Mean, p.Std)
	for _, d := range info.Devices {
		a.mention("device %d: %s, %v, Vulkan %v, driver %s, %s of %s free", d.Index, d.Name, d.Type, d.APIVersion, driver(d),
			size(d.BudgetBytes), size(d.MemoryBytes))
	}
}

// closing closes a model and joins what that has to say with the error of its use. What the
// validation layer said is an error; anything else about closing, such as a cache of compiled kernels
// that cannot be written, is a warning.
func (a *app) closing(err error, close func() error) error {
	closed := close()
	var invalid *gpu.ValidationError
	switch {
	case errors.As(closed, &invalid):
		return errors.Join(err, closed)
	case closed != nil:
		warn(a.stderr, closed)
	}
	return err
}
