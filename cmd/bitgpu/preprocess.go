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
cropped and normalized, float32 [N,3,H,W] (bitgpu run --tensor reads it as .npy), or with --uint8 the crop
itself, uint8 [N,H,W,3]. Of a published model it needs no weights, and no device but with --preprocess
gpu: then that resizes and crops, to the same bytes.

Row i belongs to input i; that of an input that failed is NaN (zero with --uint8). npz and safetensors call the array
"images" and also hold the names of the files.`

// preprocessOptions are the flags of bitgpu preprocess.
type preprocessOptions struct {
	model    string
	pictures pictureFlags
	out      string
	format   formatFlag
	uint8    bool
	device   string
	validate bool
}

func (a *app) preprocessCommand() *cobra.Command {
	var o preprocessOptions
	cmd := &cobra.Command{
		Use:     "preprocess [flags] --out FILE PATH...",
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
	flags.StringVarP(&o.out, "out", "o", "", "the array to write, `FILE.npy|FILE.npz|FILE.safetensors`")
	addFormat(flags, &o.format, formatNPY, formatNPZ, formatSafetensors)
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
		return usage("--out FILE.npy is missing, or FILE.npz or FILE.safetensors")
	}
	format, err := o.format.of("--out", o.out)
	if err != nil {
		return err
	}
	p, err := o.settings()
	if err != nil {
		return err
	}
	dtype := loader.F32
	if o.uint8 {
		dtype = loader.U8
	}
	w, err := a.createWriter(output{flag: "--out", path: o.out, format: format, names: []string{"images"}, dtype: dtype})
	if err != nil {
		return err
	}
	defer w.Discard()
	write := func(apply func(*loader.Image) (*loader.Image, error)) error {
		return finish(a.crops(cmd.Context(), a.inputs(&o.pictures, paths), o.pictures.cropper(cmd.Context(), apply), writeCrops(w, p, dtype)), w)
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
func (a *app) crops(ctx context.Context, in inputs, make func(input) crop, write func(crop) error) error {
	count := tally{app: a, tell: true, start: time.Now()}
	if _, terminal := terminalWidth(a.stderr); terminal {
		count.bar = newInputsBar(a.stderr, in.count(ctx))
	}
	defer count.bar.end()
	for c := range ordered(ctx, in.all(), runtime.GOMAXPROCS(0), make) {
		if ctx.Err() != nil {
			break
		}
		if err := write(c); err != nil {
			return err
		}
		count.add(c.file, c.err)
	}
	return count.result(ctx)
}

// writeCrops writes crops as bytes, or normalized.
func writeCrops(w writer, p loader.Preprocess, dtype loader.DType) func(crop) error {
	return func(c crop) error {
		r := record{file: c.file, err: c.err}
		if c.err == nil {
			v := values{shape: []int{p.Size, p.Size, 3}, bytes: c.image.Pix}
			if dtype == loader.F32 {
				v = values{shape: []int{3, p.Size, p.Size}, floats: make([]float32, len(c.image.Pix))}
				if err := p.Normalize(v.floats, c.image.Pix); err != nil {
					return err
				}
			}
			r.rows = []values{v}
		}
		return w.write(&r)
	}
}
