package bitgpu

// This file owns the conversion of checkpoints to the form that timm loads.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// ConvertOptions of Convert. The zero value works.
type ConvertOptions struct {
	// DType of the weights that are written: "f32", "f16" or "bf16", rounded to nearest even; "" for that of
	// each tensor.
	DType   string
	Weights string // as in Options
	// Progress, if set, hears of the bytes that are written, and of all.
	Progress func(done, total int64)
}

// Converted is what Convert has written.
type Converted struct {
	Weights, Config string // files
	Tensors         int
	Parameters      int64
	Bytes           int64  // of the tensors
	Architecture    string // timm's name of it; "" if timm has none
}

// Convert writes the weights of a model as safetensors under timm's names, and a config.json in timm's form. in
// is a name, file or directory as for Open, on this machine. out is a directory, which is made if need be and
// gets model.safetensors and config.json, or a .safetensors file, which gets a .json of the same name beside
// it. Files that are there are replaced, each when the new one is complete. All of in is checked as Open does;
// a value that the type cannot hold, infinity and NaN are errors. Weights are not held in memory.
//
// timm loads the directory as "local-dir:DIR" (timm 1.0.16 and later), and the file as checkpoint_path.
func Convert(ctx context.Context, in, out string, o ConvertOptions) (*Converted, error) {
	c, err := convert(ctx, in, out, o)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return c, nil
}

func convert(ctx context.Context, in, out string, o ConvertOptions) (_ *Converted, err error) {
	dtypes := map[string]loader.DType{"f32": loader.F32, "f16": loader.F16, "bf16": loader.BF16}
	if _, ok := dtypes[o.DType]; !ok && o.DType != "" {
		return nil, fmt.Errorf("type %q, want f32, f16, bf16 or nothing", o.DType)
	}
	s, err := find(in, o.Weights, nil)
	if err != nil {
		return nil, err
	}
	defer s.checkpoint.Close()
	config := s.describeConfig()

	weights, file := filepath.Join(out, "model.safetensors"), filepath.Join(out, "config.json")
	if strings.HasSuffix(out, ".safetensors") {
		weights, file = out, strings.TrimSuffix(out, ".safetensors")+".json"
	} else if _, missing := os.Stat(out); missing != nil {
		if err := os.MkdirAll(out, 0o777); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				_ = os.Remove(out) // which fails if something is in it
			}
		}()
	}
	if s.isFile(weights) {
		return nil, fmt.Errorf("%s is the input", weights)
	}
	checkpoint := s.checkpoint
	if o.DType != "" {
		checkpoint = loader.Recast(checkpoint, dtypes[o.DType])
	}
	result := &Converted{
		Weights: weights, Config: file, Tensors: len(checkpoint.Tensors()), Parameters: s.info.Parameters, Architecture: architectureOf(s.info.Config),
	}
	for _, t := range checkpoint.Tensors() {
		result.Bytes += t.Bytes()
	}
	if err := copyWeights(ctx, weights, checkpoint, result.Bytes, o.Progress); err != nil {
		return nil, err
	}
	return result, config.Write(file)
}

// isFile says whether path is the file that the weights are in.
func (s *source) isFile(path string) bool {
	a, err1 := os.Stat(path)
	b, err2 := os.Stat(s.path)
	return s.path != "" && err1 == nil && err2 == nil && os.SameFile(a, b)
}

// pieceBytes is how much is read at once: arrays in another order are read best in large pieces.
const pieceBytes = 16 << 20

// copyWeights writes a checkpoint as a safetensors file.
func copyWeights(ctx context.Context, path string, c loader.Checkpoint, total int64, progress func(done, total int64)) error {
	w, err := loader.CreateSafetensors(path, map[string]string{"format": "pt"}, c.Tensors())
	if err != nil {
		return err
	}
	done := int64(0)
	buffer := make([]byte, min(pieceBytes, total))
	for _, t := range c.Tensors() {
		if err := w.Next(); err != nil {
			return errors.Join(err, w.Discard())
		}
		row := int64(1)
		if len(t.Shape) > 1 {
			row = t.Bytes() / int64(max(t.Shape[0], 1))
		}
		step := int64(len(buffer)) / 8 * 8 // whole elements, and whole rows if one fits
		if row <= step && row > 0 {
			step = max(step/row/8*8, 1) * row
		}
		for off := int64(0); off < t.Bytes(); off += step {
			if err := ctx.Err(); err != nil {
				return errors.Join(err, w.Discard())
			}
			p := buffer[:min(step, t.Bytes()-off)]
			err := c.ReadTensor(t.Name, p, off)
			if err == nil {
				_, err = w.Write(p)
			}
			if err != nil {
				return errors.Join(err, w.Discard())
			}
			if done += int64(len(p)); progress != nil {
				progress(done, total)
			}
		}
	}
	return w.Close()
}

// architectureOf returns timm's name of an architecture, whatever its classes; "" if it has none.
func architectureOf(c net.Config) string {
	for _, v := range net.Variants() {
		if k := v.Config; slices.Equal(c.Layers, k.Layers) && slices.Equal(c.Channels, k.Channels) && slices.Equal(c.Mid, k.Mid) &&
			c.Stem == k.Stem && c.Groups == k.Groups {
			return v.Architecture()
		}
	}
	return ""
}

// describeConfig is what a config.json beside the weights says, in timm's form.
func (s *source) describeConfig() *loader.Config {
	n, p := s.info.Config, s.info.Preprocess
	c := &loader.Config{}
	if s.config != nil {
		*c = *s.config
	} else {
		size := [3]int{3, p.Size, p.Size}
		c.Pretrained = loader.PretrainedConfig{
			InputSize: size, TestInputSize: size, CropPct: p.CropPct, CropMode: "center", Interpolation: p.Interpolation.String(),
			FirstConv: "stem.conv", Classifier: "head.fc",
		}
		for i := range p.Mean {
			c.Pretrained.Mean = append(c.Pretrained.Mean, shortest(p.Mean[i]))
			c.Pretrained.Std = append(c.Pretrained.Std, shortest(p.Std[i]))
		}
	}
	c.NumClasses, c.NumFeatures, c.GlobalPool, c.ModelArgs = n.Classes, n.Features(), "avg", loader.ModelArgs{}
	c.Pretrained.NumClasses = n.Classes
	if c.Architecture = architectureOf(n); c.Architecture == "" {
		// What timm's constructor of any of them makes of these arguments is this network.
		c.Architecture = "resnetv2_50x1_bit"
		c.ModelArgs = loader.ModelArgs{Layers: n.Layers, Channels: n.Channels, WidthFactor: 1, StemChs: n.Stem}
		if n.Groups != net.DefaultGroups {
			c.ModelArgs.NumGroups = n.Groups
		}
	}
	if v, ok := variantOf(s.info.Name); ok && v.Architecture() == c.Architecture && c.Pretrained.Tag == "" {
		_, c.Pretrained.Tag, _ = strings.Cut(v.Name, ".")
	}
	return c
}

// shortest is the number that a float32 was written as.
func shortest(v float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64) // what is printed can be read
	return d
}
