package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const featuresHelp = `Features writes feature maps of pictures as timm's features_only gives them: map 0 is the stem's,
map I the output of stage I, before any normalization.

--out DIR has DIR/feat0.npy and so on, float32 [N,C,H,W]; DIR is made if need be. --out FILE.npz and FILE.safetensors
hold feat0 and so on in one file, and the names of the inputs. Row i belongs to input i, and that of an input that
failed is NaN.

--png DIR draws contact sheets: DIR/NAME.feat0.png and so on for a picture called NAME has the channels of a map side
by side, each in a scale of colours of its own or with --scale map in one for all. --channels chooses which.`

// featuresOptions are the flags of bitgpu features.
type featuresOptions struct {
	model   modelFlags
	inputs  inputFlags
	out     string
	format  formatFlag
	indices []int

	png      string
	channels channelRange
	scale    string
}

func (a *app) featuresCommand() *cobra.Command {
	var o featuresOptions
	cmd := &cobra.Command{
		Use:   "features [flags] --out DIR|FILE|--png DIR PATH...",
		Short: "Write feature maps of pictures",
		Long:  featuresHelp,
		Example: "  bitgpu features --model demo --indices 1,4 --out maps/ photo.jpg\n  bitgpu features --model demo --out maps.npz photos/\n" +
			"  bitgpu features --model demo --png sheets/ --indices 1 photo.jpg",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.features(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	flags.StringVarP(&o.out, "out", "o", "", "the directory for the maps, or one file for all, `DIR|FILE.npz|FILE.safetensors`")
	addFormat(flags, &o.format, formatNPY, formatNPZ, formatSafetensors)
	flags.IntSliceVar(&o.indices, "indices", []int{0, 1, 2, 3, 4}, "which maps")
	flags.StringVar(&o.png, "png", "", "the directory for contact sheets of the maps, `DIR`")
	o.channels = channelRange{0, mostChannels - 1}
	flags.Var(&o.channels, "channels", "those on the contact sheets")
	flags.StringVar(&o.scale, "scale", "channel", "of colours: each channel's own, or one of the map, `channel|map`")
	return cmd
}

func (a *app) features(cmd *cobra.Command, o featuresOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	switch {
	case o.out == "" && o.png == "":
		return usage("--out DIR is missing, or FILE.npz or FILE.safetensors, or --png DIR")
	case o.scale != "channel" && o.scale != "map":
		return usage("--scale: %q is neither channel nor map", o.scale)
	}
	if len(o.indices) == 0 {
		return usage("--indices: no feature map")
	}
	indices := slices.Compact(slices.Sorted(slices.Values(o.indices)))
	var names []string
	for _, i := range indices {
		names = append(names, fmt.Sprintf("feat%d", i))
	}
	var writers []writer
	var results []result
	add := func(w writer) {
		writers, results = append(writers, w), append(results, w)
	}
	if o.out != "" {
		w, err := a.createMaps(&o, names)
		if err != nil {
			return err
		}
		defer w.Discard()
		add(w)
	}
	if o.png != "" {
		w, err := a.createSheets(&o, names)
		if err != nil {
			return err
		}
		add(w)
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		want, err := m.Maps(indices...)
		if err != nil {
			return usage("--indices: %w", err)
		}
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: want, tell: true,
			answer: func(x *answer) error {
				r := record{file: x.file, err: x.err}
				if x.err == nil {
					for _, i := range indices {
						r.rows = append(r.rows, rowOfTensor(x.output.Maps[i]))
					}
				}
				for _, w := range writers {
					if err := w.write(&r); err != nil {
						return err
					}
				}
				x.err = r.err
				return nil
			},
		}
		return finish(j.run(cmd.Context(), m), results...)
	})
}

// createMaps makes the directory of maps, or their one file.
func (a *app) createMaps(o *featuresOptions, names []string) (writer, error) {
	format, err := o.format.of("--out", o.out)
	if err != nil {
		return nil, err
	}
	if format == formatNPY && strings.EqualFold(filepath.Ext(o.out), ".npy") {
		return nil, usage("--out: %s is a file's name; maps are one .npy file each, in a directory", o.out)
	}
	if format != formatNPY {
		return a.createWriter(output{flag: "--out", path: o.out, format: format, names: names, dtype: loader.F32})
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return nil, fmt.Errorf("--out: %s: %w", o.out, reason(err))
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(o.out, name+".npy"))
	}
	return npyFiles("--out", loader.F32, paths...)
}
