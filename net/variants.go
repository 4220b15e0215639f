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
	variant := func(depth string, width int, tag string, classes, size int, crop float64, filter string) Variant {
		return Variant{
			Name:   "resnetv2_" + depth + "x" + string(rune('0'+width)) + "_bit." + tag,
			Config: architecture(depth, width, classes), Size: size, CropPct: crop, Interpolation: filter,
		}
	}
	list := []Variant{
		variant("152", 2, "goog_teacher_in21k_ft_in1k_384", 1000, 384, 1, "bicubic"),
		variant("152", 2, "goog_teacher_in21k_ft_in1k", 1000, 224, 0.875, "bicubic"),
		variant("50", 1, "goog_distilled_in1k", 1000, 224, 0.875, "bicubic"),
	}
	sizes := []struct {
		depth string
		width int
	}{{"50", 1}, {"50", 3}, {"101", 1}, {"101", 3}, {"152", 2}, {"152", 4}}
	for _, s := range sizes {
		size := 448
		if s.width == 4 {
			size = 480
		}
		list = append(list, variant(s.depth, s.width, "goog_in21k_ft_in1k", 1000, size, 1, "bilinear"))
	}
	for _, s := range sizes {
		list = append(list, variant(s.depth, s.width, "goog_in21k", 21843, 224, 0.875, "bilinear"))
	}
	return list
}

// FindVariant looks a checkpoint up by timm's name, with or without the tag; without it the first
// checkpoint of the architecture is meant, as in timm. ok is false if there is none.
func FindVariant(name string) (v Variant, ok bool) {
	name = strings.TrimPrefix(name, "timm/")
	for _, v := range Variants() {
		if v.Name == name || v.Architecture() == name {
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
