package main

import (
	"context"
	"runtime"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const preprocessHelp = `Preprocess writes what a model sees of pictures, as timm's evaluation transform makes it: resized,
cropped and normalized, float32 [N,3,H,W] (bitgpu run --tensor reads it), or with --uint8 the crop
itself, uint8 [N,H,W,3]. Of a published model it needs no weights, and no device but with --preprocess
gpu: then that resizes and crops, to the same bytes.

Row i belongs to input i; that of an input that failed is NaN (zero with --uint8).`

// preprocessOptions are the flags of bitgpu preprocess.
type preprocessOptions struct {
	model    string
	pictures pictureFlags
	out      string
	uint8    bool
	device   string
	validate bool
}

func (a *app) preprocessCommand() *cobra.Command {
	var o preprocessOptions
	cmd := &cobra.Command{
		Use:     "preprocess [flags] --out FILE.npy PATH...",
		Short:   "Write pictures as a model sees them",
		Long:    preprocessHelp,
		Example: "  bitgpu preprocess --model demo --out crops.npy --uint8 photos/",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.preprocess(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	addModelFlag(flags, &o.model)
	o.pictures.add(flags)
	flags.StringVar(&o.out, "out", "", "the array to write, `FILE.npy`")
	flags.BoolVar(&o.uint8, "uint8", false, "the crop as bytes, [N,H,W,3], not normalized")
	addDeviceFlags(flags, &o.device, &o.validate)
	return cmd
}

// settings are the model's preprocessing with the flags in their places.
func (o *preprocessOptions) settings() (loader.Preprocess, error) {
	p, err := bitgpu.FindPreprocess(o.model)
	if err != nil {
		return p, cannotOpen(err)
	}
	if p, err = p.With(o.pictures.override()); err != nil {
		return p, usage("%w", err)
	}
	return p, nil
}

// crop is a picture that has been resized and cut, or an error.
type crop struct {
	file  string
	image *loader.Image
	err   error
}

// cropper returns what makes crops of inputs, with apply of what is decoded.
func (f *pictureFlags) cropper(ctx context.Context, apply func(*loader.Image) (*loader.Image, error)) func(input) crop {
	return func(i input) crop {
		c := crop{file: i.file}
		var picture *loader.Image
		if picture, c.err = f.decode(ctx, i); c.err == nil {
			c.image, c.err = apply(picture)
		}
		return c
	}
}

func (a *app) preprocess(cmd *cobra.Command, o preprocessOptions, paths []string) error {
	if err := o.pictures.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.out == "" {
		return usage("--out FILE.npy is missing")
	}
	p, err := o.settings()
	if err != nil {
		return err
	}
	dtype := loader.F32
	if o.uint8 {
		dtype = loader.U8
	}
	file, err := createRows("--out", o.out, dtype)
	if err != nil {
		return err
	}
	defer file.Discard()
	write := func(apply func(*loader.Image) (*loader.Image, error)) error {
		return finish(a.crops(cmd.Context(), a.inputs(&o.pictures, paths), o.pictures.cropper(cmd.Context(), apply), p, file), file)
	}
	if bitgpu.Preprocessor(o.pictures.preprocess) == bitgpu.PreprocessCPU {
		return write(p.Apply)
	}
	c, err := bitgpu.OpenCropper(p, bitgpu.Options{Device: o.device, Validation: o.validate})
	if err != nil {
		return cannotOpen(err)
	}
	return a.closing(write(func(picture *loader.Image) (*loader.Image, error) {
		crops, err := c.Crop(cmd.Context(), picture)
		if err != nil {
			return nil, err
		}
		return crops[0], nil
	}), c.Close)
}

// crops writes the row of every input.
func (a *app) crops(ctx context.Context, in inputs, make func(input) crop, p loader.Preprocess, file *rowFile) error {
	count := tally{app: a, tell: true, start: time.Now()}
	if _, terminal := terminalWidth(a.stderr); terminal {
		count.bar = newInputsBar(a.stderr, in.count(ctx))
	}
	defer count.bar.end()
	for c := range ordered(ctx, in.all(), runtime.GOMAXPROCS(0), make) {
		if err := writeCrop(file, p, c); err != nil {
			return err
		}
		count.add(c.file, c.err)
	}
	return count.result(ctx)
}

func writeCrop(file *rowFile, p loader.Preprocess, c crop) error {
	switch {
	case c.err != nil:
		return file.skip()
	case file.dtype == loader.U8:
		return file.addBytes(c.image.Pix, p.Size, p.Size, 3)
	}
	x := &bitgpu.Tensor{Shape: []int{1, 3, p.Size, p.Size}, Data: make([]float32, len(c.image.Pix))}
	if err := p.Normalize(x.Data, c.image.Pix); err != nil {
		return err
	}
	return file.add(x)
}
