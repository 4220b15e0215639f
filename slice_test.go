package bitgpu_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// A slice budget changes when the device works, not what it computes.
func TestSliceBudgetKeepsTheResults(t *testing.T) {
	x := &bitgpu.Tensor{Shape: []int{2, 3, 64, 64}, Data: make([]float32, 2*3*64*64)}
	for i := range x.Data {
		x.Data[i] = rand.Float32() - 0.5
	}
	for _, precision := range []bitgpu.Precision{bitgpu.FP32, bitgpu.FP16} {
		want := bitgpu.Outputs{Logits: true, Unpooled: true}
		plain := modeltest.Open(t, bitgpu.Demo, bitgpu.Options{Precision: precision})
		whole, err := plain.Forward(t.Context(), x, want)
		if err != nil {
			t.Fatal(err)
		}
		sliced := modeltest.Open(t, bitgpu.Demo, bitgpu.Options{Precision: precision, SliceBudget: time.Millisecond})
		for pass := range 3 {
			got, err := sliced.Forward(t.Context(), x, want)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Logits.Data, whole.Logits.Data) || !slices.Equal(got.Unpooled.Data, whole.Unpooled.Data) {
				t.Errorf("%v, pass %d: the results differ", precision, pass)
			}
		}
	}
}

func TestSliceBudgetCancel(t *testing.T) {
	m := modeltest.Open(t, bitgpu.Demo, bitgpu.Options{SliceBudget: time.Millisecond})
	x := &bitgpu.Tensor{Shape: []int{1, 3, 320, 320}, Data: make([]float32, 3*320*320)}
	want, err := m.Forward(t.Context(), x, bitgpu.Outputs{Logits: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if _, err := m.Forward(ctx, x, bitgpu.Outputs{Logits: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
		cancel()
	}
	got, err := m.Forward(t.Context(), x, bitgpu.Outputs{Logits: true})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Logits.Data, want.Logits.Data) {
		t.Error("the results differ after cancelled runs")
	}
}
