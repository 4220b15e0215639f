package loader

// This file owns the JSON forms of a config.json:
//
//   - timm's Hub form: architecture, num_classes, model_args and a
//     pretrained_cfg object (timm.models.load_model_config_from_hf reads it);
//   - timm's older form, without model_args, the keys of pretrained_cfg beside
//     architecture;
//   - a bare network: "net", "layers", "channels", "width_factor" ... at the
//     top, as test networks have it;
//   - transformers' form, which config_transformers.go owns.
//
// Keys that are not named here are skipped.

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// maxConfig bounds a config.json in bytes; one with 21,843 described labels
// has about 2 MB.
const maxConfig = 32 << 20

// ReadConfig reads a config.json, and if transformers wrote it the preprocessor_config.json
// beside it, if that is there.
func ReadConfig(path string) (*Config, error) {
	data, err := readFileLimited(path, maxConfig)
	if err != nil {
		return nil, err
	}
	c, err := ParseConfig(data, path)
	if err == nil && modelType(data) != "" {
		err = c.applyProcessor(path)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ParseConfig reads the text of a config.json; name stands for it in errors.
// Text that is no JSON object, or a key whose value is of the wrong type, gives
// an error that wraps ErrCorrupt; a value that no BiT network can have gives
// one that does not.
func ParseConfig(data []byte, name string) (*Config, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("loader: %s: no JSON object: %w", name, ErrCorrupt)
	}
	if kind := modelType(data); kind != "" {
		c, err := (*Config)(nil), fmt.Errorf("model_type is %q, want bit", kind)
		if kind == "bit" {
			c, err = parseTransformersConfig(data)
		}
		if err == nil {
			err = c.check()
		}
		if err != nil {
			return nil, fmt.Errorf("loader: %s: %w", name, err)
		}
		return c, nil
	}
	var j configJSON
	err := json.Unmarshal(data, &j)
	// In the older form and the bare one, the keys of the objects that are not
	// there are at the top.
	if err == nil && j.Pretrained == nil {
		err = json.Unmarshal(data, &j.Pretrained)
	}
	if err == nil && j.ModelArgs == nil {
		err = json.Unmarshal(data, &j.ModelArgs)
	}
	if err != nil {
		return nil, fmt.Errorf("loader: %s: %w: %w", name, err, ErrCorrupt)
	}
	c, err := j.config()
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("loader: %s: %w", name, err)
	}
	return c, nil
}

// configJSON is the whole file.
type configJSON struct {
	Architecture *string         `json:"architecture"`
	Net          *string         `json:"net"`
	NumFeatures  *int            `json:"num_features"`
	GlobalPool   *string         `json:"global_pool"`
	ModelArgs    *modelArgsJSON  `json:"model_args"`
	Pretrained   *pretrainedJSON `json:"pretrained_cfg"`
	Labels       labelNames      `json:"labels"` // timm's old name of label_names
	LabelNames   labelNames      `json:"label_names"`
	Descriptions labelTexts      `json:"label_descriptions"`
	NumClasses   *int            `json:"num_classes"`
}

type modelArgsJSON struct {
	Layers      []int    `json:"layers"`
	Channels    []int    `json:"channels"`
	WidthFactor *float64 `json:"width_factor"`
	StemChs     *int     `json:"stem_chs"`
	Groups      *int     `json:"groups"`
	Classes     *int     `json:"num_classes"`
	Pool        *string  `json:"global_pool"`

	// What follows is the same in every BiT network; another value asks for a
	// network that this one is not.
	InChans      *int     `json:"in_chans"`
	OutputStride *int     `json:"output_stride"`
	StemType     *string  `json:"stem_type"`
	AvgDown      *bool    `json:"avg_down"`
	Preact       *bool    `json:"preact"`
	Basic        *bool    `json:"basic"`
	BottleRatio  *float64 `json:"bottle_ratio"`
	GNEps        *float64 `json:"gn_eps"`
	WSEps        *float64 `json:"ws_eps"`
}

type pretrainedJSON struct {
	Tag            *string    `json:"tag"`
	InputSize      []int      `json:"input_size"`
	TestInputSize  []int      `json:"test_input_size"`
	FixedInputSize *bool      `json:"fixed_input_size"`
	Interpolation  *string    `json:"interpolation"`
	CropPct        *float64   `json:"crop_pct"`
	CropMode       *string    `json:"crop_mode"`
	Mean           []float64  `json:"mean"`
	Std            []float64  `json:"std"`
	Classes        *int       `json:"num_classes"`
	FirstConv      *string    `json:"first_conv"`
	Classifier     *string    `json:"classifier"`
	LabelOffset    *int       `json:"label_offset"`
	Names          labelNames `json:"label_names"`
	Texts          labelTexts `json:"label_descriptions"`
}

// config puts the file's values over the defaults. As in timm, num_classes
// and the labels at the top win over those of pretrained_cfg.
func (j *configJSON) config() (*Config, error) {
	args, pre := j.ModelArgs, j.Pretrained
	c := bitConfig()
	set(&c.Architecture, j.Net, j.Architecture)
	set(&c.NumClasses, pre.Classes, args.Classes, j.NumClasses)
	set(&c.NumFeatures, j.NumFeatures)
	set(&c.GlobalPool, args.Pool, j.GlobalPool)
	c.LabelNames = firstNonNil(j.LabelNames, j.Labels, pre.Names)
	texts := j.Descriptions
	if texts == nil {
		texts = pre.Texts
	}
	var err error
	if c.LabelDescriptions, err = texts.byName(c.LabelNames); err != nil {
		return nil, err
	}
	if err := args.fixed(); err != nil {
		return nil, err
	}
	c.ModelArgs.Layers, c.ModelArgs.Channels = args.Layers, args.Channels
	set(&c.ModelArgs.WidthFactor, args.WidthFactor)
	set(&c.ModelArgs.StemChs, args.StemChs)
	set(&c.ModelArgs.NumGroups, args.Groups)
	return &c, pre.apply(&c.Pretrained, c.NumClasses)
}

// apply puts the values of a pretrained_cfg over the defaults in p.
func (j *pretrainedJSON) apply(p *PretrainedConfig, numClasses int) error {
	p.NumClasses = numClasses
	set(&p.Tag, j.Tag)
	set(&p.FixedInputSize, j.FixedInputSize)
	set(&p.Interpolation, j.Interpolation)
	set(&p.CropPct, j.CropPct)
	set(&p.CropMode, j.CropMode)
	set(&p.NumClasses, j.Classes)
	set(&p.FirstConv, j.FirstConv)
	set(&p.Classifier, j.Classifier)
	set(&p.LabelOffset, j.LabelOffset)
	if j.Mean != nil {
		p.Mean = j.Mean
	}
	if j.Std != nil {
		p.Std = j.Std
	}
	if err := setSize(&p.InputSize, j.InputSize, "input_size"); err != nil {
		return err
	}
	p.TestInputSize = p.InputSize
	return setSize(&p.TestInputSize, j.TestInputSize, "test_input_size")
}

// fixed makes sure that what all BiT networks share is not changed. gn_eps
// and ws_eps are those of timm's GroupNormAct and StdConv2d for BiT.
func (j *modelArgsJSON) fixed() error {
	return cmp.Or(
		only("in_chans", j.InChans, 3),
		only("output_stride", j.OutputStride, 32),
		only("stem_type", j.StemType, "fixed"),
		only("avg_down", j.AvgDown, false),
		only("preact", j.Preact, true),
		only("basic", j.Basic, false),
		only("bottle_ratio", j.BottleRatio, 0.25),
		only("gn_eps", j.GNEps, 1e-5),
		only("ws_eps", j.WSEps, 1e-8),
	)
}

func only[T comparable](key string, v *T, want T) error {
	if v != nil && *v != want {
		return fmt.Errorf("%s is %v, but a BiT network has %v", key, *v, want)
	}
	return nil
}

// set gives dst the last of the values that is there.
func set[T any](dst *T, values ...*T) {
	for _, v := range values {
		if v != nil {
			*dst = *v
		}
	}
}

func setSize(dst *[3]int, v []int, key string) error {
	if v == nil {
		return nil
	}
	if len(v) != 3 {
		return fmt.Errorf("%s has %d numbers, want 3 (channels, height, width)", key, len(v))
	}
	copy(dst[:], v)
	return nil
}

func firstNonNil(lists ...labelNames) []string {
	for _, l := range lists {
		if l != nil {
			return l
		}
	}
	return nil
}

// labelNames is a JSON array of names, or an object of names by index.
type labelNames []string

func (l *labelNames) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("{")) {
		return json.Unmarshal(data, (*[]string)(l))
	}
	var byIndex map[string]string
	if err := json.Unmarshal(data, &byIndex); err != nil {
		return err
	}
	names := make([]string, len(byIndex))
	seen := make([]bool, len(byIndex))
	for key, name := range byIndex {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(names) || seen[i] {
			return fmt.Errorf("label_names: %q is no index of %d labels", key, len(names))
		}
		names[i], seen[i] = name, true
	}
	*l = names
	return nil
}

// labelTexts is a JSON object of texts by name, or an array of texts in the
// order of the names. It keeps the JSON until the names are known.
type labelTexts json.RawMessage

func (l *labelTexts) UnmarshalJSON(data []byte) error {
	if !bytes.Equal(data, []byte("null")) {
		*l = slices.Clone(data)
	}
	return nil
}

func (l labelTexts) byName(names []string) (map[string]string, error) {
	if l == nil {
		return nil, nil
	}
	var texts map[string]string
	if !bytes.HasPrefix(l, []byte("[")) {
		if err := json.Unmarshal(l, &texts); err != nil {
			return nil, fmt.Errorf("label_descriptions: %w: %w", err, ErrCorrupt)
		}
		return texts, nil
	}
	var list []string
	if err := json.Unmarshal(l, &list); err != nil {
		return nil, fmt.Errorf("label_descriptions: %w: %w", err, ErrCorrupt)
	}
	if len(list) != len(names) {
		return nil, fmt.Errorf("%d label_descriptions for %d label_names", len(list), len(names))
	}
	texts = make(map[string]string, len(list))
	for i, text := range list {
		texts[names[i]] = text
	}
	return texts, nil
}
