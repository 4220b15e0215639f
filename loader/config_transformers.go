package loader

// This file owns the two files that transformers writes beside a BiT network:
// config.json (BitConfig) and preprocessor_config.json (BitImageProcessor). A key
// that a file lacks has the default of these classes. Keys that are not named
// here are skipped.

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
)

// bitConfigJSON is a config.json with "model_type": "bit".
type bitConfigJSON struct {
	HiddenSizes   []int      `json:"hidden_sizes"`
	Depths        []int      `json:"depths"`
	WidthFactor   *float64   `json:"width_factor"`
	EmbeddingSize *int       `json:"embedding_size"`
	NumGroups     *int       `json:"num_groups"`
	Labels        labelNames `json:"id2label"`
	NumLabels     *int       `json:"num_labels"`

	// What follows is the same in every network that runs here.
	LayerType      *string `json:"layer_type"`
	HiddenAct      *string `json:"hidden_act"`
	NumChannels    *int    `json:"num_channels"`
	OutputStride   *int    `json:"output_stride"`
	GlobalPadding  *string `json:"global_padding"`
	DynamicPadding *bool   `json:"embedding_dynamic_padding"`
}

// parseTransformersConfig reads the text of BitConfig. Its pretrained part stays
// at timm's defaults, which applyProcessor changes.
func parseTransformersConfig(data []byte) (*Config, error) {
	var j bitConfigJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if err := cmp.Or(
		only("layer_type", j.LayerType, "preactivation"),
		only("hidden_act", j.HiddenAct, "relu"),
		only("num_channels", j.NumChannels, 3),
		only("output_stride", j.OutputStride, 32),
		only("embedding_dynamic_padding", j.DynamicPadding, false),
	); err != nil {
		return nil, err
	}
	if j.GlobalPadding != nil {
		return nil, fmt.Errorf("global_padding is %q, but a BiT network has none", *j.GlobalPadding)
	}
	c := bitConfig()
	c.ModelArgs = ModelArgs{Layers: []int{3, 4, 6, 3}, Channels: []int{256, 512, 1024, 2048}, WidthFactor: 1, StemChs: 64, NumGroups: 32}
	if j.Depths != nil {
		c.ModelArgs.Layers = j.Depths
	}
	if j.HiddenSizes != nil {
		c.ModelArgs.Channels = j.HiddenSizes
	}
	set(&c.ModelArgs.WidthFactor, j.WidthFactor)
	set(&c.ModelArgs.StemChs, j.EmbeddingSize)
	set(&c.ModelArgs.NumGroups, j.NumGroups)
	c.NumClasses = 2 // transformers' own default
	set(&c.NumClasses, j.NumLabels)
	if j.Labels != nil {
		c.NumClasses = len(j.Labels)
		if !placeholders(j.Labels) {
			c.LabelNames = j.Labels
		}
	}
	c.Pretrained.NumClasses, c.Pretrained.TestInputSize = c.NumClasses, c.Pretrained.InputSize
	return &c, nil
}

// placeholders says whether labels are those that transformers makes up, LABEL_0 and so on.
func placeholders(labels []string) bool {
	for i, l := range labels {
		if l != fmt.Sprintf("LABEL_%d", i) {
			return false
		}
	}
	return true
}

// processorJSON is a preprocessor_config.json.
type processorJSON struct {
	DoResize     *bool         `json:"do_resize"`
	Size         processorSize `json:"size"`
	Resample     *int          `json:"resample"`
	DoCenterCrop *bool         `json:"do_center_crop"`
	CropSize     processorSize `json:"crop_size"`
	DoRescale    *bool         `json:"do_rescale"`
	Rescale      *float64      `json:"rescale_factor"`
	DoNormalize  *bool         `json:"do_normalize"`
	Mean         channelValues `json:"image_mean"`
	Std          channelValues `json:"image_std"`
}

// processorSize is a number, {"shortest_edge": n} or {"height": n, "width": n}.
type processorSize struct{ short, height, width int }

func (s *processorSize) UnmarshalJSON(data []byte) error {
	if n := 0; json.Unmarshal(data, &n) == nil {
		*s = processorSize{n, n, n}
		return nil
	}
	var j struct {
		Short  int `json:"shortest_edge"`
		Height int `json:"height"`
		Width  int `json:"width"`
	}
	err := json.Unmarshal(data, &j)
	*s = processorSize{j.Short, j.Height, j.Width}
	return err
}

// channelValues is a list of a number for each channel, or one for all.
type channelValues []float64

func (v *channelValues) UnmarshalJSON(data []byte) error {
	var one float64
	if json.Unmarshal(data, &one) == nil {
		*v = channelValues{one, one, one}
		return nil
	}
	return json.Unmarshal(data, (*[]float64)(v))
}

// pillowFilters are Pillow's filters by number.
var pillowFilters = [...]string{"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"}

// processor returns the settings of a preprocessor_config.json in terms of timm's.
func (j *processorJSON) processor() (PretrainedConfig, error) {
	p := bitConfig().Pretrained
	yes := true
	if err := cmp.Or(
		only("do_resize", cmp.Or(j.DoResize, &yes), true),
		only("do_center_crop", cmp.Or(j.DoCenterCrop, &yes), true),
		only("do_rescale", cmp.Or(j.DoRescale, &yes), true),
	); err != nil {
		return p, fmt.Errorf("%w, or is not run", err)
	}
	short, crop := j.Size.short, j.CropSize.height
	if j.Size == (processorSize{}) {
		short = 224
	}
	if j.CropSize == (processorSize{}) {
		crop = 224
	} else if j.CropSize.width != crop {
		return p, fmt.Errorf("crop_size is %dx%d, want a square", crop, j.CropSize.width)
	}
	if short < 1 || short > maxSide || crop < 1 || crop > short {
		return p, fmt.Errorf("size is %d (shortest_edge) and crop_size %d, want a crop within the resized picture", short, crop)
	}
	p.InputSize = [3]int{3, crop, crop}
	p.TestInputSize = p.InputSize
	p.CropPct = cropPctFor(crop, short)
	filter := 3
	set(&filter, j.Resample)
	if filter < 0 || filter >= len(pillowFilters) {
		return p, fmt.Errorf("resample is %d, want 0 to %d", filter, len(pillowFilters)-1)
	}
	p.Interpolation = pillowFilters[filter]
	return p, j.normalize(&p)
}

// normalize sets mean and std, which count in units of the full range: (x*factor - mean)/std is
// (x/255 - mean/(255*factor)) / (std/(255*factor)).
func (j *processorJSON) normalize(p *PretrainedConfig) error {
	mean, std := []float64{0, 0, 0}, []float64{1, 1, 1}
	if j.DoNormalize == nil || *j.DoNormalize {
		mean, std = clipMean(), clipStd()
		if j.Mean != nil {
			mean = j.Mean
		}
		if j.Std != nil {
			std = j.Std
		}
	}
	factor := 1.0 / 255
	set(&factor, j.Rescale)
	if !(factor > 1e-9 && factor < 1e9) {
		return fmt.Errorf("rescale_factor is %v, want more than 0", factor)
	}
	if math.Abs(255*factor-1) < 1e-6 { // 1/255 as it was rounded
		p.Mean, p.Std = mean, std
		return nil
	}
	p.Mean, p.Std = nil, nil
	for _, v := range mean {
		p.Mean = append(p.Mean, v/(255*factor))
	}
	for _, v := range std {
		p.Std = append(p.Std, v/(255*factor))
	}
	return nil
}

// clipMean and clipStd are transformers' OPENAI_CLIP_MEAN and OPENAI_CLIP_STD,
// the defaults of BitImageProcessor.
func clipMean() []float64 { return []float64{0.48145466, 0.4578275, 0.40821073} }
func clipStd() []float64  { return []float64{0.26862954, 0.26130258, 0.27577711} }

// cropPctFor returns the crop_pct with which timm resizes the shorter side to short pixels
// and keeps crop of them: floor(crop/pct) must be short, however the division rounds.
func cropPctFor(crop, short int) float64 {
	pct := float64(crop) / float64(short)
	for math.Floor(float64(crop)/pct) < float64(short) {
		pct = math.Nextafter(pct, 0)
	}
	return pct
}

// applyProcessor reads the preprocessor_config.json beside a config.json, if there is one.
func (c *Config) applyProcessor(config string) error {
	path := filepath.Join(filepath.Dir(config), "preprocessor_config.json")
	data, err := readFileLimited(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var j processorJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("loader: %s: %w: %w", path, err, ErrCorrupt)
	}
	p, err := j.processor()
	if err == nil {
		p.NumClasses = c.Pretrained.NumClasses
		c.Pretrained = p
		err = c.check()
	}
	if err != nil {
		return fmt.Errorf("loader: %s: %w", path, err)
	}
	return nil
}

// modelType returns the "model_type" of a config.json that transformers wrote for a model of its own;
// "" for one of timm's, and for what is no JSON object.
func modelType(data []byte) string {
	var j struct {
		Type         string `json:"model_type"`
		Architecture string `json:"architecture"` // timm's, also in transformers' wrapper of timm
	}
	if json.Unmarshal(data, &j) != nil || j.Architecture != "" {
		return ""
	}
	return strings.ToLower(j.Type)
}
