package loader

// This file owns what a checkpoint's config.json says: the Config types, their
// defaults and their checks. The JSON forms that it is read from are in
// config_json.go.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Config is the content of a config.json in the form of the Hugging Face Hub's
// timm models. Every field has a value after reading: what the file does not
// say is timm's default for BiT networks, but for ModelArgs, where it is zero.
// A Config is plain data; callers may change it.
type Config struct {
	// Architecture is the timm name without a tag, "resnetv2_152x2_bit".
	// Empty when the file does not say.
	Architecture string
	// NumClasses is the number of logits, 0 for a network without a head.
	NumClasses int
	// NumFeatures is the length of the embedding, 0 when the file does not say.
	NumFeatures int
	// GlobalPool is "avg", or "" for unpooled output.
	GlobalPool string

	ModelArgs  ModelArgs
	Pretrained PretrainedConfig

	// LabelNames has a name for each class in index order; nil when the file
	// has none.
	LabelNames []string
	// LabelDescriptions maps a label name to a longer text; nil when the file
	// has none.
	LabelDescriptions map[string]string
}

// ModelArgs are the arguments that depart from the architecture's own, named
// as those of timm's ResNetV2. A zero field means that the file does not say.
type ModelArgs struct {
	Layers      []int   // blocks of each stage
	Channels    []int   // output channels of each stage, before WidthFactor
	WidthFactor float64 // multiplies StemChs and Channels
	StemChs     int     // output channels of the stem, before WidthFactor
	NumGroups   int     // groups of every group normalization
}

// PretrainedConfig says what the weights were trained on, timm's
// pretrained_cfg.
type PretrainedConfig struct {
	Tag            string  // "goog_teacher_in21k_ft_in1k_384"; may be empty
	InputSize      [3]int  // channels, height, width
	TestInputSize  [3]int  // the size for evaluation; InputSize when the file has no other
	FixedInputSize bool    // the network takes InputSize only
	Interpolation  string  // "bicubic", "bilinear" ...
	CropPct        float64 // side of the crop by side of the resized picture
	CropMode       string  // "center", "squash" or "border"
	Mean, Std      []float64
	NumClasses     int
	FirstConv      string // name of the first convolution
	Classifier     string // name of the last layer
	LabelOffset    int    // classes of the checkpoint before the first that is meant
}

// bitConfig returns timm's defaults for BiT networks (_cfg in
// timm/models/resnetv2.py).
func bitConfig() Config {
	return Config{
		NumClasses: 1000,
		GlobalPool: "avg",
		Pretrained: PretrainedConfig{
			InputSize:     [3]int{3, 224, 224},
			Interpolation: "bilinear",
			CropPct:       0.875,
			CropMode:      "center",
			Mean:          []float64{0.5, 0.5, 0.5},
			Std:           []float64{0.5, 0.5, 0.5},
			FirstConv:     "stem.conv",
			Classifier:    "head.fc",
		},
	}
}

// Bounds of what a config may ask for: far above any network that exists, and
// low enough that no product of them overflows.
const (
	maxClasses  = 10_000_000
	maxStages   = 16
	maxLayers   = 10_000
	maxChannels = 1 << 20
	maxWidth    = 1024
	maxSide     = 1 << 20
)

// check makes sure that every value is one that can be meant. The error is of
// the first that is not, and names the key as the file does.
func (c *Config) check() error {
	a, p := c.ModelArgs, c.Pretrained
	return cmp.Or(
		between("num_classes", c.NumClasses, 0, maxClasses),
		between("num_features", c.NumFeatures, 0, maxChannels),
		oneOf("global_pool", c.GlobalPool, "avg", ""),
		allBetween("layers", a.Layers, maxLayers),
		allBetween("channels", a.Channels, maxChannels),
		sameLength(a),
		finiteUpTo("width_factor", a.WidthFactor, maxWidth),
		between("stem_chs", a.StemChs, 0, maxChannels),
		between("groups", a.NumGroups, 0, maxChannels),
		between("input_size[0]", p.InputSize[0], 3, 3),
		between("input_size[1]", p.InputSize[1], 1, maxSide),
		between("input_size[2]", p.InputSize[2], 1, maxSide),
		between("test_input_size[0]", p.TestInputSize[0], 3, 3),
		between("test_input_size[1]", p.TestInputSize[1], 1, maxSide),
		between("test_input_size[2]", p.TestInputSize[2], 1, maxSide),
		oneOf("interpolation", p.Interpolation, "nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"),
		cropPct(p.CropPct),
		oneOf("crop_mode", p.CropMode, "center", "squash", "border"),
		threeNumbers("mean", p.Mean, false),
		threeNumbers("std", p.Std, true),
		between("pretrained_cfg num_classes", p.NumClasses, 0, maxClasses),
		between("label_offset", p.LabelOffset, 0, maxClasses),
	)
}

func between(key string, v, lowest, highest int) error {
	if v < lowest || v > highest {
		return fmt.Errorf("%s is %d, want %d to %d", key, v, lowest, highest)
	}
	return nil
}

func allBetween(key string, v []int, highest int) error {
	if len(v) > maxStages {
		return fmt.Errorf("%s has %d stages, at most %d are allowed", key, len(v), maxStages)
	}
	for i, n := range v {
		if err := between(fmt.Sprintf("%s[%d]", key, i), n, 1, highest); err != nil {
			return err
		}
	}
	return nil
}

func sameLength(a ModelArgs) error {
	if a.Layers != nil && a.Channels != nil && len(a.Layers) != len(a.Channels) {
		return fmt.Errorf("layers has %d stages, channels has %d", len(a.Layers), len(a.Channels))
	}
	return nil
}

func oneOf(key, v string, allowed ...string) error {
	if !slices.Contains(allowed, v) {
		return fmt.Errorf("%s is %q, want one of %q", key, v, allowed)
	}
	return nil
}

// finiteUpTo takes zero, which stands for "not said", and rejects NaN.
func finiteUpTo(key string, v, highest float64) error {
	if !(v >= 0 && v <= highest) {
		return fmt.Errorf("%s is %v, want more than 0, at most %v", key, v, highest)
	}
	return nil
}

// cropPct rejects a resize to more than 100 times the side: timm's own are
// 0.8 to 1.
func cropPct(v float64) error {
	if !(v >= 0.01 && v <= 10) {
		return fmt.Errorf("crop_pct is %v, want 0.01 to 10", v)
	}
	return nil
}

func threeNumbers(key string, v []float64, positive bool) error {
	if len(v) != 3 {
		return fmt.Errorf("%s has %d numbers, want 3", key, len(v))
	}
	for _, x := range v {
		if math.Abs(x) > 1e6 || positive && x < 1e-6 {
			return fmt.Errorf("%s is %v: out of range", key, v)
		}
	}
	return nil
}
