package main

import (
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const viewHelp = `View opens a window that shows pictures with their answers: the five most probable classes, the time of each
part of the network, and on a key where the best class is seen or what the network's feature maps look like.

PATHs are files, directories, globs and URLs as for bitgpu run; without any, drop pictures or folders on the window. All
pictures are run in the background, the one that is shown first. The window and the network share one Vulkan device: the
network works in slices of at most --slice, so that the window stays at the display's rate. A device that is lost is
opened again.

Keys: arrows, Space, Home and End go through the pictures, A shows the activation map, F the feature maps and 0 to 9
which one, P the picture alone, M chooses another network, D another device, H lists all keys, Q quits.

The viewer is built with make desktop (go build -tags desktop); elsewhere this command only says so.`

// viewOptions are the flags of bitgpu view.
type viewOptions struct {
	model    modelFlags
	pictures pictureFlags
	topk     int
	slice    time.Duration

	width, height int
	show          string // of a screenshot
	feature       int
	screenshot    string
	bench         int
}

func (a *app) viewCommand() *cobra.Command {
	var o viewOptions
	cmd := &cobra.Command{
		Use:     "view [flags] [PATH...]",
		Short:   "Show pictures and answers in a window",
		Long:    viewHelp,
		Example: "  bitgpu view --model demo photos/\n  bitgpu view --device 1 photo.jpg",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.view(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	flags.IntVarP(&o.topk, "topk", "k", 5, "how many classes to name, at most 10")
	flags.DurationVar(&o.slice, "slice", 20*time.Millisecond, "the longest time that the network keeps the device from the window")
	flags.BoolVar(&o.pictures.autoOrient, "auto-orient", false, "turn pictures upright by their EXIF orientation, which timm ignores")
	flags.Int64Var(&o.pictures.maxPixels, "max-pixels", loader.DefaultMaxPixels, "the largest picture to decode, in `pixels`")
	flags.Int64Var(&o.pictures.maxBytes, "max-bytes", 0, "the largest file to read, in `bytes`")
	flags.DurationVar(&o.pictures.timeout, "url-timeout", loader.DefaultFetchTimeout, "how `long` one URL may take")
	flags.IntVar(&o.width, "width", 1280, "of the window, in points")
	flags.IntVar(&o.height, "height", 800, "of the window, in points")
	flags.StringVar(&o.show, "show", "picture", "what to begin with, `picture|activation|features`")
	flags.IntVar(&o.feature, "feature", -1, "which feature `map` to begin with; -1 for the last")
	flags.StringVar(&o.screenshot, "screenshot", "", "write the window to `FILE.png` when all answers are there, and end")
	flags.IntVar(&o.bench, "frames", 0, "draw so many `frames` as fast as the display takes them, print their times, and end")
	for _, name := range []string{"screenshot", "frames", "max-bytes", "url-timeout"} {
		_ = flags.MarkHidden(name) // fails only for a flag that is not there
	}
	return cmd
}

// check checks the flags.
func (o *viewOptions) check(paths []string) error {
	switch {
	case o.topk < 1 || o.topk > 10:
		return usage("--topk: %d, want 1 to 10", o.topk)
	case o.slice <= 0:
		return usage("--slice: %v, want more than 0", o.slice)
	case o.width < 480 || o.height < 360 || o.width > 16384 || o.height > 16384:
		return usage("--width, --height: %dx%d, want at least 480x360 and at most 16384x16384", o.width, o.height)
	case o.show != "picture" && o.show != "activation" && o.show != "features":
		return usage("--show: %q is none of picture, activation and features", o.show)
	case o.feature < -1:
		return usage("--feature: %d, want -1 or more", o.feature)
	case o.screenshot != "" && o.bench > 0:
		return usage("--screenshot and --frames exclude each other")
	case o.screenshot != "" && len(paths) == 0:
		return usage("--screenshot needs a PATH")
	case o.bench < 0:
		return usage("--frames: %d, want at least 1", o.bench)
	}
	if o.model.weights != "" && o.model.weights != bitgpu.RandomGolden {
		return usage("--weights: %q is not %q", o.model.weights, bitgpu.RandomGolden)
	}
	return nil
}
