package bitgpu

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
)

// PlanOptions of NewPlan. The zero value works.
type PlanOptions struct {
	Device    string    // as in gpu.Options
	Precision Precision // storage on the device
	CacheDir  string    // as in Options: where tunings are kept
	Batch     int       // pictures; 0 for one
	Size      int       // their height and width; 0 for the model's own
}

// Plan tells how a model runs on a device.
type Plan struct {
	*net.Plan
	Model  string
	Device gpu.Info
}

// NewPlan plans what Model.Measure runs: batches of bytes to logits, or to embeddings of a network without
// classes. name is one that Open takes, or that of a published model, whose weights need not be there; they
// are not loaded. Errors are those of Open, or wrap net.ErrTooLarge.
func NewPlan(name string, o PlanOptions) (*Plan, error) {
	p, err := newPlan(name, o)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return p, nil
}

// mostPlanned bounds sizes and batches, so that no number of bytes overflows.
const mostPlanned = 1 << 15

func newPlan(name string, o PlanOptions) (*Plan, error) {
	s, err := findUnloaded(name)
	if err != nil {
		return nil, err
	}
	size, batch, config := o.Size, o.Batch, s.info.Config
	if size == 0 {
		size = s.info.Preprocess.Size
	}
	if batch == 0 {
		batch = 1
	}
	if batch > mostPlanned || size > mostPlanned {
		return nil, fmt.Errorf("%w: a batch of %d at %dx%d", net.ErrTooLarge, batch, size, size)
	}
	g, err := net.NewGraph(config, size, size, answer(config))
	if err != nil {
		return nil, err
	}
	dev, err := gpu.Open(gpu.Options{Device: o.Device})
	if err != nil {
		return nil, err
	}
	p := &Plan{Model: s.info.Name, Device: dev.Info()}
	t := net.NewTarget(p.Device, o.Precision.storage()).Suited(g)
	if cache, err := cacheDir(o.CacheDir); err == nil {
		t.Tuning = readTuning(cache, p.Device)
	}
	if p.Plan, err = net.NewPlan(g, t, net.ChooseWinograd(g, t), batch, net.Pixels); err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return p, dev.Close()
}
