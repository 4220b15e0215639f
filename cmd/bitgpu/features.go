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
failed is NaN.`

// featuresOptions are the flags of bitgpu features.
type featuresOptions struct {
	model   modelFlags
	inputs  inputFlags
	out     string
	format  formatFlag
	indices []int
}

func (a *app) featuresCommand() *cobra.Command {
	var o featuresOptions
	cmd := &cobra.Command{
		Use:     "features [flags] --out DIR|FILE PATH...",
		Short:   "Write feature maps of pictures",
		Long:    featuresHelp,
		Example: "  bitgpu features --model demo --indices 1,4 --out maps/ photo.jpg\n  bitgpu features --model demo --out maps.npz photos/",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.features(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	flags.StringVar(&o.out, "out", "", "the directory for the maps, or one file for all, `DIR|FILE.npz|FILE.safetensors`")
	addFormat(flags, &o.format, formatNPY, formatNPZ, formatSafetensors)
	flags.IntSliceVar(&o.indices, "indices", []int{0, 1, 2, 3, 4}, "which maps")
	return cmd
}

func (a *app) features(cmd *cobra.Command, o featuresOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.out == "" {
		return usage("--out DIR is missing, or FILE.npz or FILE.safetensors")
	}
	if len(o.indices) == 0 {
		return usage("--indices: no feature map")
	}
	format, err := o.format.of("--out", o.out)
	if err != nil {
		return err
	}
	if format == formatNPY && strings.EqualFold(filepath.Ext(o.out), ".npy") {
		return usage("--out: %s is a file's name; maps are one .npy file each, in a directory", o.out)
	}
	indices := slices.Compact(slices.Sorted(slices.Values(o.indices)))
	var names []string
	for _, i := range indices {
		names = append(names, fmt.Sprintf("feat%d", i))
	}
	w, err := a.createMaps(output{flag: "--out", path: o.out, format: format, names: names, dtype: loader.F32})
	if err != nil {
		return err
	}
	defer w.Discard()
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
				err := w.write(&r)
				x.err = r.err
				return err
			},
		}
		return finish(j.run(cmd.Context(), m), w)
	})
}

// createMaps makes the directory of maps, or their one file.
func (a *app) createMaps(o output) (writer, error) {
	if o.format != formatNPY {
		return a.createWriter(o)
	}
	if err := os.MkdirAll(o.path, 0o777); err != nil {
		return nil, fmt.Errorf("--out: %s: %w", o.path, reason(err))
	}
	var paths []string
	for _, name := range o.names {
		paths = append(paths, filepath.Join(o.path, name+".npy"))
	}
	return npyFiles(o.flag, o.dtype, paths...)
}
