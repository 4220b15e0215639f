package net

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// shapesOf lists the tensors of a network as a checkpoint would have them.
func shapesOf(c Config) map[string][]int {
	shapes := map[string][]int{}
	for _, p := range c.Params() {
		shapes[p.Name] = p.Shape
	}
	return shapes
}

// TestParams compares with the tensors of timm's networks: testdata/keys_*.txt has a name and a
// shape a line, from the state_dict of the models with 1000 classes.
func TestParams(t *testing.T) {
	for arch, model := range map[string]string{"152x2": DefaultModel, "50x1": "resnetv2_50x1_bit.goog_in21k_ft_in1k"} {
		text, err := os.ReadFile("testdata/keys_" + arch + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSpace(string(text)), "\n")
		v, ok := FindVariant(model)
		if !ok {
			t.Fatalf("no %s", model)
		}
		var got []string
		for _, p := range v.Config.Params() {
			shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Shape), "[]"), " ", "x")
			got = append(got, p.Name+" "+shape)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d tensors, want %d as listed", arch, len(got), len(want))
		}
	}
}

func TestParamsCount(t *testing.T) {
	v, _ := FindVariant(DefaultModel)
	var n int64
	for _, p := range v.Config.Params() {
		n += product(p.Shape)
	}
	if n != 236335208 {
		t.Errorf("%d parameters, the list of timm adds up to 236335208", n)
	}
	if v.Config.Features() != 4096 || v.Config.Maps() != 5 {
		t.Errorf("%d features, %d maps", v.Config.Features(), v.Config.Maps())
	}
	var channels []int
	for i := range v.Config.Maps() {
		channels = append(channels, v.Config.MapChannels(i))
	}
	if want := []int{128, 512, 1024, 2048, 4096}; !slices.Equal(channels, want) {
		t.Errorf("maps of %v channels, want %v", channels, want)
	}
}

func TestVariants(t *testing.T) {
	want := []string{ // name, classes, size, crop, filter
		"resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384 1000 384 1 bicubic",
		"resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k 1000 224 0.875 bicubic",
		"resnetv2_50x1_bit.goog_distilled_in1k 1000 224 0.875 bicubic",
		"resnetv2_50x1_bit.goog_in21k_ft_in1k 1000 448 1 bilinear",
		"resnetv2_50x3_bit.goog_in21k_ft_in1k 1000 448 1 bilinear",
		"resnetv2_101x1_bit.goog_in21k_ft_in1k 1000 448 1 bilinear",
		"resnetv2_101x3_bit.goog_in21k_ft_in1k 1000 448 1 bilinear",
		"resnetv2_152x2_bit.goog_in21k_ft_in1k 1000 448 1 bilinear",
		"resnetv2_152x4_bit.goog_in21k_ft_in1k 1000 480 1 bilinear",
		"resnetv2_50x1_bit.goog_in21k 21843 224 0.875 bilinear",
		"resnetv2_50x3_bit.goog_in21k 21843 224 0.875 bilinear",
		"resnetv2_101x1_bit.goog_in21k 21843 224 0.875 bilinear",
		"resnetv2_101x3_bit.goog_in21k 21843 224 0.875 bilinear",
		"resnetv2_152x2_bit.goog_in21k 21843 224 0.875 bilinear",
		"resnetv2_152x4_bit.goog_in21k 21843 224 0.875 bilinear",
	}
	layers := map[string][]int{"50": {3, 4, 6, 3}, "101": {3, 4, 23, 3}, "152": {3, 8, 36, 3}}
	var got []string
	for _, v := range Variants() {
		got = append(got, fmt.Sprintf("%s %d %d %g %s", v.Name, v.Config.Classes, v.Size, v.CropPct, v.Interpolation))
		var depth string
		var width int
		if _, err := fmt.Sscanf(strings.ReplaceAll(v.Architecture(), "x", " "), "resnetv2_%s %d_bit", &depth, &width); err != nil {
			t.Errorf("%s: %v", v.Architecture(), err)
		}
		wide := func(base ...int) []int {
			for i := range base {
				base[i] *= width
			}
			return base
		}
		c := Config{
			Layers: layers[depth], Channels: wide(256, 512, 1024, 2048), Mid: wide(64, 128, 256, 512), Stem: 64 * width,
			Classes: v.Config.Classes, Groups: 32, NormEps: 1e-5, WeightEps: 1e-8,
		}
		if !reflect.DeepEqual(v.Config, c) {
			t.Errorf("%s: %+v, want %+v", v.Name, v.Config, c)
		}
		if err := v.Config.Validate(); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("variants:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if names := VariantNames(); len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("names %v", names)
	}
}

func TestFindVariant(t *testing.T) {
	for name, want := range map[string]string{
		DefaultModel:           DefaultModel,
		"timm/" + DefaultModel: DefaultModel,
		"resnetv2_152x2_bit":   "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k",
		"resnetv2_50x1_bit":    "resnetv2_50x1_bit.goog_distilled_in1k",
		"resnetv2_152x4_bit":   "resnetv2_152x4_bit.goog_in21k_ft_in1k",
		"resnetv2_50x2_bit":    "",
		"":                     "",
	} {
		v, ok := FindVariant(name)
		if v.Name != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", name, v.Name, ok, want)
		}
	}
}

func TestInfer(t *testing.T) {
	var configs []Config
	for _, v := range Variants() {
		configs = append(configs, v.Config)
	}
	odd := Config{
		Layers: []int{1, 2}, Channels: []int{20, 35}, Mid: []int{10, 5}, Stem: 15,
		Classes: 0, Groups: 5, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	for _, c := range append(configs, odd) {
		groups := c.Groups
		if groups == DefaultGroups {
			groups = 0
		}
		got, err := Infer(shapesOf(c), groups)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("inferred %+v, %v; want %+v", got, err, c)
		}
	}
}

func TestInferErrors(t *testing.T) {
	v, _ := FindVariant("resnetv2_50x1_bit")
	for name, c := range map[string]struct {
		change func(map[string][]int)
		groups int
		want   string
	}{
		"empty":         {func(s map[string][]int) { clear(s) }, 0, `"stem.conv.weight" is missing; the checkpoint is empty`},
		"another model": {func(s map[string][]int) { clear(s); s["conv1.weight"] = []int{64, 3, 7, 7} }, 0, "the checkpoint has conv1.weight"},
		"no stage":      {func(s map[string][]int) { delete(s, "stages.0.blocks.0.conv1.weight") }, 0, `"stages.0.blocks.0.conv1.weight" is missing`},
		"half a block":  {func(s map[string][]int) { delete(s, "stages.2.blocks.0.conv3.weight") }, 0, `"stages.2.blocks.0.conv3.weight" is missing`},
		"flat stem":     {func(s map[string][]int) { s["stem.conv.weight"] = []int{64} }, 0, "want the four dimensions"},
		"flat head":     {func(s map[string][]int) { s["head.fc.weight"] = []int{1000, 2048} }, 0, "want the four dimensions"},
		"no rows":       {func(s map[string][]int) { s["stem.conv.weight"] = []int{0, 3, 7, 7} }, 0, "want the four dimensions"},
		"groups":        {func(map[string][]int) {}, 24, "want a positive multiple of 24 groups"},
		"no groups":     {func(map[string][]int) {}, -1, "-1 normalization groups"},
	} {
		shapes := shapesOf(v.Config)
		c.change(shapes)
		if _, err := Infer(shapes, c.groups); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"valid":          {func(*Config) {}, ""},
		"no stages":      {func(c *Config) { c.Layers, c.Channels, c.Mid = nil, nil, nil }, "same stages"},
		"stages differ":  {func(c *Config) { c.Mid = c.Mid[1:] }, "same stages"},
		"groups":         {func(c *Config) { c.Groups = 0 }, "0 normalization groups"},
		"classes":        {func(c *Config) { c.Classes = -1 }, "classes -1"},
		"norm eps":       {func(c *Config) { c.NormEps = 0 }, "eps > 0"},
		"weight eps":     {func(c *Config) { c.WeightEps = -1 }, "eps > 0"},
		"stem":           {func(c *Config) { c.Stem = 63 }, "the stem has 63 channels"},
		"empty stage":    {func(c *Config) { c.Layers = []int{1, 0, 1, 1} }, "stage 1 has 0 blocks"},
		"stage channels": {func(c *Config) { c.Channels = []int{256, 512, 1000, 2048} }, "stage 2 has 1000 channels"},
		"mid channels":   {func(c *Config) { c.Mid = []int{64, 128, 256, 0} }, "the bottleneck of stage 3 has 0 channels"},
	} {
		v, _ := FindVariant("resnetv2_50x1_bit")
		c.change(&v.Config)
		err := v.Config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
