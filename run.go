package bitgpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"sort"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// Tensor is an array of float32 in row-major order: pictures are [N, 3, H, W], logits [N, classes],
// embeddings [N, D], feature maps [N, C, H, W].
type Tensor = net.Tensor

// Outputs says which results are wanted.
type Outputs = net.Outputs

// answer is what a network is for: logits, or the embedding of one without classes.
func answer(c net.Config) Outputs {
	return Outputs{Logits: c.Classes > 0, Embedding: c.Classes == 0}
}

// Output is the results; what was not wanted is nil.
type Output = net.Output

// Prediction is one class of a picture's answer.
type Prediction struct {
	Index int     // of the logit
	Label string  // the class's name
	Prob  float32 // softmax over all classes
}

// Classify returns the k most probable classes of a picture, the best first.
func (m *Model) Classify(ctx context.Context, img image.Image, k int) ([]Prediction, error) {
	out, err := m.one(ctx, img, Outputs{Logits: true})
	if err != nil {
		return nil, err
	}
	return m.Top(out.Logits.Data, k), nil
}

// Embed returns a picture's embedding, timm's pre_logits: the pooled final features.
func (m *Model) Embed(ctx context.Context, img image.Image) ([]float32, error) {
	out, err := m.one(ctx, img, Outputs{Embedding: true})
	if err != nil {
		return nil, err
	}
	return out.Embedding.Data, nil
}

// Features returns feature maps of a picture, [1, C, H, W] each, in the order of the indices:
// 0 the stem's, i the output of stage i, as timm's features_only has them.
func (m *Model) Features(ctx context.Context, img image.Image, indices ...int) ([]*Tensor, error) {
	want, err := m.Maps(indices...)
	if err != nil {
		return nil, err
	}
	out, err := m.one(ctx, img, want)
	if err != nil {
		return nil, err
	}
	maps := make([]*Tensor, len(indices))
	for i, index := range indices {
		maps[i] = out.Maps[index]
	}
	return maps, nil
}

// Maps returns the Outputs that ask for feature maps.
func (m *Model) Maps(indices ...int) (Outputs, error) {
	var want Outputs
	for _, i := range indices {
		if i < 0 || i >= m.info.Config.Maps() {
			return want, fmt.Errorf("bitgpu: feature map %d, this network has 0 to %d", i, m.info.Config.Maps()-1)
		}
		want.Maps |= 1 << i
	}
	return want, nil
}

// one runs a single picture.
func (m *Model) one(ctx context.Context, img image.Image, want Outputs) (*Output, error) {
	if img == nil {
		return nil, errors.New("bitgpu: no picture")
	}
	p, err := m.picture(loader.FromGoImage(img), new(waiting))
	if err != nil {
		return nil, err
	}
	return m.single(ctx, p, m.pictures(1, want))
}

// single runs a picture on the device with the least to do.
func (m *Model) single(ctx context.Context, p picture, spec net.BatchSpec) (*Output, error) {
	idle := slices.Clone(m.engines)
	slices.SortStableFunc(idle, func(a, b *engine) int { return cmp.Compare(a.busy.Load(), b.busy.Load()) })
	for i, e := range idle {
		out, err := m.run(ctx, e, spec, []picture{p})
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil || i == len(idle)-1 {
			return nil, fmt.Errorf("bitgpu: %w", err)
		}
		e.failed(err)
	}
	return nil, errors.New("bitgpu: no device")
}

// Forward runs pictures that are normalized already, [N, 3, H, W] with H and W at least 32, in as
// many batches as it takes. All values must be finite: a NaN can vanish behind a ReLU.
func (m *Model) Forward(ctx context.Context, x *Tensor, want Outputs) (*Output, error) {
	if len(x.Shape) != 4 || slices.Min(x.Shape) < 1 || x.Shape[1] != 3 || len(x.Data) != x.Shape[0]*3*x.Shape[2]*x.Shape[3] {
		return nil, fmt.Errorf("bitgpu: tensor of shape %v with %d values, want [N 3 H W]", x.Shape, len(x.Data))
	}
	for i, v := range x.Data {
		if !(v-v == 0) {
			return nil, fmt.Errorf("bitgpu: tensor of shape %v: value %d is %v", x.Shape, i, v)
		}
	}
	s := m.share(ctx, net.BatchSpec{Images: x.Shape[0], Height: x.Shape[2], Width: x.Shape[3], Input: net.Tensors, Outputs: want})
	defer s.close()
	s.preload(func(yield func(picture) bool) {
		for row := range slices.Chunk(x.Data, 3*x.Shape[2]*x.Shape[3]) {
			if !yield(values(row)) {
				return
			}
		}
	})
	total := &Output{}
	for f := range s.arrivals() {
		if f.err != nil {
			return nil, fmt.Errorf("bitgpu: %w", f.err)
		}
		total.Append(f.out)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return total, nil
}

// BatchSize returns how many normalized pictures of height x width Forward runs at once: on each device
// what Options.Batch says, or what suits the network and the device, and at most 64. A program that has
// many of them reads and runs so many at a time. The error wraps net.ErrTooLarge if not even one fits.
func (m *Model) BatchSize(height, width int, want Outputs) (int, error) {
	var sum int
	var failure error
	for _, e := range m.engines {
		n, err := m.fit(e, net.BatchSpec{Images: maxBatch, Height: height, Width: width, Input: net.Tensors, Outputs: want})
		if err != nil {
			failure = err
		}
		sum += n
	}
	if sum == 0 {
		return 0, fmt.Errorf("bitgpu: %w", failure)
	}
	return sum, nil
}

// Top returns the k most probable classes of one row of logits, the best first; of equal ones the
// lower index comes first. k is cut to the number of classes.
func (m *Model) Top(logits []float32, k int) []Prediction {
	probs := Softmax(logits)
	order := make([]int, len(probs))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return probs[order[a]] > probs[order[b]] })
	top := make([]Prediction, min(max(k, 0), len(order)))
	for i := range top {
		c := order[i]
		top[i] = Prediction{Index: c, Label: m.info.Labels[c], Prob: probs[c]}
	}
	return top
}

// Softmax returns exp(x - max) / sum, summed in float64.
func Softmax(logits []float32) []float32 {
	largest := math.Inf(-1)
	for _, v := range logits {
		largest = max(largest, float64(v))
	}
	e, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		e[i] = math.Exp(float64(v) - largest)
		sum += e[i]
	}
	probs := make([]float32, len(e))
	for i := range e {
		probs[i] = float32(e[i] / sum)
	}
	return probs
}
