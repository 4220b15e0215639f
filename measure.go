package bitgpu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bitgpu/bitgpu/net"
)

// MeasureOptions of Measure. The zero value measures what Stream does.
type MeasureOptions struct {
	Device  int  // index in Info.Devices
	Batch   int  // pictures in the batch; 0 for as many as Stream takes
	Size    int  // height and width of the pictures; 0 for the model's own
	Profile bool // take the time of every step too
}

// Measurement is the cost of one batch.
type Measurement struct {
	Batch       int           // pictures
	Size        int           // their height and width
	FLOPs       int64         // of the whole batch, two for every multiply-add that the network needs
	Time        time.Duration // from pixels in the program's memory to logits there
	DeviceBytes int64         // device memory of the weights, the activations, and one batch's input and output

	// With Profile; nil where the device cannot tell the time.
	Steps []StepCost // in the order of the computation
	Kinds []KindCost // the same time, added up
}

// StepCost is the share that one step of the network has in a Measurement.
type StepCost struct {
	Name          string // the layer, under timm's name, with a suffix for parts of it
	Kind          net.Kind
	Kernel        string // of package shaders
	Time          time.Duration
	FLOPs         int64 // that its kernel does
	Read, Written int64 // bytes, as net.Step.Traffic counts them
}

// KindCost is the share that all steps of one kind have.
type KindCost struct {
	Kind  net.Kind
	Time  time.Duration
	FLOPs int64 // that the network needs, of Measurement.FLOPs
}

// Measure runs one batch of generated pictures alone on the device and takes its time: logits, or
// embeddings of a network without classes. The first batch of a kind is slow, because kernels are
// compiled and memory is allocated for it. The error wraps net.ErrTooLarge if the device cannot run
// a batch of just that size.
func (m *Model) Measure(ctx context.Context, o MeasureOptions) (_ *Measurement, err error) {
	e, err := m.engine(o.Device)
	if err != nil {
		return nil, err
	}
	if err := e.use(); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	defer e.done(&err)
	size := o.Size
	if size == 0 {
		size = m.info.Preprocess.Size
	}
	spec := net.BatchSpec{Images: o.Batch, Height: size, Width: size, Input: net.Pixels, Profile: o.Profile}
	spec.Outputs = answer(m.info.Config)
	plan, err := e.measured(&spec)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	pixels := make([]byte, spec.Images*size*size*3)
	_, _ = rand.NewChaCha8([32]byte{}).Read(pixels) // never fails

	start := time.Now()
	batch, err := e.net.Start(ctx, spec, func(input []byte) { copy(input, pixels) })
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	out, err := batch.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	r := &Measurement{
		Batch: spec.Images, Size: size, FLOPs: plan.FLOPs(), Time: time.Since(start),
		DeviceBytes: e.net.WeightBytes() + plan.ArenaSize + plan.InputSize + plan.OutputSize,
	}
	if o.Profile && len(out.Times) > 0 {
		r.Steps = stepCosts(plan, out)
		r.Kinds = kindCosts(plan, r.Steps)
	}
	return r, nil
}

// measured settles the size of the batch and plans it.
func (e *engine) measured(spec *net.BatchSpec) (*net.Plan, error) {
	want := spec.Images
	var err error
	if want == 0 {
		spec.Images = maxBatch
		spec.Images, err = e.fit(*spec)
	} else {
		spec.Images, err = e.net.FitBatch(*spec)
	}
	if err != nil {
		return nil, err
	}
	if want > spec.Images {
		return nil, fmt.Errorf("%w: a batch of %d at %dx%d, but one of %d is not", net.ErrTooLarge, want, spec.Width, spec.Height, spec.Images)
	}
	return e.net.Plan(*spec)
}

// stepCosts joins the times of a batch with its plan's steps, by name.
func stepCosts(plan *net.Plan, out *Output) []StepCost {
	var costs []StepCost
	at := map[string]int{}
	for _, s := range plan.Steps {
		i, ok := at[s.Name]
		if !ok {
			i = len(costs)
			at[s.Name] = i
			costs = append(costs, StepCost{Name: s.Name, Kind: plan.Kind(s), Kernel: s.Kernel.Name})
		}
		read, written := s.Traffic()
		costs[i].FLOPs += s.FLOPs
		costs[i].Read += read
		costs[i].Written += written
	}
	for _, t := range out.Times {
		costs[at[t.Name]].Time += t.Duration
	}
	return costs
}

// kindCosts adds the steps of each kind up.
func kindCosts(plan *net.Plan, steps []StepCost) []KindCost {
	kinds := []KindCost{{Kind: net.Convolution}, {Kind: net.Statistics}, {Kind: net.Other}}
	for i := range kinds {
		k := &kinds[i]
		k.FLOPs = plan.DirectFLOPs(k.Kind)
		for _, s := range steps {
			if s.Kind == k.Kind {
				k.Time += s.Time
			}
		}
	}
	return kinds
}
