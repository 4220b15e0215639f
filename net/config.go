package net

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Config is the shape of a network. All of it can be read off a checkpoint's tensors but Groups and
// the two epsilons, which are 32, 1e-5 and 1e-8 in every published BiT network.
type Config struct {
	Layers    []int   // bottleneck blocks of each stage
	Channels  []int   // output channels of each stage, width factor included
	Mid       []int   // channels inside the bottlenecks of each stage
	Stem      int     // output channels of the stem convolution
	Classes   int     // outputs of the classifier; 0 if there is none
	Groups    int     // groups of every GroupNorm
	NormEps   float32 // added to GroupNorm's variance
	WeightEps float32 // added to weight standardization's variance
}

// Constants of the published networks.
const (
	DefaultGroups    = 32
	DefaultNormEps   = 1e-5
	DefaultWeightEps = 1e-8
)

// Features is the width of the last stage, which is the width of the embedding.
func (c Config) Features() int { return c.Channels[len(c.Channels)-1] }

// Maps is the number of feature maps: the stem's and one for each stage.
func (c Config) Maps() int { return 1 + len(c.Layers) }

// MapChannels is the number of channels of feature map i.
func (c Config) MapChannels(i int) int {
	if i == 0 {
		return c.Stem
	}
	return c.Channels[i-1]
}

// Stride is how many pixels of a picture lie between two neighbours of the last stage's output.
func (c Config) Stride() int { return 2 << len(c.Layers) }

// Validate reports whether the kernels can compute the network.
func (c Config) Validate() error {
	if len(c.Layers) == 0 || len(c.Layers) != len(c.Channels) || len(c.Layers) != len(c.Mid) {
		return fmt.Errorf("net: config: layers %v, channels %v and mid %v must name the same stages", c.Layers, c.Channels, c.Mid)
	}
	if c.Groups < 1 {
		return fmt.Errorf("net: config: %d normalization groups, want at least 1", c.Groups)
	}
	if c.Classes < 0 || !(c.NormEps > 0) || !(c.WeightEps > 0) {
		return fmt.Errorf("net: config: classes %d, eps %g and %g: want classes >= 0 and eps > 0", c.Classes, c.NormEps, c.WeightEps)
	}
	divisible := func(what string, n int) error {
		if n < 1 || n%c.Groups != 0 {
			return fmt.Errorf("net: config: %s has %d channels, want a positive multiple of %d groups", what, n, c.Groups)
		}
		return nil
	}
	if err := divisible("the stem", c.Stem); err != nil {
		return err
	}
	for i := range c.Layers {
		if c.Layers[i] < 1 {
			return fmt.Errorf("net: config: stage %d has %d blocks, want at least 1", i, c.Layers[i])
		}
		if err := divisible(fmt.Sprintf("stage %d", i), c.Channels[i]); err != nil {
			return err
		}
		if err := divisible(fmt.Sprintf("the bottleneck of stage %d", i), c.Mid[i]); err != nil {
			return err
		}
	}
	return nil
}

// Param is one tensor that a network needs, with its PyTorch shape.
type Param struct {
	Name  string
	Shape []int
}

// Params lists the tensors of the network under timm's names, in the order of the computation.
func (c Config) Params() []Param {
	var list []Param
	conv := func(name string, out, in, k int) {
		list = append(list, Param{name + ".weight", []int{out, in, k, k}})
	}
	norm := func(name string, n int) {
		list = append(list, Param{name + ".weight", []int{n}}, Param{name + ".bias", []int{n}})
	}
	conv("stem.conv", c.Stem, 3, 7)
	in := c.Stem
	for s := range c.Layers {
		out, mid := c.Channels[s], c.Mid[s]
		for b := range c.Layers[s] {
			p := blockName(s, b)
			norm(p+".norm1", in)
			if b == 0 {
				conv(p+".downsample.conv", out, in, 1)
			}
			conv(p+".conv1", mid, in, 1)
			norm(p+".norm2", mid)
			conv(p+".conv2", mid, mid, 3)
			norm(p+".norm3", mid)
			conv(p+".conv3", out, mid, 1)
			in = out
		}
	}
	norm("norm", in)
	if c.Classes > 0 {
		conv("head.fc", c.Classes, in, 1)
		list = append(list, Param{"head.fc.bias", []int{c.Classes}})
	}
	return list
}

func blockName(stage, block int) string { return fmt.Sprintf("stages.%d.blocks.%d", stage, block) }

// Infer reads the shape of a network off the shapes of its tensors, timm's names. It looks at the
// few tensors that decide it; the caller compares the rest with Params. groups is the number of
// normalization groups, 0 for the usual 32.
func Infer(shapes map[string][]int, groups int) (Config, error) {
	c := Config{Groups: groups, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps}
	if groups == 0 {
		c.Groups = DefaultGroups
	}
	rows := func(name string) (int, error) {
		shape, ok := shapes[name]
		if !ok {
			return 0, fmt.Errorf("net: tensor %q is missing%s", name, someNames(shapes))
		}
		if len(shape) != 4 || shape[0] < 1 {
			return 0, fmt.Errorf("net: tensor %q: shape %v, want the four dimensions of a convolution", name, shape)
		}
		return shape[0], nil
	}
	var err error
	if c.Stem, err = rows("stem.conv.weight"); err != nil {
		return Config{}, err
	}
	for s := 0; ; s++ {
		if _, ok := shapes[blockName(s, 0)+".conv1.weight"]; !ok && s > 0 {
			break
		}
		mid, err1 := rows(blockName(s, 0) + ".conv1.weight")
		out, err2 := rows(blockName(s, 0) + ".conv3.weight")
		if err := errors.Join(err1, err2); err != nil {
			return Config{}, err
		}
		blocks := 1
		for ; ; blocks++ {
			if _, ok := shapes[blockName(s, blocks)+".conv1.weight"]; !ok {
				break
			}
		}
		c.Layers, c.Mid, c.Channels = append(c.Layers, blocks), append(c.Mid, mid), append(c.Channels, out)
	}
	if _, ok := shapes["head.fc.weight"]; ok {
		if c.Classes, err = rows("head.fc.weight"); err != nil {
			return Config{}, err
		}
	}
	return c, c.Validate()
}

// someNames tells which names a checkpoint has instead, to show whose they are.
func someNames(shapes map[string][]int) string {
	if len(shapes) == 0 {
		return "; the checkpoint is empty"
	}
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	sort.Strings(names)
	const most = 3
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return "; the checkpoint has " + strings.Join(names, ", ")
}
