package bitgpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/demo"
	"github.com/bitgpu/bitgpu/net"
)

// source is a checkpoint with all that is known of its model. It is the net.Source of the weights.
type source struct {
	checkpoint loader.Checkpoint
	tensors    map[string]loader.TensorInfo
	info       Info
	config     *loader.Config // what lies beside the checkpoint; nil if nothing does
	path       string         // of the checkpoint; "" if it is no file
}

// find opens the weights that a name stands for. What is not on this machine fetch may bring here; nil for nothing.
func find(name, weights string, fetch fetcher) (*source, error) {
	switch {
	case weights == RandomGolden:
		return generated(name)
	case weights != "":
		return nil, fmt.Errorf("weights %q, want %q or nothing", weights, RandomGolden)
	}
	f, err := openNamed(name, fetch)
	if err != nil {
		return nil, err
	}
	s, err := describe(name, f, f.Config)
	if err != nil {
		f.Close()
		if f.Path != "" {
			err = fmt.Errorf("%s: %w", f.Path, err)
		}
		return nil, err
	}
	s.path = f.Path
	return s, nil
}

// openNamed opens the weights of a name, a file or a directory.
func openNamed(name string, fetch fetcher) (*loader.File, error) {
	if name != Demo {
		path, err := locate(name, fetch)
		if err != nil {
			return nil, err
		}
		return loader.Open(path)
	}
	c, err := demo.Checkpoint()
	if err != nil {
		return nil, err
	}
	config, err := demo.Config()
	if err != nil {
		return nil, err
	}
	form := loader.Form{Container: loader.ContainerSafetensors, Names: loader.NamesTimm}
	return &loader.File{Checkpoint: c, Form: form, Config: config}, nil
}

// locate finds the checkpoint file of a path or a model's name.
func locate(name string, fetch fetcher) (string, error) {
	stat, err := os.Stat(name)
	switch {
	case err == nil && stat.IsDir():
		if path, ok := loader.CheckpointIn(name); ok {
			return path, nil
		}
		return "", fmt.Errorf("%w: no checkpoint in the directory %s, or several", ErrNoModel, name)
	case err == nil:
		return name, nil
	}
	path, tried := loader.Find(name)
	if path != "" {
		return path, nil
	}
	ref, onHub, err := hubRef(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %s: %w", ErrNoModel, name, err)
	case !onHub && (len(tried) == 0 || strings.ContainsRune(name, filepath.Separator)):
		return "", fmt.Errorf("%w: no file or directory %s", ErrNoModel, name)
	case onHub && fetch != nil:
		if path, err = fetch(ref); err == nil {
			return path, nil
		}
	}
	return "", &missing{name: name, tried: tried, onHub: onHub, err: err}
}

// missing is the error of a model that is not on this machine. It wraps ErrNoModel.
type missing struct {
	name  string
	tried []string // where it was looked for
	onHub bool     // whether the Hub may have it
	err   error    // why it could not be fetched; nil if nobody tried
}

func (m *missing) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%v: no weights of %s on this machine; looked for\n  %s\n", ErrNoModel, m.name, strings.Join(m.tried, "\n  "))
	switch {
	case m.err != nil:
		fmt.Fprintf(&text, "They could not be fetched: %v\n", m.err)
	case m.onHub:
		fmt.Fprintf(&text, "They can be fetched: bitgpu pull %s\n", m.name)
	}
	fmt.Fprintf(&text, "The model %q is part of the program and needs no weights", Demo)
	return text.String()
}

func (m *missing) Unwrap() []error {
	if m.err == nil {
		return []error{ErrNoModel}
	}
	return []error{ErrNoModel, m.err}
}

// generated makes the golden weights of a published architecture.
func generated(name string) (*source, error) {
	v, ok := net.FindVariant(name)
	if !ok {
		return nil, fmt.Errorf("%w: weights %s need the name of a published model, not %s; there are\n  %s",
			ErrNoModel, RandomGolden, name, strings.Join(net.VariantNames(), "\n  "))
	}
	return describe(v.Name, loader.Generated(tensorInfos(v.Config)), nil)
}

func tensorInfos(c net.Config) []loader.TensorInfo {
	var infos []loader.TensorInfo
	for _, p := range c.Params() {
		infos = append(infos, loader.TensorInfo{Name: p.Name, Shape: p.Shape})
	}
	return infos
}

// describe reads a model's shape off its tensors and checks all of them, and takes the
// preprocessing from config, or from the registry if the name is known there.
func describe(name string, c loader.Checkpoint, config *loader.Config) (*source, error) {
	s := &source{checkpoint: loader.Finite(c), config: config, tensors: map[string]loader.TensorInfo{}}
	shapes := map[string][]int{}
	for _, t := range c.Tensors() {
		s.tensors[t.Name] = t
		shapes[t.Name] = t.Shape
	}
	groups := 0
	if config != nil {
		groups = config.ModelArgs.NumGroups
	}
	shape, err := net.Infer(shapes, groups)
	if err != nil {
		return nil, err
	}
	if err := loader.CheckTensors(c.Tensors(), tensorInfos(shape)); err != nil {
		return nil, err
	}
	s.info = Info{Name: name, Config: shape, Labels: loader.Labels(config, shape.Classes), Synsets: loader.Synsets(config, shape.Classes)}
	for _, p := range c.Tensors() {
		s.info.Parameters += int64(p.Len())
	}
	if s.info.Trunk, err = trunk(s.checkpoint); err != nil {
		return nil, err
	}
	s.info.Preprocess, err = preprocess(name, config)
	return s, err
}

// FindPreprocess returns the preprocessing of a model without opening it: name is one that Open takes,
// or that of a published model, whose weights need not be there. The error wraps ErrNoModel or
// loader.ErrCorrupt as that of Open does.
func FindPreprocess(name string) (loader.Preprocess, error) {
	config, err := findConfig(name)
	if err == nil {
		var p loader.Preprocess
		if p, err = preprocess(name, config); err == nil {
			return p, nil
		}
	}
	return loader.Preprocess{}, fmt.Errorf("bitgpu: %w", err)
}

// findConfig returns the config of a model's weights, nil if there is none or the weights are not there.
func findConfig(name string) (*loader.Config, error) {
	if name == Demo {
		return demo.Config()
	}
	path, err := locate(name, nil)
	if err != nil {
		if _, known := net.FindVariant(name); known && errors.Is(err, ErrNoModel) {
			return nil, nil
		}
		return nil, err
	}
	return loader.ReadConfigFor(path)
}

// preprocess takes a model's preprocessing from its config, from the registry, or, for an unknown
// model without a config, from what timm assumes.
func preprocess(name string, config *loader.Config) (loader.Preprocess, error) {
	p := loader.Preprocess{
		Size: 224, CropPct: 0.875, Interpolation: loader.Bicubic,
		Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5},
	}
	v, known := variantOf(name)
	filter := p.Interpolation.String()
	switch {
	case config != nil:
		pre := config.Pretrained
		if pre.TestInputSize[1] != pre.TestInputSize[2] {
			return p, fmt.Errorf("config: test input %v, want a square", pre.TestInputSize)
		}
		p.Size, p.CropPct, filter = pre.TestInputSize[1], pre.CropPct, pre.Interpolation
		for i := range p.Mean {
			p.Mean[i], p.Std[i] = float32(pre.Mean[i]), float32(pre.Std[i])
		}
	case known:
		p.Size, p.CropPct, filter = v.Size, v.CropPct, v.Interpolation
	}
	var err error
	if p.Interpolation, err = loader.ParseInterpolation(filter); err != nil {
		return p, fmt.Errorf("config: %w", err)
	}
	return p, p.Validate()
}

// googleName is the name of a file that Google published: the depth and width, and the data that it was tuned on.
var googleName = regexp.MustCompile(`^BiT-M-R(\d+x\d)(-ILSVRC2012)?$`)

// variantOf finds the published checkpoint that a name, with a revision or without, or the name of a file stands for.
func variantOf(name string) (net.Variant, bool) {
	name, _, _ = strings.Cut(filepath.Base(name), "@")
	name = loader.TrimExtension(name)
	if m := googleName.FindStringSubmatch(name); m != nil {
		name = "resnetv2_" + m[1] + "_bit.goog_in21k"
		if m[2] != "" {
			name += "_ft_in1k"
		}
	}
	return net.FindVariant(name)
}

// DType implements net.Source.
func (s *source) DType(name string) (net.DType, error) {
	switch t, ok := s.tensors[name]; {
	case !ok:
		return 0, fmt.Errorf("tensor %q is missing", name)
	case t.DType == loader.F16:
		return net.F16, nil
	case t.DType == loader.BF16:
		return net.BF16, nil
	}
	return net.F32, nil // loader.CheckTensors has let nothing else pass
}

// ReadTensor implements net.Source.
func (s *source) ReadTensor(name string, p []byte, off int64) error {
	return s.checkpoint.ReadTensor(name, p, off)
}

// cacheDir resolves Options.CacheDir. Without a home there is no cache.
func cacheDir(dir string) (string, error) {
	switch dir {
	case "none":
		return "", nil
	case "":
		base, err := os.UserCacheDir()
		if err != nil {
			return "", nil
		}
		return filepath.Join(base, "bitgpu"), nil
	}
	return filepath.Abs(dir)
}
