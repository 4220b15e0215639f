package main

// This file owns the flags about pictures that all commands with pictures share: where they come from,
// how much of them is read, and how they become a network's input.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/pflag"
)

// pictureFlags say which pictures are read, and how they are made the network's input.
type pictureFlags struct {
	named         []string // of --input
	size          int
	cropPct       float64
	interpolation string
	mean, std     channels
	autoOrient    bool
	preprocess    preprocessor

	maxPixels, maxBytes int64
	timeout             time.Duration
}

func (f *pictureFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.named, "input", "i", nil, "a `PATH` to begin with, taken literally; - is a picture on standard input")
	f.addReading(flags)
}

// addReading adds the flags of commands that know by themselves where pictures come from.
func (f *pictureFlags) addReading(flags *pflag.FlagSet) {
	flags.IntVar(&f.size, "size", 0, "height and width in `pixels`, in place of the model's")
	flags.Float64Var(&f.cropPct, "crop-pct", 0, "the `part` of the resized picture's shorter side that the crop keeps, in place of the model's")
	flags.StringVar(&f.interpolation, "interpolation", "", "how pictures are resized, a `FILTER` in place of the model's: "+strings.Join(loader.Interpolations(), ", "))
	flags.Var(&f.mean, "mean", "the mean that is taken off R, G and B on the scale 0 to 1, in place of the model's")
	flags.Var(&f.std, "std", "what R, G and B are divided by after that, in place of the model's")
	flags.BoolVar(&f.autoOrient, "auto-orient", false, "turn pictures upright by their EXIF orientation, which timm ignores")
	flags.Var(&f.preprocess, "preprocess", "who resizes and crops pictures, the processor or the device, to the same bytes")
	flags.Int64Var(&f.maxPixels, "max-pixels", loader.DefaultMaxPixels, "the largest picture to decode, in `pixels`")
	flags.Int64Var(&f.maxBytes, "max-bytes", 0, "the largest file to read, in `bytes`; "+
		fmt.Sprintf("%d MiB if not given, and %d MiB from URLs and standard input", loader.DefaultMaxBytes>>20, loader.DefaultFetchBytes>>20))
	flags.DurationVar(&f.timeout, "url-timeout", loader.DefaultFetchTimeout, "how long one URL may take")
}

// check checks the flags, and that there is something to do.
func (f *pictureFlags) check(flags *pflag.FlagSet, paths []string) error {
	standard := 0
	for _, list := range [][]string{f.named, paths} {
		for _, p := range list {
			if p == "-" {
				standard++
			}
		}
	}
	set := flags.Changed
	switch {
	case len(paths)+len(f.named) == 0:
		return usage("no PATH given; - reads a list of files from standard input, --input - a picture")
	case slices.Contains(f.named, "-") && standard > 1:
		return usage("--input: -, but standard input can be read only once")
	case set("size") && f.size < 1:
		return usage("--size: %d, want at least 1", f.size)
	case set("crop-pct") && !(f.cropPct > 0 && f.cropPct <= 1):
		return usage("--crop-pct: %v, want more than 0 and at most 1", f.cropPct)
	case set("interpolation") && !slices.Contains(loader.Interpolations(), f.interpolation):
		return usage("--interpolation: %q is none of %s", f.interpolation, strings.Join(loader.Interpolations(), ", "))
	case set("std") && slices.Min(f.std.value[:]) <= 0:
		return usage("--std: %v, want more than 0", &f.std)
	case f.maxPixels < 1:
		return usage("--max-pixels: %d, want at least 1", f.maxPixels)
	case set("max-bytes") && f.maxBytes < 1:
		return usage("--max-bytes: %d, want at least 1", f.maxBytes)
	case f.timeout <= 0:
		return usage("--url-timeout: %v, want more than 0", f.timeout)
	}
	return nil
}

// override is what the flags put in the place of a model's preprocessing.
func (f *pictureFlags) override() bitgpu.Override {
	return bitgpu.Override{Size: f.size, CropPct: f.cropPct, Interpolation: f.interpolation, Mean: f.mean.get(), Std: f.std.get()}
}

// limits bound decoding and reading.
func (f *pictureFlags) limits() loader.DecodeLimits {
	return loader.DecodeLimits{MaxPixels: f.maxPixels, MaxBytes: f.maxBytes}
}

// inputs are what PATH arguments and --input stand for.
func (a *app) inputs(f *pictureFlags, paths []string) inputs {
	return inputs{
		named: f.named, paths: paths, stdin: a.stdin, extensions: pictureFiles,
		web: &loader.Fetcher{MaxBytes: f.maxBytes, Timeout: f.timeout},
	}
}

// decode reads and decodes a picture.
func (f *pictureFlags) decode(ctx context.Context, i input) (*loader.Image, error) {
	file, err := i.read(ctx, f.limits())
	if err != nil {
		return nil, err
	}
	picture, err := file.Decode()
	if err == nil && f.autoOrient {
		picture = picture.Oriented(file.Orientation())
	}
	return picture, err
}

// channels is the value of --mean and --std: one number for R, G and B, or three with commas.
type channels struct {
	value [3]float32
	set   bool
}

func (c *channels) get() *[3]float32 {
	if !c.set {
		return nil
	}
	return &c.value
}

func (c *channels) String() string {
	if !c.set {
		return ""
	}
	return fmt.Sprintf("%v,%v,%v", c.value[0], c.value[1], c.value[2])
}

func (c *channels) Type() string { return "R,G,B" }

func (c *channels) Set(s string) error {
	parts := strings.Split(s, ",")
	if len(parts) == 1 {
		parts = []string{s, s, s}
	}
	if len(parts) != 3 {
		return errors.New("want one number, or three with commas between")
	}
	for i, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is not a number", p)
		}
		c.value[i] = float32(v)
	}
	c.set = true
	return nil
}

// preprocessor is the value of --preprocess.
type preprocessor bitgpu.Preprocessor

func (p *preprocessor) String() string { return bitgpu.Preprocessor(*p).String() }

func (p *preprocessor) Type() string { return "cpu|gpu" }

func (p *preprocessor) Set(s string) error {
	who, err := bitgpu.ParsePreprocessor(s)
	if err != nil {
		return errors.New("want cpu or gpu")
	}
	*p = preprocessor(who)
	return nil
}
