package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/spf13/cobra"
)

const modelsHelp = `Models lists the published BiT networks and says which of them are on this machine; the others bitgpu pull fetches.

GMAC are the multiply-adds of the convolutions and the classifier for one picture, in 10^9; pixels is its height and
width; weights are float32 as they are published. Top-1 is the share of ImageNet-1k's 50,000 validation pictures that
timm found to be classified right, at that size: results/results-imagenet.csv of huggingface/pytorch-image-models,
commit 4e5207c7 of 30 October 2025. Networks with the 21,843 classes of ImageNet-21k have none.

With --json there is one object a line. The demo network, which is part of the program, is not in the list.`

func (a *app) modelsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "models",
		Short:   "List the published networks, and which are on this machine",
		Long:    modelsHelp,
		Example: "  bitgpu models\n  bitgpu models --json",
		Args:    cobra.NoArgs,
		RunE: command(func(*cobra.Command, []string) error {
			out := a.rows(asJSON)
			if !asJSON {
				printModels(out, bitgpu.Models())
				return out.Flush()
			}
			for _, m := range bitgpu.Models() {
				if err := jsonLine(out, newModelLine(m)); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// modelLine is a line of bitgpu models --json.
type modelLine struct {
	Name       string   `json:"name"`
	Default    bool     `json:"default"`
	Parameters int64    `json:"parameters"`
	Bytes      int64    `json:"weight_bytes"` // as float32, which is how they are published
	MACs       int64    `json:"macs"`         // of one picture
	Classes    int      `json:"classes"`
	Size       int      `json:"size"`
	CropPct    float64  `json:"crop_pct"`
	Filter     string   `json:"interpolation"`
	Top1       *float64 `json:"top1"` // percent; null where none is published
	Path       *string  `json:"path"` // null if it is not on this machine
}

func newModelLine(m bitgpu.KnownModel) modelLine {
	l := modelLine{
		Name: m.Name, Default: m.Name == bitgpu.DefaultModel, Parameters: m.Parameters(), Bytes: 4 * m.Parameters(), MACs: m.MACs(), Classes: m.Config.Classes,
		Size: m.Size, CropPct: m.CropPct, Filter: m.Interpolation,
	}
	if m.Top1 > 0 {
		l.Top1 = &m.Top1
	}
	if m.Path != "" {
		l.Path = &m.Path
	}
	return l
}

// printModels prints the table. Errors of out are its Flush's.
func printModels(out io.Writer, models []bitgpu.KnownModel) {
	width := 0
	for _, m := range models {
		width = max(width, len(m.Name))
	}
	row := func(name, parameters, weights, macs, pixels, classes, top1, here string) {
		text := fmt.Sprintf("%-*s %8s %9s %6s %6s %7s %6s  %s", width, name, parameters, weights, macs, pixels, classes, top1, here)
		fmt.Fprintln(out, strings.TrimRight(text, " "))
	}
	row("name", "params", "weights", "GMAC", "pixels", "classes", "top-1", "here")
	for _, m := range models {
		top1, here := "", ""
		if m.Top1 > 0 {
			top1 = fmt.Sprintf("%.2f", m.Top1)
		}
		if m.Path != "" {
			here = printable(m.Path)
		}
		row(m.Name, fmt.Sprintf("%.1f M", float64(m.Parameters())/1e6), size(4*m.Parameters()),
			fmt.Sprintf("%.1f", float64(m.MACs())/1e9), fmt.Sprint(m.Size), fmt.Sprint(m.Config.Classes), top1, here)
	}
}
