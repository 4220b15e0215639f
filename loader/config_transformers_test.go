package loader_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

func TestTransformersConfig(t *testing.T) {
	f := loadertest.Open(t, forms+"transformers")
	c := f.Config
	if c == nil {
		t.Fatal("no config")
	}
	a, p := c.ModelArgs, c.Pretrained
	if !slices.Equal(a.Layers, []int{2, 1, 2, 1}) || !slices.Equal(a.Channels, []int{128, 128, 256, 256}) || a.StemChs != 64 || a.NumGroups != 32 || c.NumClasses != 10 ||
		c.LabelNames[9] != "thing 9" {
		t.Errorf("%+v", c)
	}
	if p.TestInputSize != [3]int{3, 64, 64} || p.Interpolation != "bilinear" || !slices.Equal(p.Mean, []float64{0.5, 0.25, 0.125}) || !slices.Equal(p.Std, []float64{0.5, 0.5, 0.25}) {
		t.Errorf("%+v", p)
	}
}

// TestProcessorCrop wants the shorter side that the file says for every size, however crop_pct rounds.
func TestProcessorCrop(t *testing.T) {
	dir := t.TempDir()
	config := touch(t, filepath.Join(dir, "config.json"), `{"model_type":"bit"}`)
	for short := 33; short < 600; short += 7 {
		touch(t, filepath.Join(dir, "preprocessor_config.json"), strings.ReplaceAll(`{"size":{"shortest_edge":N},"crop_size":32}`, "N", strconv.Itoa(short)))
		c, err := loader.ReadConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		p := loader.Preprocess{Size: c.Pretrained.TestInputSize[1], CropPct: c.Pretrained.CropPct}
		if w, _, _, _ := p.Geometry(1000, 1000); w != short || p.Size != 32 {
			t.Errorf("shorter side %d, want %d; size %d", w, short, p.Size)
		}
	}
}

func TestProcessor(t *testing.T) {
	const clip = 0.48145466
	for _, tt := range []struct {
		name, json string
		err        string // part of the error
		mean, std  float64
		size       int
		filter     string
	}{
		{"defaults", `{}`, "", clip, 0.26862954, 224, "bicubic"},
		{"no normalization", `{"do_normalize":false}`, "", 0, 1, 224, "bicubic"},
		{"one mean for all", `{"image_mean":0.5,"image_std":0.25,"size":384,"crop_size":384,"resample":2}`, "", 0.5, 0.25, 384, "bilinear"},
		{"another factor", `{"rescale_factor":0.00784313725490196,"image_mean":[1,1,1],"image_std":[1,1,1]}`, "", 0.5, 0.5, 224, "bicubic"},
		{"rounded factor", `{"rescale_factor":0.003921569,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}`, "", 0.5, 0.5, 224, "bicubic"},
		{"no crop", `{"do_center_crop":false}`, "do_center_crop is false", 0, 0, 0, ""},
		{"no resize", `{"do_resize":false}`, "do_resize is false", 0, 0, 0, ""},
		{"no rescale", `{"do_rescale":false}`, "do_rescale is false", 0, 0, 0, ""},
		{"no square", `{"crop_size":{"height":3,"width":4}}`, "crop_size is 3x4", 0, 0, 0, ""},
		{"crop that pads", `{"size":{"shortest_edge":100},"crop_size":224}`, "crop_size 224", 0, 0, 0, ""},
		{"resized to a square", `{"size":{"height":224,"width":224}}`, "shortest_edge", 0, 0, 0, ""},
		{"unknown filter", `{"resample":9}`, "resample is 9", 0, 0, 0, ""},
		{"negative size", `{"size":-1}`, "want a crop within", 0, 0, 0, ""},
		{"zero std", `{"image_std":[0,1,1]}`, "std", 0, 0, 0, ""},
		{"NaN factor", `{"rescale_factor":0}`, "rescale_factor", 0, 0, 0, ""},
		{"wrong type", `{"image_std":"x"}`, "corrupt", 0, 0, 0, ""},
		{"no JSON", `[`, "corrupt", 0, 0, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := touch(t, filepath.Join(dir, "preprocessor_config.json"), tt.json)
			c, err := loader.ReadConfig(touch(t, filepath.Join(dir, "config.json"), `{"model_type":"bit","id2label":{"0":"LABEL_0","1":"LABEL_1","2":"LABEL_2"}}`))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), file) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := c.Pretrained
			if math.Abs(p.Mean[0]-tt.mean) > 1e-6 || math.Abs(p.Std[0]-tt.std) > 1e-6 || p.TestInputSize[1] != tt.size || p.Interpolation != tt.filter {
				t.Errorf("%+v", p)
			}
			if c.LabelNames != nil || c.NumClasses != 3 {
				t.Errorf("labels %v of %d classes", c.LabelNames, c.NumClasses)
			}
		})
	}
}

func TestTransformersConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type":"bit","layer_type":"bottleneck"}`:              "layer_type is bottleneck, but a BiT network has preactivation",
		`{"model_type":"bit","hidden_act":"gelu"}`:                    "hidden_act is gelu",
		`{"model_type":"bit","global_padding":"SAME"}`:                `global_padding is "SAME"`,
		`{"model_type":"bit","embedding_dynamic_padding":true}`:       "embedding_dynamic_padding is true",
		`{"model_type":"resnet","depths":[3,4,6,3]}`:                  `model_type is "resnet", want bit`,
		`{"model_type":"bit","depths":[1,0,1,1]}`:                     "layers[1] is 0",
		`{"model_type":"bit","depths":[1,1],"hidden_sizes":[8,8,16]}`: "layers has 2 stages, channels has 3",
		`{"model_type":"bit","id2label":{"3":"x"}}`:                   "no index of 1 labels",
	} {
		if _, err := loader.ParseConfig([]byte(text), "config.json"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if _, err := loader.ParseConfig([]byte(`{"model_type":"bit","depths":"x"}`), "c"); !errors.Is(err, loader.ErrCorrupt) {
		t.Error(err)
	}
	// transformers' wrapper of timm has timm's own keys.
	c, err := loader.ParseConfig([]byte(`{"model_type":"timm_wrapper","architecture":"resnetv2_50x1_bit","pretrained_cfg":{"input_size":[3,96,96]}}`), "c")
	if err != nil || c.Architecture != "resnetv2_50x1_bit" || c.Pretrained.TestInputSize[1] != 96 {
		t.Errorf("%+v, %v", c, err)
	}
}
