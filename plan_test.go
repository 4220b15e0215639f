package bitgpu_test

import (
	"errors"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
)

// TestNewPlan wants the plan that a model runs by, without the model.
func TestNewPlan(t *testing.T) {
	m := demo(t, bitgpu.Options{Precision: bitgpu.FP32})
	r, err := m.Measure(t.Context(), bitgpu.MeasureOptions{Batch: 2, Size: 40, Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := bitgpu.NewPlan(bitgpu.Demo, bitgpu.PlanOptions{Precision: bitgpu.FP32, Batch: 2, Size: 40})
	if err != nil {
		t.Fatal(err)
	}
	if p.Model != bitgpu.Demo || p.Device.UUID != m.Info().Device.UUID || p.FLOPs() != r.FLOPs {
		t.Errorf("%s on %s, %d FLOPs; want %d", p.Model, p.Device.Name, p.FLOPs(), r.FLOPs)
	}
	measured := map[string]string{}
	for _, s := range r.Steps {
		measured[s.Name] = s.Kernel
	}
	planned := map[string]bool{}
	for _, s := range p.Steps {
		if measured[s.Name] == "" {
			t.Errorf("%s by %s is planned, and was not run", s.Name, s.Kernel.Name)
		}
		planned[s.Name] = true
	}
	if len(planned) != len(measured) {
		t.Errorf("%d steps are planned, %d were run", len(planned), len(measured))
	}
	sum := p.WeightBytes() + p.ArenaSize + p.InputSize + p.OutputSize
	if sum < 4*m.Info().Parameters || sum > r.DeviceBytes {
		t.Errorf("%d bytes planned, %d used", sum, r.DeviceBytes)
	}
}

func TestNewPlanDefaults(t *testing.T) {
	t.Setenv("BITGPU_MODELS", t.TempDir())
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	p, err := bitgpu.NewPlan("resnetv2_50x1_bit", bitgpu.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Batch != 1 || p.Graph.Height != 224 || p.Graph.Width != 224 || p.Logits == nil {
		t.Errorf("a batch of %d at %dx%d", p.Batch, p.Graph.Width, p.Graph.Height)
	}
}

func TestNewPlanFails(t *testing.T) {
	for _, test := range []struct {
		name string
		o    bitgpu.PlanOptions
		want error
	}{
		{"no-such-model", bitgpu.PlanOptions{}, bitgpu.ErrNoModel},
		{bitgpu.Demo, bitgpu.PlanOptions{Device: "GeForce 256"}, gpu.ErrNoDevice},
		{bitgpu.Demo, bitgpu.PlanOptions{Batch: 1 << 15}, net.ErrTooLarge},
		{bitgpu.Demo, bitgpu.PlanOptions{Batch: 1 << 60}, net.ErrTooLarge},
		{bitgpu.Demo, bitgpu.PlanOptions{Size: 1 << 60}, net.ErrTooLarge},
		{bitgpu.Demo, bitgpu.PlanOptions{Batch: -1}, nil},
		{bitgpu.Demo, bitgpu.PlanOptions{Size: 31}, nil},
	} {
		if _, err := bitgpu.NewPlan(test.name, test.o); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s, %+v: %v, want %v", test.name, test.o, err, test.want)
		}
	}
}
