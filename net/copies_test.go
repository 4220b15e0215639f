package net

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
)

// noiseSource has noise for every tensor, the same at every reading.
type noiseSource struct{}

func (noiseSource) DType(string) (DType, error) { return F32, nil }

func (noiseSource) ReadTensor(name string, p []byte, off int64) error {
	values := make([]float32, len(p)/4)
	for i := range values {
		r := rand.New(rand.NewPCG(uint64(len(name)), uint64(off)+uint64(i)))
		values[i] = r.Float32()*2 - 1
	}
	encode(p, values)
	return nil
}

// TestCopiesGiveTheSame runs batches as on a device with memory of its own, through copies on the
// way in and out, and without; several are in flight.
func TestCopiesGiveTheSame(t *testing.T) {
	c := Config{
		Layers: []int{1, 2}, Channels: []int{64, 96}, Mid: []int{16, 32}, Stem: 16, Classes: 5,
		Groups: 8, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	dev := gputest.Open(t)
	n, err := Load(t.Context(), dev, c, noiseSource{}, Options{Storage: shaders.F16})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	spec := BatchSpec{Images: 2, Height: 41, Width: 35, Input: Tensors, Outputs: Outputs{Logits: true, Embedding: true, Maps: 2}}
	inputs := make([][]float32, 5)
	for i := range inputs {
		inputs[i] = make([]float32, 2*3*41*35)
		for j := range inputs[i] {
			inputs[i][j] = rand.New(rand.NewPCG(uint64(i), uint64(j))).Float32()
		}
	}
	run := func(copies bool) (all []float32) {
		n.copies = copies
		spec.Profile = copies // another program, so that the slots are recorded anew
		var flying []*Batch
		for i := range inputs {
			if len(flying) == slots {
				all = append(all, results(t, flying[0])...)
				flying = flying[1:]
			}
			b, err := n.Begin(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			encode(b.Input(), inputs[i])
			if err := b.Submit(); err != nil {
				t.Fatal(err)
			}
			flying = append(flying, b)
		}
		for _, b := range flying {
			all = append(all, results(t, b)...)
		}
		return all
	}
	direct := run(false)
	if staged := run(true); !slices.Equal(direct, staged) {
		t.Error("results through copies differ from those without")
	}
}

func results(t *testing.T, b *Batch) []float32 {
	t.Helper()
	out, err := b.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(out.Logits.Data, out.Embedding.Data, out.Maps[1].Data)
}
