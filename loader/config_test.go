package loader_test

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// defaults is what a config that says nothing gives.
func defaults() loader.Config {
	return loader.Config{
		NumClasses: 1000, GlobalPool: "avg",
		Pretrained: loader.PretrainedConfig{
			InputSize: [3]int{3, 224, 224}, TestInputSize: [3]int{3, 224, 224},
			Interpolation: "bilinear", CropPct: 0.875, CropMode: "center",
			Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.5, 0.5, 0.5},
			NumClasses: 1000, FirstConv: "stem.conv", Classifier: "head.fc",
		},
	}
}

// onHub is the config.json of timm/resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384.
const onHub = `{
  "architecture": "resnetv2_152x2_bit", "num_classes": 1000, "num_features": 4096, "global_pool": "avg",
  "pretrained_cfg": {
    "tag": "goog_teacher_in21k_ft_in1k_384", "custom_load": true, "input_size": [3, 384, 384],
    "fixed_input_size": false, "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center",
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "num_classes": 1000, "pool_size": [12, 12],
    "first_conv": "stem.conv", "classifier": "head.fc", "origin_url": "https://github.com/google-research/big_transfer"
  }
}`

func TestParseConfig(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		change     func(*loader.Config) // of defaults()
	}{
		{"empty", ` {} `, func(*loader.Config) {}},
		{"nulls", `{"num_classes":null,"label_names":null,"label_descriptions":null,"pretrained_cfg":{"mean":null,"input_size":null}}`, func(*loader.Config) {}},
		{"Hub form", onHub, func(c *loader.Config) {
			c.Architecture, c.NumFeatures = "resnetv2_152x2_bit", 4096
			p := &c.Pretrained
			p.Tag, p.Interpolation, p.CropPct = "goog_teacher_in21k_ft_in1k_384", "bicubic", 1
			p.InputSize, p.TestInputSize = [3]int{3, 384, 384}, [3]int{3, 384, 384}
		}},
		{"model_args", `{"architecture":"resnetv2_50x1_bit","num_features":1024,
			"model_args":{"layers":[1,2,3,4],"channels":[8,16,32,64],"width_factor":0.5,"stem_chs":32,"num_classes":7,"stem_type":"fixed","drop_rate":0.1}}`,
			func(c *loader.Config) {
				c.Architecture, c.NumFeatures, c.NumClasses, c.Pretrained.NumClasses = "resnetv2_50x1_bit", 1024, 7, 7
				c.ModelArgs = loader.ModelArgs{Layers: []int{1, 2, 3, 4}, Channels: []int{8, 16, 32, 64}, WidthFactor: 0.5, StemChs: 32}
			}},
		{"classes at the top win", `{"num_classes":5,"model_args":{"num_classes":6},"pretrained_cfg":{"num_classes":21843,"label_offset":1}}`, func(c *loader.Config) {
			c.NumClasses, c.Pretrained.NumClasses, c.Pretrained.LabelOffset = 5, 21843, 1
		}},
		{"no head, unpooled", `{"num_classes":0,"global_pool":""}`, func(c *loader.Config) {
			c.NumClasses, c.Pretrained.NumClasses, c.GlobalPool = 0, 0, ""
		}},
		{"older form", `{"architecture":"a","labels":["x","y"],"num_classes":2,"input_size":[3,64,96],"interpolation":"bicubic","std":[1,2,3],"mean":[0,0.1,-2]}`, func(c *loader.Config) {
			c.Architecture, c.NumClasses, c.Pretrained.NumClasses, c.LabelNames = "a", 2, 2, []string{"x", "y"}
			p := &c.Pretrained
			p.InputSize, p.TestInputSize, p.Interpolation = [3]int{3, 64, 96}, [3]int{3, 64, 96}, "bicubic"
			p.Mean, p.Std = []float64{0, 0.1, -2}, []float64{1, 2, 3}
		}},
		{"sizes", `{"pretrained_cfg":{"input_size":[3,64,64],"test_input_size":[3,96,96],"fixed_input_size":true,"crop_mode":"squash"}}`, func(c *loader.Config) {
			p := &c.Pretrained
			p.InputSize, p.TestInputSize, p.FixedInputSize, p.CropMode = [3]int{3, 64, 64}, [3]int{3, 96, 96}, true, "squash"
		}},
		{"bare network", `{"net":"tiny","layers":[2,1,2,1],"channels":[128,128,256,256],"width_factor":1,"stem_chs":64,
			"num_classes":10,"mid_channels":[32,32,64,64],"groups":32,"gn_eps":1e-05,"ws_eps":1e-08,"stem_type":"fixed","params":389322}`,
			func(c *loader.Config) {
				c.Architecture, c.NumClasses, c.Pretrained.NumClasses = "tiny", 10, 10
				c.ModelArgs = loader.ModelArgs{Layers: []int{2, 1, 2, 1}, Channels: []int{128, 128, 256, 256}, WidthFactor: 1, StemChs: 64, NumGroups: 32}
			}},
		{"labels in pretrained_cfg", `{"pretrained_cfg":{"label_names":["a"],"label_descriptions":{"a":"A"}}}`, func(c *loader.Config) {
			c.LabelNames, c.LabelDescriptions = []string{"a"}, map[string]string{"a": "A"}
		}},
		{"labels by index, texts in order", `{"label_names":{"1":"b","0":"a"},"label_descriptions":["A","B"],"pretrained_cfg":{"label_names":["z"]}}`, func(c *loader.Config) {
			c.LabelNames, c.LabelDescriptions = []string{"a", "b"}, map[string]string{"a": "A", "b": "B"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := loader.ParseConfig([]byte(tt.text), "config.json")
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			tt.change(&want)
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

func TestParseConfigBad(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		corrupt    bool
	}{
		{``, "no JSON object", true},
		{`null`, "no JSON object", true},
		{`[1]`, "no JSON object", true},
		{`{"a":`, "unexpected end", true},
		{`{"num_classes":"ten"}`, "num_classes", true},
		{`{"num_classes":1.5}`, "num_classes", true},
		{`{"model_args":{"layers":3}}`, "layers", true},
		{`{"label_names":{"0":"a","2":"b"}}`, `"2" is no index of 2`, true},
		{`{"label_names":{"0":"a","00":"b"}}`, "is no index", true},
		{`{"label_names":3}`, "label_names", true},
		{`{"label_descriptions":3}`, "label_descriptions", true},
		{`{"label_descriptions":[3]}`, "label_descriptions", true},
		{`{"label_names":["a"],"label_descriptions":["A","B"]}`, "2 label_descriptions for 1", false},
		{`{"num_classes":-1}`, "num_classes is -1", false},
		{`{"num_features":-1}`, "num_features is -1", false},
		{`{"global_pool":"max"}`, `global_pool is "max"`, false},
		{`{"model_args":{"layers":[1,0,1,1]}}`, "layers[1] is 0", false},
		{`{"model_args":{"layers":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}`, "17 stages", false},
		{`{"model_args":{"layers":[1,1],"channels":[8]}}`, "layers has 2 stages, channels has 1", false},
		{`{"model_args":{"channels":[1073741824]}}`, "channels[0] is 1073741824", false},
		{`{"model_args":{"width_factor":-1}}`, "width_factor is -1", false},
		{`{"model_args":{"width_factor":1e300}}`, "width_factor is 1e+300", false},
		{`{"model_args":{"stem_chs":-3}}`, "stem_chs is -3", false},
		{`{"groups":-3}`, "groups is -3", false},
		{`{"model_args":{"in_chans":1}}`, "in_chans is 1, but a BiT network has 3", false},
		{`{"model_args":{"output_stride":8}}`, "output_stride is 8", false},
		{`{"model_args":{"stem_type":"deep"}}`, "stem_type is deep", false},
		{`{"model_args":{"avg_down":true}}`, "avg_down is true", false},
		{`{"model_args":{"preact":false}}`, "preact is false", false},
		{`{"model_args":{"basic":true}}`, "basic is true", false},
		{`{"model_args":{"bottle_ratio":0.5}}`, "bottle_ratio is 0.5", false},
		{`{"gn_eps":1e-6}`, "gn_eps is 1e-06", false},
		{`{"ws_eps":1e-6}`, "ws_eps is 1e-06", false},
		{`{"pretrained_cfg":{"input_size":[224,224]}}`, "input_size has 2 numbers", false},
		{`{"pretrained_cfg":{"input_size":[1,224,224]}}`, "input_size[0] is 1", false},
		{`{"pretrained_cfg":{"input_size":[3,0,224]}}`, "input_size[1] is 0", false},
		{`{"pretrained_cfg":{"input_size":[3,224,9999999]}}`, "input_size[2] is 9999999", false},
		{`{"pretrained_cfg":{"test_input_size":[3,224]}}`, "test_input_size has 2", false},
		{`{"pretrained_cfg":{"test_input_size":[3,-1,224]}}`, "test_input_size[1] is -1", false},
		{`{"pretrained_cfg":{"interpolation":"cubic"}}`, `interpolation is "cubic"`, false},
		{`{"pretrained_cfg":{"crop_pct":0}}`, "crop_pct is 0", false},
		{`{"pretrained_cfg":{"crop_pct":-1}}`, "crop_pct is -1", false},
		{`{"pretrained_cfg":{"crop_mode":"corner"}}`, `crop_mode is "corner"`, false},
		{`{"pretrained_cfg":{"mean":[0.5]}}`, "mean has 1 numbers", false},
		{`{"pretrained_cfg":{"mean":[0.5,1e30,0]}}`, "mean is", false},
		{`{"pretrained_cfg":{"std":[0.5,0.5,0]}}`, "std is [0.5 0.5 0]", false},
		{`{"pretrained_cfg":{"label_offset":-1}}`, "label_offset is -1", false},
		{`{"pretrained_cfg":{"num_classes":-1}}`, "num_classes is -1", false},
	} {
		_, err := loader.ParseConfig([]byte(tt.text), "some/config.json")
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "loader: some/config.json: ") {
			t.Errorf("%s: error %v lacks %q or the name", tt.text, err, tt.want)
		}
		if errors.Is(err, loader.ErrCorrupt) != tt.corrupt {
			t.Errorf("%s: error %v: is ErrCorrupt = %v", tt.text, err, !tt.corrupt)
		}
	}
}

func TestReadConfig(t *testing.T) {
	c, err := loader.ReadConfig(loadertest.File(t, "config.json", []byte(onHub)))
	if err != nil || c.Architecture != "resnetv2_152x2_bit" {
		t.Errorf("config %v, error %v", c, err)
	}
	if _, err := loader.ReadConfig("none.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	huge := loadertest.File(t, "config.json", nil)
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Skip(err) // no sparse files here
	}
	if _, err := loader.ReadConfig(huge); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of 1 TiB: %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(onHub))
	f.Add([]byte(`{"label_names":{"0":"a"},"label_descriptions":["A"],"layers":[1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := loader.ParseConfig(data, "fuzz")
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
	})
}
