package loader

// This file owns the names that BiT's tensors have in timm, in transformers and
// in Google's files, and turns the others into timm's.
//
// transformers' names are those of its convert_bit_to_pytorch.py; its classifier's
// weight is [classes, C], timm's [classes, C, 1, 1]. Google's are those that timm
// reads in models/resnetv2.py, with kernels in the order HWIO.

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// The tensor by which each kind of names is known.
const (
	timmStem   = "stem.conv.weight"
	hfStem     = "embedder.convolution.weight"
	googleStem = "resnet/root_block/standardized_conv2d/kernel"
)

// timmNames gives the tensors of a checkpoint timm's names and shapes, and tells
// which names they had. The result closes c.
func timmNames(c Checkpoint) (Checkpoint, string, error) {
	prefix := wrapperPrefix(c.Tensors())
	has := func(name string) bool {
		return slices.ContainsFunc(c.Tensors(), func(t TensorInfo) bool { return t.Name == prefix+name })
	}
	names, rename := NamesOther, func(name string) string { return name }
	switch {
	case has(timmStem):
		names = NamesTimm
	case has(hfStem), has("bit." + hfStem):
		names, rename = NamesTransformers, fromTransformers
	case has(googleStem):
		s, ok := c.(*strided)
		if !ok {
			break // Google's order of elements needs an .npz
		}
		var err error
		if c, err = s.oihw(); err != nil {
			return nil, "", err
		}
		names, rename = NamesGoogle, fromGoogle
	}
	r := &renamed{Checkpoint: c, raw: map[string]string{}}
	for _, t := range c.Tensors() {
		raw := t.Name
		t.Name = rename(strings.TrimPrefix(raw, prefix))
		if t.Name == "head.fc.weight" && len(t.Shape) == 2 {
			t.Shape = append(slices.Clone(t.Shape), 1, 1)
		}
		if other, twice := r.raw[t.Name]; twice {
			return nil, "", fmt.Errorf("tensors %q and %q are both %q: %w", other, raw, t.Name, ErrCorrupt)
		}
		r.raw[t.Name] = raw
		r.tensors = append(r.tensors, t)
	}
	sort.Slice(r.tensors, func(i, j int) bool { return r.tensors[i].Name < r.tensors[j].Name })
	return r, names, nil
}

// wrapperPrefix is what PyTorch's DataParallel and compile put in front of all names.
func wrapperPrefix(tensors []TensorInfo) string {
	prefix := ""
	for range 4 {
		for _, wrapper := range []string{"module.", "_orig_mod."} {
			all := len(tensors) > 0
			for _, t := range tensors {
				all = all && strings.HasPrefix(t.Name, prefix+wrapper)
			}
			if all {
				prefix += wrapper
			}
		}
	}
	return prefix
}

// renamed is a checkpoint under other names. It is immutable.
type renamed struct {
	Checkpoint
	tensors []TensorInfo
	raw     map[string]string // the name in Checkpoint
}

func (r *renamed) Tensors() []TensorInfo { return r.tensors }

func (r *renamed) ReadTensor(name string, p []byte, off int64) error {
	raw, ok := r.raw[name]
	if !ok {
		raw = name // the checkpoint below has an error that names its file
	}
	return r.Checkpoint.ReadTensor(raw, p, off)
}

// fromTransformers returns timm's name; one that is none of transformers' stays.
func fromTransformers(name string) string {
	name = strings.TrimPrefix(name, "bit.")
	for _, part := range [][2]string{{"embedder.convolution.", "stem.conv."}, {"classifier.1.", "head.fc."}} {
		if rest, ok := strings.CutPrefix(name, part[0]); ok {
			return part[1] + rest
		}
	}
	if rest, ok := strings.CutPrefix(name, "encoder.stages."); ok {
		return "stages." + strings.Replace(rest, ".layers.", ".blocks.", 1)
	}
	return name
}

// googleBlock is a tensor of a block: block, unit, the branch's part, and what it is.
var googleBlock = regexp.MustCompile(`^block(\d+)/unit(\d+)/([abc])/(.+)$`)

// fromGoogle returns timm's name; one that is none of Google's stays.
func fromGoogle(name string) string {
	rest, ok := strings.CutPrefix(name, "resnet/")
	if !ok {
		return name
	}
	switch rest {
	case "root_block/standardized_conv2d/kernel":
		return timmStem
	case "group_norm/gamma":
		return "norm.weight"
	case "group_norm/beta":
		return "norm.bias"
	case "head/conv2d/kernel":
		return "head.fc.weight"
	case "head/conv2d/bias":
		return "head.fc.bias"
	}
	m := googleBlock.FindStringSubmatch(rest)
	if m == nil {
		return name
	}
	block, err1 := strconv.Atoi(m[1])
	unit, err2 := strconv.Atoi(m[2])
	if err1 != nil || err2 != nil || block < 1 || unit < 1 {
		return name
	}
	in := fmt.Sprintf("stages.%d.blocks.%d.", block-1, unit-1)
	number := strconv.Itoa(1 + strings.Index("abc", m[3]))
	switch m[4] {
	case "standardized_conv2d/kernel":
		return in + "conv" + number + ".weight"
	case "group_norm/gamma":
		return in + "norm" + number + ".weight"
	case "group_norm/beta":
		return in + "norm" + number + ".bias"
	case "proj/standardized_conv2d/kernel":
		if m[3] == "a" {
			return in + "downsample.conv.weight"
		}
	}
	return name
}

// oihw is the checkpoint with its HWIO kernels seen as OIHW.
func (c *strided) oihw() (*strided, error) {
	places := slices.Clone(c.places)
	for i, t := range places {
		if len(t.Shape) != 4 {
			continue
		}
		s := t.strides
		t.Shape = []int{t.Shape[3], t.Shape[2], t.Shape[0], t.Shape[1]}
		t.strides = []int{s[3], s[2], s[0], s[1]}
		var err error
		if places[i], err = newStrided(t, t.Len()); err != nil {
			return nil, fmt.Errorf("array %q: %w", t.Name, err)
		}
	}
	return newStridedCheckpoint(c.checkpointFile, places)
}
