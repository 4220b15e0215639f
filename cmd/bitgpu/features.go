package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const featuresHelp = `Features writes feature maps of pictures as timm's features_only gives them: map 0 is the stem's,
map I the output of stage I, before any normalization.

DIR/feat0.npy and so on are float32 [N,C,H,W]; DIR is made if need be. Row i belongs to input i, and
that of an input that failed is NaN.`

// featuresOptions are the flags of bitgpu features.
type featuresOptions struct {
	model   modelFlags
	inputs  inputFlags
	out     string
	indices []int
}

func (a *app) featuresCommand() *cobra.Command {
	var o featuresOptions
	cmd := &cobra.Command{
		Use:     "features [flags] --out DIR PATH...",
		Short:   "Write feature maps of pictures",
		Long:    featuresHelp,
		Example: "  bitgpu features --model demo --indices 1,4 --out maps/ photo.jpg",
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.features(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.add(flags)
	flags.StringVar(&o.out, "out", "", "the `DIR` for the maps")
	flags.IntSliceVar(&o.indices, "indices", []int{0, 1, 2, 3, 4}, "which maps")
	return cmd
}

func (a *app) features(cmd *cobra.Command, o featuresOptions, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.out == "" {
		return usage("--out DIR is missing")
	}
	if len(o.indices) == 0 {
		return usage("--indices: no feature map")
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return fmt.Errorf("--out: %s: %w", o.out, reason(err))
	}
	maps := map[int]*rowFile{}
	var results []result
	for _, i := range o.indices {
		if maps[i] != nil {
			continue
		}
		file, err := createRows("--out", filepath.Join(o.out, fmt.Sprintf("feat%d.npy", i)), loader.F32)
		if err != nil {
			return err
		}
		defer file.Discard()
		maps[i] = file
		results = append(results, file)
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		want, err := m.Maps(o.indices...)
		if err != nil {
			return usage("--indices: %w", err)
		}
		j := &job{
			app: a, paths: paths, flags: o.inputs, want: want, tell: true,
			answer: func(x *answer) error { return writeMaps(maps, x) },
		}
		return finish(j.run(cmd.Context(), m), results...)
	})
}

// writeMaps appends a picture's maps to their files: all of them, or a blank row to each.
func writeMaps(files map[int]*rowFile, x *answer) error {
	if x.err == nil {
		for i, file := range files {
			x.err = errors.Join(x.err, file.fits(x.output.Maps[i].Shape[1:]))
		}
	}
	for i, file := range files {
		if err := file.answer(x, func(o *bitgpu.Output) *bitgpu.Tensor { return o.Maps[i] }); err != nil {
			return err
		}
	}
	return nil
}
