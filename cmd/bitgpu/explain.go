package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/draw"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
)

const explainHelp = `Explain shows where in a picture the network sees a class: the class activation map (Zhou et al. 2016), the
product of the classifier's weights of that class with the final features of every place. For these networks it is
exact: the mean of the map plus the class's bias is the logit.

The map is drawn over the part of the picture that the network has seen. --class is given once for each class: a
label, an index, top for the most probable class, top3 for the three most probable ones. Several are drawn side by
side after the picture itself, with one scale of colours for all. Where nothing
speaks for the class the picture stays as it is.

--npy FILE.npy writes the maps themselves, float32 [classes,H,W] in logits, H and W a 32nd of the input's. Cell y,x is
about the surroundings of pixel 32y,32x of the input. With a larger --size the maps are finer.`

// explainOptions are the flags of bitgpu explain.
type explainOptions struct {
	model    modelFlags
	inputs   inputFlags
	out      string
	classes  []string
	colormap string
	opacity  float64
	side     int
	mapOnly  bool
	npy      string
	json     bool
}

func (a *app) explainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain [flags] --out FILE.png PATH",
		Short: "Show where in a picture a class is seen",
		Long:  explainHelp,
		Example: "  bitgpu explain --model demo --out cat.png photo.jpg\n" +
			"  bitgpu explain --class top3 --class 'tabby cat' -o maps.png --npy maps.npy photo.jpg",
		Args: cobra.MaximumNArgs(1),
		RunE: command(func(cmd *cobra.Command, paths []string) error {
			return a.explain(cmd, o, paths)
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.model.addHead(flags)
	o.inputs.pictures.add(flags)
	flags.StringVarP(&o.out, "out", "o", "", "the picture to write, `FILE`.png; - for standard output")
	flags.StringArrayVar(&o.classes, "class", []string{"top"}, "what to show, `NAME|INDEX|top|topN`; may be given several times")
	flags.StringVar(&o.colormap, "colormap", bitgpu.Inferno.String(), "the colours, `viridis|magma|inferno`")
	flags.Float64Var(&o.opacity, "opacity", bitgpu.DefaultOpacity, "of the map where it is highest, more than 0 and at most 1")
	flags.IntVar(&o.side, "side", 0, "height and width of a map's picture in `pixels`; 448 or the network's input if not given")
	flags.BoolVar(&o.mapOnly, "map-only", false, "the map alone, without the picture")
	flags.StringVar(&o.npy, "npy", "", "also write the maps, float32 [classes,H,W], to `FILE.npy`")
	flags.BoolVar(&o.json, "json", false, "one JSON object of the classes")
	return cmd
}

// check finds mistakes in the flags before any work.
func (o *explainOptions) check(cmd *cobra.Command, paths []string) error {
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if len(paths)+len(o.inputs.pictures.named) > 1 {
		return usage("one picture at a time")
	}
	if o.out == "" && o.npy == "" {
		return usage("--out FILE.png is missing")
	}
	if o.out == "-" && o.json {
		return usage("--json and --out - would both write to standard output")
	}
	if _, err := bitgpu.ParseColormap(o.colormap); err != nil {
		return usage("--colormap: %q is none of viridis, magma and inferno", o.colormap)
	}
	if !(o.opacity > 0 && o.opacity <= 1) {
		return usage("--opacity: %v, want more than 0 and at most 1", o.opacity)
	}
	if cmd.Flags().Changed("side") && (o.side < 16 || o.side > 8192) {
		return usage("--side: %d, want 16 to 8192", o.side)
	}
	return nil
}

func (a *app) explain(cmd *cobra.Command, o explainOptions, paths []string) error {
	if err := o.check(cmd, paths); err != nil {
		return err
	}
	var results []result
	var picture *textFile
	var maps *rowFile
	if o.out != "" {
		var err error
		if picture, err = a.createText(o.out); err != nil {
			return err
		}
		defer picture.Discard()
		results = append(results, picture)
	}
	if o.npy != "" {
		var err error
		if maps, err = createRows("--npy", o.npy, loader.F32); err != nil {
			return err
		}
		defer maps.Discard()
		results = append(results, maps)
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		classes, err := explained(m.Info(), o.classes)
		if err != nil {
			return err
		}
		e, name, err := a.explanation(cmd.Context(), m, &o, paths, classes)
		if err != nil {
			return err
		}
		if maps != nil {
			shape := e.Maps.Shape
			n := shape[1] * shape[2]
			for i := range e.Classes {
				if err := maps.add(values{shape: shape[1:], floats: e.Maps.Data[i*n : (i+1)*n]}); err != nil {
					return err
				}
			}
		}
		if picture != nil {
			img, err := o.draw(e, m.Info())
			if err != nil {
				return err
			}
			if err := png.Encode(picture, img); err != nil {
				return err
			}
		}
		if err := finish(nil, results...); err != nil || o.out == "-" {
			return err
		}
		return a.printExplanation(e, m.Info(), name, o.json)
	})
}

// explained reads the values of --class, for Model.Explain.
func explained(info bitgpu.Info, values []string) ([]int, error) {
	if info.Config.Classes == 0 {
		return nil, cannotOpen(fmt.Errorf("model %s has no classes", info.Name))
	}
	var classes []int
	for _, v := range values {
		some, err := explainedBy(info, v)
		if err != nil {
			return nil, err
		}
		classes = append(classes, some...)
	}
	const most = 64
	if len(classes) == 0 || len(classes) > most {
		return nil, usage("--class: %d classes, want 1 to %d", len(classes), most)
	}
	return classes, nil
}

// explainedBy reads one value of --class.
func explainedBy(info bitgpu.Info, value string) ([]int, error) {
	all := info.Config.Classes
	if class, err := strconv.Atoi(value); err == nil {
		if class < 0 || class >= all {
			return nil, usage("--class: %d, this network has 0 to %d", class, all-1)
		}
		return []int{class}, nil
	}
	if best, ok := strings.CutPrefix(value, "top"); ok && strings.Trim(best, "0123456789") == "" {
		n, err := strconv.Atoi(cmp.Or(best, "1"))
		if err != nil || n < 1 || n > all {
			return nil, usage("--class: %s, this network has %d classes", value, all)
		}
		var classes []int
		for i := range n {
			classes = append(classes, -1-i)
		}
		return classes, nil
	}
	var first error
	for _, names := range classNameSets(info) {
		class, err := names.find(value)
		if err == nil {
			return []int{class}, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, usage("--class: %w", first)
}

// explanation runs the one picture, and returns its name too.
func (a *app) explanation(ctx context.Context, m *bitgpu.Model, o *explainOptions, paths []string, classes []int) (*bitgpu.Explanation, string, error) {
	var picture *loader.Image
	name := ""
	for i := range a.inputs(&o.inputs.pictures, paths).all() {
		if picture != nil {
			return nil, "", fmt.Errorf("%s: more than one picture", strings.Join(paths, " "))
		}
		var err error
		name = i.file
		if picture, err = o.inputs.pictures.decode(ctx, i); err != nil {
			return nil, "", err
		}
	}
	if picture == nil {
		return nil, "", errors.New("no picture")
	}
	e, err := m.Explain(ctx, picture.RGBA(), classes...)
	if err != nil {
		return nil, "", named(name, err)
	}
	return e, name, nil
}

// draw makes the picture: the map of one class, or those of several beside the picture itself.
func (o *explainOptions) draw(e *bitgpu.Explanation, info bitgpu.Info) (image.Image, error) {
	style := bitgpu.MapStyle{Side: o.side, Opacity: o.opacity}
	style.Colormap, _ = bitgpu.ParseColormap(o.colormap) // checked before
	if style.Side == 0 {
		style.Side = max(448, info.Preprocess.Size)
	}
	one := e.Overlay
	if o.mapOnly {
		one = e.Map
	}
	if len(e.Classes) == 1 {
		return one(0, style)
	}
	crop, err := e.Crop(style.Side)
	if err != nil {
		return nil, err
	}
	tiles := []draw.Tile{{Image: crop}}
	probs := bitgpu.Softmax(e.Logits)
	for i, class := range e.Classes {
		img, err := one(i, style)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, draw.Tile{Image: img, Caption: fmt.Sprintf("%s, %.2f %%", info.Labels[class], 100*probs[class])})
	}
	return draw.Sheet("", tiles, 4)
}

// printExplanation says what was explained.
func (a *app) printExplanation(e *bitgpu.Explanation, info bitgpu.Info, name string, asJSON bool) error {
	type class struct {
		Index int     `json:"index"`
		Label string  `json:"label"`
		Prob  float32 `json:"prob"`
		Logit float32 `json:"logit"`
		Bias  float32 `json:"bias"`
		Low   float64 `json:"map_min"`
		High  float64 `json:"map_max"`
	}
	var list []class
	probs := bitgpu.Softmax(e.Logits)
	n := len(e.Maps.Data) / len(e.Classes)
	for i, c := range e.Classes {
		low, high := (&bitgpu.Explanation{Maps: &bitgpu.Tensor{Data: e.Maps.Data[i*n : (i+1)*n]}}).Range()
		list = append(list, class{c, info.Labels[c], probs[c], e.Logits[c], e.Bias[i], low, high})
	}
	out := a.text()
	if asJSON {
		return jsonLine(out, struct {
			File    string  `json:"file"`
			Shape   []int   `json:"shape"`
			Stride  int     `json:"stride"`
			Classes []class `json:"classes"`
		}{name, e.Maps.Shape, e.Stride, list})
	}
	fmt.Fprintf(out, "%s, maps of %d x %d\n", printable(name), e.Maps.Shape[1], e.Maps.Shape[2])
	for _, c := range list {
		fmt.Fprintf(out, "  %6.2f%%  %s: logit %.3f, map %.3f to %.3f, bias %.3f\n", 100*c.Prob, printable(c.Label), c.Logit, c.Low, c.High, c.Bias)
	}
	return out.Flush()
}
