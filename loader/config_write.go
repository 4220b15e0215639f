package loader

// This file owns writing a config.json in the form that timm's models have on the
// Hugging Face Hub, which timm and ReadConfig read.

import (
	"encoding/json"
	"fmt"
)

// writtenConfig is the order of the keys. Where a type of config_json.go fits it is used.
type writtenConfig struct {
	Architecture string            `json:"architecture,omitempty"`
	NumClasses   int               `json:"num_classes"`
	NumFeatures  int               `json:"num_features,omitempty"`
	GlobalPool   string            `json:"global_pool"`
	ModelArgs    *writtenArgs      `json:"model_args,omitempty"`
	Pretrained   writtenPretrained `json:"pretrained_cfg"`
	LabelNames   []string          `json:"label_names,omitempty"`
	Descriptions map[string]string `json:"label_descriptions,omitempty"`
}

type writtenArgs struct {
	Layers      []int   `json:"layers,omitempty"`
	Channels    []int   `json:"channels,omitempty"`
	WidthFactor float64 `json:"width_factor,omitempty"`
	StemChs     int     `json:"stem_chs,omitempty"`
	Groups      int     `json:"groups,omitempty"`
}

type writtenPretrained struct {
	Tag            string    `json:"tag,omitempty"`
	InputSize      [3]int    `json:"input_size"`
	TestInputSize  *[3]int   `json:"test_input_size,omitempty"`
	FixedInputSize bool      `json:"fixed_input_size"`
	Interpolation  string    `json:"interpolation"`
	CropPct        float64   `json:"crop_pct"`
	CropMode       string    `json:"crop_mode"`
	Mean           []float64 `json:"mean"`
	Std            []float64 `json:"std"`
	NumClasses     int       `json:"num_classes"`
	PoolSize       [2]int    `json:"pool_size"`
	FirstConv      string    `json:"first_conv"`
	Classifier     string    `json:"classifier"`
	LabelOffset    int       `json:"label_offset,omitempty"`
}

// Write writes the config to a file, which appears under its name when it is
// complete. What ReadConfig reads of it is c.
func (c *Config) Write(path string) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("loader: %s: %w", path, err)
	}
	p := c.Pretrained
	w := writtenConfig{
		Architecture: c.Architecture, NumClasses: c.NumClasses, NumFeatures: c.NumFeatures, GlobalPool: c.GlobalPool,
		LabelNames: c.LabelNames, Descriptions: c.LabelDescriptions,
		Pretrained: writtenPretrained{
			Tag: p.Tag, InputSize: p.InputSize, FixedInputSize: p.FixedInputSize, Interpolation: p.Interpolation,
			CropPct: p.CropPct, CropMode: p.CropMode, Mean: p.Mean, Std: p.Std, NumClasses: p.NumClasses,
			PoolSize:  [2]int{(p.InputSize[1] + 31) / 32, (p.InputSize[2] + 31) / 32}, // of the last map
			FirstConv: p.FirstConv, Classifier: p.Classifier, LabelOffset: p.LabelOffset,
		},
	}
	if p.TestInputSize != p.InputSize {
		w.Pretrained.TestInputSize = &p.TestInputSize
	}
	if a := c.ModelArgs; a.Layers != nil || a.Channels != nil || a.WidthFactor != 0 || a.StemChs != 0 || a.NumGroups != 0 {
		w.ModelArgs = &writtenArgs{a.Layers, a.Channels, a.WidthFactor, a.StemChs, a.NumGroups}
	}
	text, err := json.MarshalIndent(w, "", " ")
	if err == nil {
		err = writeWhole(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("loader: %s: %w", path, err)
	}
	return nil
}

// writeWhole writes a file that is seen when it is complete.
func writeWhole(path string, data []byte) error {
	f, err := createPartial(path)
	if err != nil {
		return err
	}
	defer f.discard()
	if _, err := f.file.Write(data); err != nil {
		return err
	}
	return f.commit()
}
