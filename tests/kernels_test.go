package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// only is the tuning with which one kernel runs all convolutions of a network; nil for the kernel "". A test of a
// kernel that the device cannot run ends here.
func only(t *testing.T, dev *gpu.Device, c net.Config, p bitgpu.Precision, kernel string) *net.Tuning {
	t.Helper()
	if kernel == "" {
		return nil
	}
	tuning, err := net.TuneTo(kernel, c, dev.Info(), modeltest.Storage(p))
	if err != nil {
		gputest.Lacks(t, dev, kernel)
	}
	return tuning
}

// runsOnly checks that a network's convolutions of a batch of tensors all run by one kernel, and that this leaves the
// statistics of its results: only those of the pooled stem need a pass of their own.
func runsOnly(t *testing.T, n *net.Network, x *bitgpu.Tensor, kernel string) {
	t.Helper()
	plan, err := n.Plan(net.BatchSpec{Images: x.Shape[0], Height: x.Shape[2], Width: x.Shape[3], Input: net.Tensors, Outputs: net.Outputs{Logits: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		switch source := s.Kernel.Source; {
		case strings.HasPrefix(source, "conv_") && source != kernel+".comp":
			t.Errorf("%s runs by %s, not %s", s.Name, s.Kernel.Name, kernel)
		case len(plan.Winograd) == 0 && strings.HasPrefix(source, "gn_stats") && s.Name != "stages.0.blocks.0.norm1.stats":
			t.Errorf("%s is a step of its own", s.Name)
		}
	}
}

// TestGoldenKernels runs the golden networks by each of the kernels for GPUs alone, which on CPUs nothing else chooses,
// within the same bounds as all others.
func TestGoldenKernels(t *testing.T) {
	dev := gputest.Open(t)
	for _, k := range []struct {
		kernel string
		p      bitgpu.Precision
	}{
		{"conv_tile", bitgpu.FP32}, {"conv_tile", bitgpu.FP16}, {"conv_coopmat", bitgpu.FP16}, {"conv_coopmat2", bitgpu.FP16},
	} {
		for _, m := range []int{0, 4} {
			for _, name := range []string{"tiny", "tiny_x2", "tiny_x3"} {
				t.Run(fmt.Sprintf("%s/%v/F%d/%s", k.kernel, k.p, m, name), func(t *testing.T) { goldenNet(t, dev, name, k.p, m, k.kernel) })
			}
		}
		t.Run(fmt.Sprintf("%s/%v/50x1_224", k.kernel, k.p), func(t *testing.T) {
			v, _ := net.FindVariant("resnetv2_50x1_bit.goog_distilled_in1k")
			c := loader.Generated(modeltest.TensorInfos(v.Config))
			g, _ := readGolden(t, "testdata/fullsize/50x1_224.safetensors")
			x := &bitgpu.Tensor{Shape: []int{1, 3, 224, 224}, Data: loader.GeneratedInput(224, 224)}
			compareFull(t, k.p, run(t, forced(t, dev, v.Config, weights{c}, k.p, 0, only(t, dev, v.Config, k.p, k.kernel)), x), g)
		})
	}
}
