// Package modeltest gives tests an open model, under the Vulkan validation layer.
package modeltest

import (
	"testing"

	"github.com/bitgpu/bitgpu"
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
