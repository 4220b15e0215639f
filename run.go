package bitgpu

import (
	"context"
	"fmt"
	"image"
	"math"
	"sort"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
)

// Tensor is an array of float32 in row-major order: pictures are [N, 3, H, W], logits [N, classes],
// embeddings [N, D], feature maps [N, C, H, W].
type Tensor = net.Tensor

// Outputs says which results are wanted.
type Outputs = net.Outputs

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
	for r := range m.stream(ctx, func(yield func(Input) bool) { yield(Input{Image: img}) }, want, 1) {
		return r.Output, r.Err
	}
	return nil, ctx.Err()
}

// Forward runs pictures that are normalized already, [N, 3, H, W] with H and W at least 32, in as
// many batches as it takes. All values must be finite: a NaN can vanish behind a ReLU.
func (m *Model) Forward(ctx context.Context, x *Tensor, want Outputs) (*Output, error) {
	if len(x.Shape) != 4 || x.Shape[0] < 1 || x.Shape[1] != 3 || len(x.Data) != x.Shape[0]*3*x.Shape[2]*x.Shape[3] {
		return nil, fmt.Errorf("bitgpu: tensor of shape %v with %d values, want [N 3 H W]", x.Shape, len(x.Data))
	}
	for i, v := range x.Data {
		if !(v-v == 0) {
			return nil, fmt.Errorf("bitgpu: tensor of shape %v: value %d is %v", x.Shape, i, v)
		}
	}
	spec := net.BatchSpec{Images: x.Shape[0], Height: x.Shape[2], Width: x.Shape[3], Input: net.Tensors, Outputs: want}
	var err error
	if spec.Images, err = m.batch(spec); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	each := 3 * spec.Height * spec.Width
	total := &Output{}
	for at := 0; at < x.Shape[0]; at += spec.Images {
		spec.Images = min(spec.Images, x.Shape[0]-at)
		out, err := m.net.Run(ctx, spec, x.Data[at*each:(at+spec.Images)*each])
		if err != nil {
			return nil, fmt.Errorf("bitgpu: %w", err)
		}
		total.Append(out)
	}
	return total, nil
}

// BatchSize returns how many normalized pictures of height x width Forward runs in one batch: what
// Options.Batch says, or what suits the network and the device, and at most 64. A program that has
// many of them reads and runs so many at a time. The error wraps net.ErrTooLarge if not even one fits.
func (m *Model) BatchSize(height, width int, want Outputs) (int, error) {
	n, err := m.batch(net.BatchSpec{Images: maxBatch, Height: height, Width: width, Input: net.Tensors, Outputs: want})
	if err != nil {
		return 0, fmt.Errorf("bitgpu: %w", err)
	}
	return n, nil
}

// Floating-point operations that a batch of automatic size holds, so that starting it costs nothing
// beside it: some tens of milliseconds on either kind of device.
const (
	batchCPU = 4e9
	batchGPU = 2e12
)

// batch returns how many pictures go into one batch: spec.Images at most.
func (m *Model) batch(spec net.BatchSpec) (int, error) {
	most := m.options.Batch
	switch {
	case spec.Images == 1:
		most = 1
	case most == 0:
		one := spec
		one.Images = 1
		plan, err := m.net.Plan(one)
		if err != nil {
			return 0, err
		}
		work := int64(batchGPU)
		if m.info.Device.Type == gpu.CPU {
			work = batchCPU
		}
		most = int(min(max(work/max(plan.FLOPs(), 1), 1), maxBatch))
	}
	spec.Images = min(spec.Images, most)
	return m.net.FitBatch(spec)
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
