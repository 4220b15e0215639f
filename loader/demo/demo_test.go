package demo_test

import (
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/demo"
)

func TestCheckpoint(t *testing.T) {
	c, err := demo.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	weights := loader.Finite(c)
	total, names := 0, map[string]bool{}
	for _, info := range c.Tensors() {
		if info.DType != loader.F16 {
			t.Errorf("%s is %v", info.Name, info.DType)
		}
		if err := weights.ReadTensor(info.Name, make([]byte, info.Bytes()), 0); err != nil {
			t.Error(err)
		}
		total += info.Len()
		names[info.Name] = true
	}
	if total != 2_017_578 {
		t.Errorf("%d parameters, the card says 2,017,578", total)
	}
	for _, name := range []string{"stem.conv.weight", "stages.3.blocks.0.conv3.weight", "norm.bias", "head.fc.weight"} {
		if !names[name] {
			t.Errorf("no tensor %s", name)
		}
	}
}

func TestConfig(t *testing.T) {
	c, err := demo.Config()
	if err != nil {
		t.Fatal(err)
	}
	if c.NumClasses != 10 || len(c.ModelArgs.Layers) != 4 || c.ModelArgs.WidthFactor != 0.5 ||
		c.Pretrained.InputSize != [3]int{3, 64, 64} || c.Pretrained.CropPct != 1 || c.Pretrained.Interpolation != "bicubic" {
		t.Errorf("config %+v", c)
	}
	if labels := loader.Labels(c, 10); labels[0] != "airplane" || labels[9] != "truck" {
		t.Errorf("labels %q", labels)
	}
}
