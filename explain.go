package bitgpu

// This file owns class activation maps: where in a picture a class is seen. B. Zhou et al., Learning Deep Features for
// Discriminative Localization, CVPR 2016. Here the map is no estimate: the classifier is linear and reads the mean of the
// final features over all pixels, so a logit is the mean of its map plus the class's bias.

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/bitgpu/bitgpu/loader"
)

// errChanged: what a classifier's rows are read from is not what the device has got.
var errChanged = errors.New("the map does not add up to the logit: the checkpoint has changed since it was opened")

// Explanation tells where a network sees classes in a picture. It is not changed by its methods.
type Explanation struct {
	Classes []int     // that are explained
	Logits  []float32 // of all classes of the network
	Bias    []float32 // of the explained classes
	// Maps are float32 [len(Classes), H, W], in logits: the mean of a map plus its class's bias is the class's logit. What
	// cell y, x says is about the surroundings of the pixel Stride*y, Stride*x of the crop.
	Maps   *Tensor
	Stride int

	picture    *loader.Image // as a whole, before the crop
	preprocess loader.Preprocess
}

// Explain runs a picture and maps where it shows the classes. They are indices, or -1 for the most probable class, -2 for the
// next and so on; without any, the most probable one is mapped. The classifier's rows are read from the checkpoint once more: that of OpenCheckpoint must still be open. Not with Options.Flip.
func (m *Model) Explain(ctx context.Context, img image.Image, classes ...int) (*Explanation, error) {
	out, err := m.one(ctx, img, Outputs{Logits: m.info.Config.Classes > 0, Unpooled: true})
	if err != nil {
		return nil, err
	}
	if out.Logits == nil {
		return nil, fmt.Errorf("bitgpu: model %s has no classes", m.info.Name)
	}
	e := &Explanation{
		Logits: out.Logits.Data, Stride: m.info.Config.Stride(),
		picture: loader.FromGoImage(img), preprocess: m.info.Preprocess,
	}
	if len(classes) == 0 {
		classes = []int{-1}
	}
	top := m.Top(e.Logits, len(e.Logits))
	for _, class := range classes {
		if -class > len(top) {
			return nil, fmt.Errorf("bitgpu: class %d in the order of probability, this network has %d", -class, len(top))
		}
		if class < 0 {
			class = top[-class-1].Index
		}
		e.Classes = append(e.Classes, class)
	}
	maps, bias, err := m.ClassMaps(ctx, out.Unpooled, e.Classes...)
	if err != nil {
		return nil, err
	}
	maps.Shape = maps.Shape[1:]
	e.Maps, e.Bias = maps, bias
	return e, e.check()
}

// check compares the maps with the logits. The device has the classifier in its storage type.
func (e *Explanation) check() error {
	const bound = 0.05
	n := len(e.Maps.Data) / len(e.Classes)
	for i, class := range e.Classes {
		sum, size := 0.0, 0.0
		for _, v := range e.Maps.Data[i*n : (i+1)*n] {
			sum += float64(v)
			size += math.Abs(float64(v))
		}
		logit := float64(e.Logits[class])
		if off := math.Abs(sum/float64(n) + float64(e.Bias[i]) - logit); !(off <= bound*(1+size/float64(n)+math.Abs(logit))) {
			return fmt.Errorf("bitgpu: class %d: %w", class, errChanged)
		}
	}
	return nil
}

// ClassMaps computes class activation maps, [N, len(classes), H, W], from unpooled features, [N, D, H, W], as Stream and Forward
// give them, and returns the biases of the classes too. It is the product of the classifier's weights with the features of every
// pixel, summed in float64.
func (m *Model) ClassMaps(ctx context.Context, unpooled *Tensor, classes ...int) (maps *Tensor, bias []float32, err error) {
	d := m.info.Config.Features()
	if s := unpooled.Shape; len(s) != 4 || s[1] != d || len(unpooled.Data) != s[0]*s[1]*s[2]*s[3] {
		return nil, nil, fmt.Errorf("bitgpu: unpooled features of shape %v with %d values, want [N %d H W]", s, len(unpooled.Data), d)
	}
	weights, bias, err := m.classifier(ctx, classes)
	if err != nil {
		return nil, nil, fmt.Errorf("bitgpu: %w", err)
	}
	n, h, w := unpooled.Shape[0], unpooled.Shape[2], unpooled.Shape[3]
	maps = &Tensor{Shape: []int{n, len(classes), h, w}, Data: make([]float32, 0, n*len(classes)*h*w)}
	sum := make([]float64, h*w)
	for i := range n {
		features := unpooled.Data[i*d*h*w:]
		for _, row := range weights {
			clear(sum)
			for c, weight := range row {
				for p, x := range features[c*h*w : (c+1)*h*w] {
					sum[p] += float64(weight) * float64(x)
				}
			}
			for _, v := range sum {
				maps.Data = append(maps.Data, float32(v))
			}
		}
	}
	return maps, bias, nil
}

// classifier reads rows of the classifier's weights, and their biases.
func (m *Model) classifier(ctx context.Context, classes []int) (weights [][]float32, bias []float32, err error) {
	for _, class := range classes {
		if class < 0 || class >= m.info.Config.Classes {
			return nil, nil, fmt.Errorf("class %d, this network has 0 to %d", class, m.info.Config.Classes-1)
		}
	}
	d := m.info.Config.Features()
	if h := m.options.Head; h != nil {
		for _, class := range classes {
			weights, bias = append(weights, h.Weight[class*d:(class+1)*d]), append(bias, h.Bias[class])
		}
		return weights, bias, nil
	}
	s, done, err := m.weights(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	for _, class := range classes {
		row, err := s.row(loader.HeadWeight, class, d)
		if err != nil {
			return nil, nil, err
		}
		one, err := s.row(loader.HeadBias, class, 1)
		if err != nil {
			return nil, nil, err
		}
		weights, bias = append(weights, row), append(bias, one[0])
	}
	return weights, bias, nil
}

// row reads n elements of a tensor, the rowth n of them.
func (s *source) row(name string, row, n int) ([]float32, error) {
	t, ok := s.tensors[name]
	if size := t.DType.Size(); ok && (row+1)*n <= t.Len() {
		raw, values := make([]byte, n*size), make([]float32, n)
		if err := s.ReadTensor(name, raw, int64(row*n*size)); err != nil {
			return nil, err
		}
		return values, loader.DecodeFloat32(values, raw, t.DType)
	}
	return nil, errChanged
}
