package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/cobra"
)

const inspectHelp = `Inspect tells what a checkpoint holds: in which form it is stored, which network it is, how many parameters that has,
what it costs to run, and its tensors, under the names that timm gives them. FILE is a model's name on this machine, a
checkpoint of any form, or a directory that holds one. It needs no device.

Multiply-adds are those of the convolutions and the classifier for one picture, and activations the elements that
these put out, as timm counts them with fvcore. A file of other tensors than a BiT network's is listed all the same.`

func (a *app) inspectCommand() *cobra.Command {
	var (
		pixels int
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:     "inspect [flags] FILE",
		Short:   "Tell what a checkpoint holds",
		Long:    inspectHelp,
		Example: "  bitgpu inspect demo\n  bitgpu inspect --size 384 --json BiT-M-R50x1.npz",
		Args:    cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("size") && pixels < net.MinSize {
				return usage("--size: %d, want at least %d", pixels, net.MinSize)
			}
			i, err := bitgpu.Inspect(args[0], pixels)
			if err != nil {
				return cannotOpen(modelError(args[0], err))
			}
			out := a.text()
			if asJSON {
				return jsonLine(out, newInspection(i))
			}
			printInspection(out, i)
			return out.Flush()
		}),
	}
	cmd.Flags().IntVar(&pixels, "size", 0, "height and width of the picture that work is counted for in `pixels`, in place of the model's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// inspection is the JSON of bitgpu inspect. What only a BiT network has is null for others.
type inspection struct {
	Name      string            `json:"name"`
	Path      string            `json:"path"` // empty for what is part of the program
	Container string            `json:"container"`
	Sharded   bool              `json:"sharded"`
	Names     string            `json:"names"`
	Problem   string            `json:"problem,omitempty"` // why it is no BiT network
	Network   *inspectedNetwork `json:"network"`
	Bytes     int64             `json:"bytes"`
	Tensors   []inspectedTensor `json:"tensors"`
}

type inspectedNetwork struct {
	Architecture  string    `json:"architecture"` // timm's; empty if timm has none
	Layers        []int     `json:"layers"`
	Channels      []int     `json:"channels"`
	Stem          int       `json:"stem"`
	Classes       int       `json:"classes"`
	Features      int       `json:"features"`
	Parameters    int64     `json:"parameters"`
	Size          int       `json:"size"`
	MACs          int64     `json:"macs"`
	Activations   int64     `json:"activations"`
	CropPct       float64   `json:"crop_pct"`
	Interpolation string    `json:"interpolation"`
	Mean          []float32 `json:"mean"`
	Std           []float32 `json:"std"`
}

type inspectedTensor struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

func newInspection(i *bitgpu.Inspection) inspection {
	all := inspection{Name: i.Name, Path: i.Path, Container: i.Form.Container, Sharded: i.Form.Sharded, Names: i.Form.Names}
	for _, t := range i.Tensors {
		all.Tensors = append(all.Tensors, inspectedTensor{t.Name, t.DType.String(), append([]int{}, t.Shape...), t.Bytes()})
		all.Bytes += t.Bytes()
	}
	if i.NoBiT != nil {
		all.Problem = i.NoBiT.Error()
		return all
	}
	c, p := i.Config, i.Preprocess
	all.Network = &inspectedNetwork{
		Architecture: i.Architecture, Layers: c.Layers, Channels: c.Channels, Stem: c.Stem, Classes: c.Classes, Features: c.Features(),
		Parameters: i.Parameters, Size: i.Size, MACs: i.MACs, Activations: i.Activations,
		CropPct: p.CropPct, Interpolation: p.Interpolation.String(), Mean: p.Mean[:], Std: p.Std[:],
	}
	return all
}

// printInspection prints what is known, and a table of the tensors. Errors of out are its Flush's.
func printInspection(out io.Writer, i *bitgpu.Inspection) {
	all := newInspection(i)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(out, "%-13s %s\n", what, fmt.Sprintf(format, args...))
	}
	if i.Path != "" {
		line("file", "%s", printable(i.Path))
	}
	line("form", "%v", i.Form)
	line("tensors", "%d, %s", len(all.Tensors), size(all.Bytes))
	if n := all.Network; n != nil {
		name := n.Architecture
		if name == "" {
			name = "a BiT network that timm has no name for"
		}
		line("architecture", "%s", name)
		line("network", "blocks %v, channels %v, stem %d, %d classes", n.Layers, n.Channels, n.Stem, n.Classes)
		line("parameters", "%d", n.Parameters)
		line(fmt.Sprintf("at %dx%d", n.Size, n.Size), "%.2f GMAC, %.2f M activations", float64(n.MACs)/1e9, float64(n.Activations)/1e6)
		line("pictures", "crop %v, %s, mean %v, std %v", n.CropPct, n.Interpolation, n.Mean, n.Std)
	} else {
		line("no network", "%s", printable(all.Problem))
	}
	width := len("tensor")
	for _, t := range all.Tensors {
		width = max(width, len([]rune(t.Name)))
	}
	fmt.Fprintf(out, "\n%-*s %-7s %10s  %s\n", width, "tensor", "type", "bytes", "shape")
	for _, t := range all.Tensors {
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Shape), " ", "x"), "[]")
		fmt.Fprintf(out, "%-*s %-7s %10d  %s\n", width, printable(t.Name), t.DType, t.Bytes, shape)
	}
}
