package bitgpu_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

func TestOpenAsync(t *testing.T) {
	var phases []bitgpu.Phase
	var a *bitgpu.Opening
	ready := make(chan struct{})
	var loaded int64
	a = bitgpu.OpenAsync(t.Context(), bitgpu.Demo, bitgpu.Options{Validation: true, CacheDir: "none", Progress: func(done, total int64) {
		<-ready
		p := a.Progress()
		if p != (bitgpu.Progress{Phase: bitgpu.PhaseWeights, Done: done, Total: total}) {
			t.Errorf("progress %+v at %d of %d", p, done, total)
		}
		phases, loaded = append(phases, p.Phase), done
	}})
	if p := a.Progress().Phase; p > bitgpu.PhaseWeights {
		t.Errorf("phase %v at the beginning", p)
	}
	close(ready)
	<-a.Done()
	if p := a.Progress(); p != (bitgpu.Progress{Phase: bitgpu.PhaseEnd}) {
		t.Errorf("progress %+v at the end", p)
	}
	m, err := a.Model()
	if err != nil {
		t.Fatal(err)
	}
	if len(phases) == 0 || loaded != m.Info().Parameters {
		t.Errorf("%d calls of Progress, the last at %d of %d", len(phases), loaded, m.Info().Parameters)
	}
	if _, err := m.Classify(t.Context(), open(photo), 1); err != nil {
		t.Error(err)
	}
	if again, err := a.Model(); again != m || err != nil {
		t.Error("another model the second time")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenAsyncCancelled ends openings of a large network while its weights are loaded, and at once.
func TestOpenAsyncCancelled(t *testing.T) {
	for _, at := range []bitgpu.Phase{bitgpu.PhaseFind, bitgpu.PhaseWeights} {
		ctx, cancel := context.WithCancel(t.Context())
		if at == bitgpu.PhaseFind {
			cancel()
		}
		a := bitgpu.OpenAsync(ctx, "resnetv2_50x1_bit.goog_distilled_in1k", bitgpu.Options{
			Weights: bitgpu.RandomGolden, Validation: true, CacheDir: "none", Progress: func(int64, int64) { cancel() },
		})
		if m, err := a.Model(); !errors.Is(err, context.Canceled) || m != nil {
			t.Errorf("%v: model %v, error %v", at, m, err)
		}
		if p := a.Progress().Phase; p != bitgpu.PhaseEnd {
			t.Errorf("%v: ended in phase %v", at, p)
		}
		cancel()
	}
}

// TestOpenAsyncFetches: the bytes that are fetched are told, and a server that falls silent keeps nobody.
func TestOpenAsyncFetches(t *testing.T) {
	const name = "resnetv2_50x1_bit"
	s := hubOf(t, "timm/"+name+".goog_distilled_in1k")
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if file == "model.safetensors" && kind == hubtest.Get {
			f = hubtest.Fault{Cut: 1000, Stall: true}
		}
		return f
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var a *bitgpu.Opening
	ready := make(chan struct{})
	var last bitgpu.Progress
	a = bitgpu.OpenAsync(ctx, name, bitgpu.Options{Fetching: func(p hub.Progress) {
		<-ready
		if last = a.Progress(); last != (bitgpu.Progress{Phase: bitgpu.PhaseFetch, Done: p.Done, Total: p.Total}) {
			t.Errorf("progress %+v at %+v", last, p)
		}
		if p.File == "model.safetensors" && p.Done > 0 {
			cancel()
		}
	}})
	close(ready)
	if m, err := a.Model(); !errors.Is(err, context.Canceled) || errors.Is(err, bitgpu.ErrNoModel) || m != nil {
		t.Errorf("model %v, error %v", m, err)
	}
	if last.Done == 0 || last.Done >= last.Total {
		t.Errorf("the last progress was %+v", last)
	}
}

func TestPhases(t *testing.T) {
	var names []string
	for p := range bitgpu.PhaseEnd + 2 {
		names = append(names, p.String())
	}
	if want := []string{"find", "fetch", "device", "weights", "end", "end"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}
