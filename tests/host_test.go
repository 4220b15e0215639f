package tests

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// TestGoldenNetsOnHost: on a device that a program hands over the golden networks give what they give on one of our
// own, to the bit, and nothing that the validation layer could complain of, during or after.
func TestGoldenNetsOnHost(t *testing.T) {
	for _, name := range []string{"tiny", "tiny_x2"} {
		for _, p := range precisions {
			t.Run(fmt.Sprintf("%s/%v", name, p), func(t *testing.T) {
				dir := filepath.Join("testdata", "nets", name)
				h := gputest.NewHost(t)
				own := modeltest.Open(t, dir, bitgpu.Options{Precision: p})
				guest, err := bitgpu.Open(t.Context(), dir, bitgpu.Options{Precision: p, Host: h.Options(), CacheDir: "none"})
				if err != nil {
					t.Fatal(err)
				}
				g, shapes := readGolden(t, filepath.Join(dir, "io_64x64.safetensors"))
				var outputs []map[string]*bitgpu.Tensor
				for _, m := range []*bitgpu.Model{own, guest} {
					out, err := m.Forward(t.Context(), g.input(shapes), everything(m))
					if err != nil {
						t.Fatal(err)
					}
					outputs = append(outputs, named(out))
				}
				for name, want := range outputs[0] {
					if got := outputs[1][name]; !slices.Equal(got.Data, want.Data) {
						t.Errorf("%s differs", name)
					}
				}
				if err := guest.Close(); err != nil {
					t.Error(err)
				}
				h.Submit(nil, nil, nil) // the host goes on
			})
		}
	}
}
