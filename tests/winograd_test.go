package tests

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// weights are a checkpoint of float32 tensors as a net.Source.
type weights struct{ loader.Checkpoint }

func (weights) DType(string) (net.DType, error) { return net.F32, nil }

// forced loads a network whose 3x3 convolutions of stride 1 all go by F(m x m), directly for m = 0, with a tuning or nil.
func forced(t *testing.T, dev *gpu.Device, c net.Config, src net.Source, p bitgpu.Precision, m int, tuning *net.Tuning) *net.Network {
	t.Helper()
	w := net.Winograd{}
	for s, layers := range c.Layers {
		for b := range layers {
			if s == 0 || b > 0 {
				w[fmt.Sprintf("stages.%d.blocks.%d.conv2", s, b)] = m
			}
		}
	}
	n, err := net.Load(t.Context(), dev, c, src, net.Options{Storage: modeltest.Storage(p), Winograd: w, Tuning: tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// run gives all outputs for a tensor.
func run(t *testing.T, n *net.Network, x *bitgpu.Tensor) *bitgpu.Output {
	t.Helper()
	out, err := n.Run(context.Background(), net.BatchSpec{
		Images: x.Shape[0], Height: x.Shape[2], Width: x.Shape[3], Input: net.Tensors,
		Outputs: net.Outputs{Logits: true, Embedding: true, Unpooled: true, Maps: 1<<n.Config().Maps() - 1},
	}, x.Data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goldenNet runs a golden network on every input, all of its convolutions by one kernel, or "" for those that are chosen.
func goldenNet(t *testing.T, dev *gpu.Device, name string, p bitgpu.Precision, m int, kernel string) {
	dir := filepath.Join("testdata", "nets", name)
	c, err := loader.OpenSafetensors(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	config := modeltest.Config(t, c)
	n := forced(t, dev, config, weights{c}, p, m, only(t, dev, config, p, kernel))
	files, err := filepath.Glob(filepath.Join(dir, "io_*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files in", dir, err)
	}
	for _, file := range files {
		g, shapes := readGolden(t, file)
		if kernel != "" {
			runsOnly(t, n, g.input(shapes), kernel)
		}
		compareAll(t, filepath.Base(file), p, run(t, n, g.input(shapes)), g)
	}
}

// TestGoldenWinograd runs the golden networks with all convolutions by one transform, and without; all of
// it within the same bounds. With -v it prints the errors that docs/accuracy.md lists.
func TestGoldenWinograd(t *testing.T) {
	dev := gputest.Open(t)
	for _, m := range []int{0, 2, 4} {
		for _, p := range precisions {
			for _, name := range []string{"tiny", "tiny_x2", "tiny_x3"} {
				t.Run(fmt.Sprintf("F%d/%v/%s", m, p, name), func(t *testing.T) {
					goldenNet(t, dev, name, p, m, "")
				})
			}
			t.Run(fmt.Sprintf("F%d/%v/50x1_224", m, p), func(t *testing.T) {
				v, _ := net.FindVariant("resnetv2_50x1_bit.goog_distilled_in1k")
				c := loader.Generated(modeltest.TensorInfos(v.Config))
				g, _ := readGolden(t, "testdata/fullsize/50x1_224.safetensors")
				x := &bitgpu.Tensor{Shape: []int{1, 3, 224, 224}, Data: loader.GeneratedInput(224, 224)}
				compareFull(t, p, run(t, forced(t, dev, v.Config, weights{c}, p, m, nil), x), g)
			})
		}
	}
}
