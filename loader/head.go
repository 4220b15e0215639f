package loader

// This file owns heads: files that hold nothing but a network's classifier, under
// the names that timm gives it, and the names of its classes in the metadata.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sort"
)

// Names of the classifier's tensors, timm's head.fc.
const (
	HeadWeight = "head.fc.weight" // [classes, features, 1, 1]
	HeadBias   = "head.fc.bias"   // [classes]
)

// LabelNames is the key of a head's metadata whose value is a JSON array with a
// name for each class. timm's config.json calls it so, too.
const LabelNames = "label_names"

// Head is a network's classifier.
type Head struct {
	Labels   []string // a name for each class
	Features int
	Weight   []float32 // [len(Labels), Features]
	Bias     []float32 // [len(Labels)]
	// Metadata is what else the file says; keys are the writer's to choose.
	Metadata map[string]string
}

// check makes sure that the parts fit together.
func (h *Head) check() error {
	k := len(h.Labels)
	if k < 1 || h.Features < 1 || len(h.Weight) != k*h.Features || len(h.Bias) != k {
		return fmt.Errorf("head of %d classes and %d features with %d weights and %d biases", k, h.Features, len(h.Weight), len(h.Bias))
	}
	for name, values := range map[string][]float32{HeadWeight: h.Weight, HeadBias: h.Bias} {
		for i, v := range values {
			if v-v != 0 {
				return fmt.Errorf("tensor %q: element %d is NaN or infinite", name, i)
			}
		}
	}
	return nil
}

// ReadHead reads a head from a safetensors file. There may be more tensors in it:
// the head of a whole checkpoint can be read. The weight may also be of shape
// [classes, features], as a linear layer has it. Without label_names in the
// metadata the classes are called "class N".
func ReadHead(path string) (*Head, error) {
	c, err := OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	h, err := readHead(c)
	if err := errors.Join(err, c.Close()); err != nil {
		return nil, fmt.Errorf("loader: %s: %w", path, err)
	}
	return h, nil
}

func readHead(c Checkpoint) (*Head, error) {
	h := &Head{Metadata: maps.Clone(c.Metadata())}
	classes := -1
	for _, t := range c.Tensors() {
		switch s := t.Shape; {
		case t.Name != HeadWeight:
		case len(s) == 2 || len(s) == 4 && s[2] == 1 && s[3] == 1:
			classes, h.Features = s[0], s[1]
		default:
			return nil, fmt.Errorf("tensor %q: shape %v, want [classes features 1 1]", t.Name, s)
		}
	}
	if classes < 0 {
		return nil, fmt.Errorf("no head: tensor %q is missing", HeadWeight)
	}
	var err error
	if h.Weight, err = ReadFloat32(c, HeadWeight); err != nil {
		return nil, err
	}
	if h.Bias, err = ReadFloat32(c, HeadBias); err != nil {
		return nil, err
	}
	if len(h.Bias) != classes {
		return nil, fmt.Errorf("tensor %q: %d elements, want %d", HeadBias, len(h.Bias), classes)
	}
	h.Labels = Labels(nil, classes)
	if text, ok := h.Metadata[LabelNames]; ok {
		h.Labels = nil
		if err := json.Unmarshal([]byte(text), &h.Labels); err != nil || len(h.Labels) != classes {
			return nil, fmt.Errorf("metadata: %s is no JSON array of %d names: %w", LabelNames, classes, ErrCorrupt)
		}
		delete(h.Metadata, LabelNames)
	}
	return h, h.check()
}

// Write writes the head to a safetensors file, F32. Nothing is seen under its
// name before it is complete.
func (h *Head) Write(path string) error {
	if err := h.check(); err != nil {
		return fmt.Errorf("loader: %s: %w", path, err)
	}
	labels, err := json.Marshal(h.Labels)
	if err != nil {
		return fmt.Errorf("loader: %s: %w", path, err)
	}
	metadata := map[string]string{"format": "pt"}
	maps.Copy(metadata, h.Metadata)
	metadata[LabelNames] = string(labels)
	tensors := h.tensors()
	w, err := CreateSafetensors(path, metadata, tensors)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		err := w.Next()
		if err == nil {
			_, err = w.Write(h.raw(t.Name))
		}
		if err != nil {
			return errors.Join(err, w.Discard())
		}
	}
	return w.Close()
}

// tensors are sorted by name.
func (h *Head) tensors() []TensorInfo {
	k := len(h.Labels)
	return []TensorInfo{{Name: HeadBias, Shape: []int{k}}, {Name: HeadWeight, Shape: []int{k, h.Features, 1, 1}}}
}

func (h *Head) raw(name string) []byte {
	values := h.Bias
	if name == HeadWeight {
		values = h.Weight
	}
	raw, _ := AppendFloat32(nil, values, F32) // which every float32 is
	return raw
}

// WithHead returns c with h in the place of its own classifier, or of none. h
// must not change any more. Closing the result closes c.
func WithHead(c Checkpoint, h *Head) (Checkpoint, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	r := &withHead{Checkpoint: c, raw: map[string][]byte{}}
	for _, t := range c.Tensors() {
		if t.Name != HeadWeight && t.Name != HeadBias {
			r.tensors = append(r.tensors, t)
		}
	}
	for _, t := range h.tensors() {
		r.tensors = append(r.tensors, t)
		r.raw[t.Name] = h.raw(t.Name)
	}
	sort.Slice(r.tensors, func(i, j int) bool { return r.tensors[i].Name < r.tensors[j].Name })
	return r, nil
}

type withHead struct {
	Checkpoint
	tensors []TensorInfo
	raw     map[string][]byte // of the head
}

func (c *withHead) Tensors() []TensorInfo { return c.tensors }

func (c *withHead) ReadTensor(name string, p []byte, off int64) error {
	raw, ok := c.raw[name]
	if !ok {
		return c.Checkpoint.ReadTensor(name, p, off)
	}
	if err := checkRange(name, int64(len(raw)), off, len(p)); err != nil {
		return fmt.Errorf("loader: head: %w", err)
	}
	copy(p, raw[off:])
	return nil
}
