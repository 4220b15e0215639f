package bitgpu_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/bitgpu/bitgpu"
)

// TestEvaluationAdds compares with sums that are taken in another way, over random logits with ties.
func TestEvaluationAdds(t *testing.T) {
	const classes, images = 8, 500
	r := rand.New(rand.NewPCG(3, 4))
	e := bitgpu.NewEvaluation(classes)
	var right1, right5 int
	var loss float64
	for range images {
		logits, class := make([]float32, classes), r.IntN(classes)
		for i := range logits {
			logits[i] = float32(r.IntN(6)) * 20
		}
		order := []int{0, 1, 2, 3, 4, 5, 6, 7}
		sort.SliceStable(order, func(a, b int) bool { return logits[order[a]] > logits[order[b]] })
		sum := 0.0
		for _, x := range logits {
			sum += math.Exp(float64(x))
		}
		rank := slices.Index(order, class)
		if rank == 0 {
			right1++
		}
		if rank < 5 {
			right5++
		}
		nats := math.Log(sum) - float64(logits[class])
		loss += nats
		v, err := e.Add(class, logits)
		if err != nil {
			t.Fatal(err)
		}
		prob := math.Exp(float64(logits[order[0]])) / sum
		if v.Answer != order[0] || v.Rank != rank || math.Abs(v.Loss-nats) > 1e-9 || math.Abs(float64(v.Prob)-prob) > 1e-6 ||
			math.Abs(float64(v.ClassProb)-math.Exp(-nats)) > 1e-6 {
			t.Fatalf("class %d of %v: %+v, want answer %d, rank %d, loss %g", class, logits, v, order[0], rank, nats)
		}
	}
	if e.Images != images || e.Right1 != right1 || e.Right5 != right5 || math.Abs(e.Loss()-loss/images) > 1e-9 {
		t.Errorf("%d images, %d and %d right, loss %g; want %d, %d, %d, %g", e.Images, e.Right1, e.Right5, e.Loss(), images, right1, right5, loss/images)
	}
	var of, taken, hits, pairs int
	for i, c := range e.Classes {
		of, taken, hits = of+c.Images, taken+c.Taken, hits+c.Right1
		if c.Right1 != e.Answers[[2]int{i, i}] {
			t.Errorf("class %d: %d right, %d in the matrix", i, c.Right1, e.Answers[[2]int{i, i}])
		}
	}
	for _, n := range e.Answers {
		pairs += n
	}
	if of != images || taken != images || hits != right1 || pairs != images {
		t.Errorf("classes add up to %d, %d and %d, the matrix to %d", of, taken, hits, pairs)
	}
}

// TestEvaluationRefuses what it cannot judge, and counts none of it.
func TestEvaluationRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	e := bitgpu.NewEvaluation(2)
	for _, test := range []struct {
		class  int
		logits []float32
	}{{-1, []float32{1, 2}}, {2, []float32{1, 2}}, {0, []float32{1}}, {0, []float32{1, nan}}, {1, []float32{inf, 0}}} {
		if _, err := e.Add(test.class, test.logits); err == nil {
			t.Errorf("class %d of %v is taken", test.class, test.logits)
		}
	}
	if e.Images != 0 || len(e.Answers) != 0 || !math.IsNaN(e.Top1()) {
		t.Errorf("%+v", e)
	}
}

// TestEvaluate counts pictures that cannot be read beside those that are right and wrong.
func TestEvaluate(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	inputs := []bitgpu.Input{
		{Path: photo, Class: 3}, {Path: "docs/photos/CREDITS.txt", Class: 3}, {Path: "docs/photos/coffee.png", Class: 0}, {Path: photo, Class: 10},
	}
	var order []string
	e, err := m.Evaluate(t.Context(), slices.Values(inputs), func(j bitgpu.Judged) {
		switch {
		case j.Err != nil:
			order = append(order, "failed")
		case j.Verdict.Rank == 0:
			order = append(order, "right")
		default:
			order = append(order, "wrong")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"right", "failed", "wrong", "failed"}; !slices.Equal(order, want) || e.Images != 2 || e.Failed != 2 || e.Right1 != 1 {
		t.Errorf("%v, %+v; want %v", order, e, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	forever := func(yield func(bitgpu.Input) bool) {
		for yield(inputs[0]) {
		}
	}
	e, err = m.Evaluate(ctx, forever, func(bitgpu.Judged) { cancel() })
	if !errors.Is(err, context.Canceled) || e == nil || e.Images == 0 {
		t.Errorf("interrupted: %v, %+v", err, e)
	}
}
