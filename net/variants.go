package net

import (
	"sort"
	"strings"
)

// Variant is a published BiT checkpoint: an architecture with the input that it was trained for.
// The values are those of timm's model registry (timm/models/resnetv2.py).
type Variant struct {
	Name          string // timm's name: architecture, a dot, the tag of the weights
	Config        Config
	Size          int // input height and width, pixels
	CropPct       float64
	Interpolation string // "bicubic" or "bilinear"

	// Top1 is the share in percent of ImageNet-1k's 50,000 validation pictures that timm found to be classified
	// right, at this size and crop: results/results-imagenet.csv of huggingface/pytorch-image-models, commit
	// 4e5207c7 of 30 October 2025. It is 0 where nothing is published, as for networks with other classes.
	Top1 float64
}

// Parameters counts the weights and biases.
func (v Variant) Parameters() int64 {
	n := int64(0)
	for _, p := range v.Config.Params() {
		size := int64(1)
		for _, d := range p.Shape {
			size *= int64(d)
		}
		n += size
	}
	return n
}

// MACs counts the multiply-adds of the convolutions and the classifier for one picture of the variant's size.
func (v Variant) MACs() int64 {
	g, err := NewGraph(v.Config, v.Size, v.Size, Outputs{Logits: true})
	if err != nil {
		panic(err) // variants are constants
	}
	return g.TotalMACs()
}

// Architecture is the part of the name before the tag.
func (v Variant) Architecture() string {
	arch, _, _ := strings.Cut(v.Name, ".")
	return arch
}

// DefaultModel is the network that bitgpu is built for.
const DefaultModel = "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384"

var depths = map[string][]int{"50": {3, 4, 6, 3}, "101": {3, 4, 23, 3}, "152": {3, 8, 36, 3}}

// architecture returns the shape of resnetv2_{depth}x{width}_bit.
func architecture(depth string, width, classes int) Config {
	c := Config{
		Layers: depths[depth], Stem: 64 * width, Classes: classes,
		Groups: DefaultGroups, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	for _, base := range []int{256, 512, 1024, 2048} {
		c.Channels = append(c.Channels, base*width)
		c.Mid = append(c.Mid, base*width/4)
	}
	return c
}

// Variants lists the published checkpoints, the default model first.
func Variants() []Variant {
	variant := func(depth string, width int, tag string, classes, size int, crop float64, filter string, top1 float64) Variant {
		return Variant{
			Name:   "resnetv2_" + depth + "x" + string(rune('0'+width)) + "_bit." + tag,
			Config: architecture(depth, width, classes), Size: size, CropPct: crop, Interpolation: filter, Top1: top1,
		}
	}
	list := []Variant{
		variant("152", 2, "goog_teacher_in21k_ft_in1k_384", 1000, 384, 1, "bicubic", 83.858),
		variant("152", 2, "goog_teacher_in21k_ft_in1k", 1000, 224, 0.875, "bicubic", 82.918),
		variant("50", 1, "goog_distilled_in1k", 1000, 224, 0.875, "bicubic", 82.820),
	}
	sizes := []struct {
		depth string
		width int
		top1  float64
	}{{"50", 1, 80.386}, {"50", 3, 83.982}, {"101", 1, 82.332}, {"101", 3, 84.430}, {"152", 2, 84.468}, {"152", 4, 84.936}}
	for _, s := range sizes {
		size := 448
		if s.width == 4 {
			size = 480
		}
		list = append(list, variant(s.depth, s.width, "goog_in21k_ft_in1k", 1000, size, 1, "bilinear", s.top1))
	}
	for _, s := range sizes {
		list = append(list, variant(s.depth, s.width, "goog_in21k", 21843, 224, 0.875, "bilinear", 0))
	}
	return list
}

// FindVariant looks a checkpoint up by timm's name, with or without the tag; without it the one is meant that
// timm lists first for the architecture, which is not DefaultModel. ok is false if there is none.
func FindVariant(name string) (v Variant, ok bool) {
	name = strings.TrimPrefix(name, "timm/")
	for _, v := range Variants() {
		if v.Name == name || v.Architecture() == name && v.Name != DefaultModel {
			return v, true
		}
	}
	return Variant{}, false
}

// VariantNames lists the names of Variants, sorted.
func VariantNames() []string {
	var names []string
	for _, v := range Variants() {
		names = append(names, v.Name)
	}
	sort.Strings(names)
	return names
}
