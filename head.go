package bitgpu

// This file owns what a network's weights are but for its classifier: the identity by which embeddings of
// two models can be compared, and classifiers that take the place of a model's own.

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu/loader"
)

// ErrOtherModel is wrapped by errors about embeddings, or a head, of another model than the open one.
var ErrOtherModel = errors.New("made with another model")

// Keys of the metadata in files that belong to a model.
const (
	// MetadataModel is the name of the model, Info.Name.
	MetadataModel = "bitgpu_model"
	// MetadataTrunk is Info.Trunk.
	MetadataTrunk = "bitgpu_trunk"
)

// withHead puts a head in the place of the model's own. Its width must be that of the embeddings, and it
// must be of this model, as far as it says.
func (s *source) withHead(h *loader.Head) error {
	if features := s.info.Config.Features(); h.Features != features {
		return fmt.Errorf("the head is for embeddings of %d values, those of model %s have %d", h.Features, s.info.Name, features)
	}
	if trunk := h.Metadata[MetadataTrunk]; trunk != "" && trunk != s.info.Trunk {
		return fmt.Errorf("the head was trained on embeddings of %s, whose weights are not those of %s: %w",
			h.Metadata[MetadataModel], s.info.Name, ErrOtherModel)
	}
	c, err := loader.WithHead(s.checkpoint, h)
	if err != nil {
		return err
	}
	s.checkpoint = c
	s.tensors, s.info.Parameters = map[string]loader.TensorInfo{}, 0
	for _, t := range c.Tensors() {
		s.tensors[t.Name] = t
		s.info.Parameters += int64(t.Len())
	}
	s.info.Config.Classes, s.info.Labels, s.info.Synsets = len(h.Labels), h.Labels, nil
	return nil
}

// trunk identifies a network without its classifier: by the parameters of its normalizations, which every
// training changes, rounded to half precision, so that a checkpoint and its copy in half precision are the
// same. It is the beginning of a SHA-256, in hexadecimal.
func trunk(c loader.Checkpoint) (string, error) {
	sum := sha256.New()
	for _, t := range c.Tensors() {
		if strings.HasPrefix(t.Name, "head.") {
			continue
		}
		fmt.Fprintf(sum, "%s %v\n", t.Name, t.Shape)
		if len(t.Shape) != 1 {
			continue
		}
		values, err := loader.ReadFloat32(c, t.Name)
		if err != nil {
			return "", err
		}
		half, err := loader.AppendFloat32(nil, values, loader.F16)
		if err != nil {
			return "", err
		}
		sum.Write(half)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
