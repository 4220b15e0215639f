package loader

// This file owns the names of classes.
//
// labels_imagenet1k.txt has the 1000 classes of ILSVRC 2012, one a line, in the
// order of their WordNet ids, which is the order of timm's and torchvision's
// logits. The names are those of torchvision/models/_meta.py as Debian's
// python3-torchvision 0.14.1 has it (facts; torchvision is BSD-3-Clause).
//
// There is no list for the 21,843 classes of ImageNet-21k: those networks'
// classes are "class 0" to "class 21842" unless their config.json names them.

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

//go:embed labels_imagenet1k.txt
var imagenet1k string

// synsets_imagenet1k.txt has the WordNet ids of the same classes, one a line.
//
//go:embed synsets_imagenet1k.txt
var imagenet1kSynsets string

// ImageNet1k returns the names of the 1000 classes of ILSVRC 2012 in the order
// of the logits. The slice is the caller's.
func ImageNet1k() []string {
	return strings.Split(strings.TrimSuffix(imagenet1k, "\n"), "\n")
}

// Labels returns a name for each of the classes of a network: the label names
// of cfg when there are as many, else those of ImageNet-1k for 1000 classes,
// else "class N". A label name that is a WordNet id, such as "n01440764", is
// replaced by its description where cfg has one. cfg may be nil. The slice is
// the caller's; it is empty when classes is not positive.
func Labels(cfg *Config, classes int) []string {
	if cfg != nil && len(cfg.LabelNames) == classes && classes > 0 {
		labels := make([]string, classes)
		for i, name := range cfg.LabelNames {
			labels[i] = name
			if text := cfg.LabelDescriptions[name]; text != "" && isWordNetID(name) {
				labels[i] = text
			}
		}
		return labels
	}
	if classes == 1000 {
		return ImageNet1k()
	}
	labels := make([]string, max(classes, 0))
	for i := range labels {
		labels[i] = "class " + strconv.Itoa(i)
	}
	return labels
}

// Synsets returns the WordNet id of each class of a network, such as "n01440764": the label names of cfg
// where they are such ids, those of ImageNet-1k for 1000 classes without names; nil if they are not known.
// cfg may be nil. The slice is the caller's.
func Synsets(cfg *Config, classes int) []string {
	if cfg != nil && len(cfg.LabelNames) == classes && classes > 0 {
		for _, name := range cfg.LabelNames {
			if !isWordNetID(name) {
				return nil
			}
		}
		return slices.Clone(cfg.LabelNames)
	}
	if classes == 1000 {
		return strings.Split(strings.TrimSuffix(imagenet1kSynsets, "\n"), "\n")
	}
	return nil
}

// isWordNetID reports whether name is "n" and eight digits, ImageNet's name of
// a noun synset.
func isWordNetID(name string) bool {
	return len(name) == 9 && name[0] == 'n' && strings.Trim(name[1:], "0123456789") == ""
}
