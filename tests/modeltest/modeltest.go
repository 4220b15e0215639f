// Package modeltest gives tests an open model, under the Vulkan validation layer.
package modeltest

import (
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/shaders"
)

// Open opens a model under the validation layer and without the pipeline cache of the user. It is
// closed when the test ends, which fails then if the layer had anything to say.
func Open(t testing.TB, name string, o bitgpu.Options) *bitgpu.Model {
	t.Helper()
	o.Validation, o.CacheDir = true, "none"
	m, err := bitgpu.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Storage is the element type that a precision stands for.
func Storage(p bitgpu.Precision) shaders.Storage {
	if p == bitgpu.FP32 {
		return shaders.F32
	}
	return shaders.F16
}

// Config reads a network's shape off a checkpoint of the usual normalization groups.
func Config(t testing.TB, c loader.Checkpoint) net.Config {
	t.Helper()
	shapes := map[string][]int{}
	for _, info := range c.Tensors() {
		shapes[info.Name] = info.Shape
	}
	config, err := net.Infer(shapes, 0)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TensorInfos lists the tensors of a network, for loader.Generated.
func TensorInfos(c net.Config) []loader.TensorInfo {
	var infos []loader.TensorInfo
	for _, p := range c.Params() {
		infos = append(infos, loader.TensorInfo{Name: p.Name, Shape: p.Shape})
	}
	return infos
}
