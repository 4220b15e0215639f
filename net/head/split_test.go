package head_test

import (
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/net/head"
)

// TestSplit deals out classes of several sizes.
func TestSplit(t *testing.T) {
	var y []int
	sizes := []int{20, 11, 2, 1, 0}
	for class, n := range sizes {
		y = append(y, slices.Repeat([]int{class}, n)...)
	}
	count := func(rows []int) []int {
		n := make([]int, len(sizes))
		for _, i := range rows {
			n[y[i]]++
		}
		return n
	}
	train, held, err := head.Split(y, len(sizes), head.SplitOptions{Holdout: 0.2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := count(held); !slices.Equal(got, []int{4, 2, 1, 0, 0}) {
		t.Errorf("held out %v", got)
	}
	both := slices.Concat(train, held)
	slices.Sort(both)
	for i := range y {
		if i >= len(both) || both[i] != i {
			t.Fatalf("not every example is in one part: %v", both)
		}
	}
	if !slices.IsSorted(train) || !slices.IsSorted(held) {
		t.Error("the lists are not in order")
	}
	_, again, _ := head.Split(y, len(sizes), head.SplitOptions{Holdout: 0.2, Seed: 1})
	_, other, _ := head.Split(y, len(sizes), head.SplitOptions{Holdout: 0.2, Seed: 2})
	if !slices.Equal(held, again) || slices.Equal(held, other) {
		t.Errorf("seed 1 gives %v and %v, seed 2 %v", held, again, other)
	}
	if all, none, _ := head.Split(y, len(sizes), head.SplitOptions{}); len(all) != len(y) || len(none) != 0 {
		t.Errorf("without a part to hold out: %v and %v", all, none)
	}
}

// TestSplitShots: what is held out does not depend on the shots, and more shots include the fewer.
func TestSplitShots(t *testing.T) {
	y := slices.Concat(slices.Repeat([]int{0}, 20), slices.Repeat([]int{1}, 12))
	var before, heldBefore []int
	for _, shots := range []int{1, 3, 9} {
		train, held, err := head.Split(y, 2, head.SplitOptions{Holdout: 0.25, Shots: shots})
		if err != nil || len(train) != 2*shots {
			t.Fatal(err, train)
		}
		for _, i := range before {
			if !slices.Contains(train, i) {
				t.Errorf("%d shots lack example %d of the fewer", shots, i)
			}
		}
		if heldBefore != nil && !slices.Equal(held, heldBefore) {
			t.Errorf("%d shots: held out %v, before %v", shots, held, heldBefore)
		}
		before, heldBefore = train, held
	}
	if _, _, err := head.Split(y, 2, head.SplitOptions{Holdout: 0.25, Shots: 10}); err == nil {
		t.Error("10 shots of 9 examples were accepted")
	}
}

// TestEvaluate counts by hand: class 0 is answered where x is positive.
func TestEvaluate(t *testing.T) {
	l := &head.Linear{Classes: 3, Features: 1, Weight: []float64{1, -1, 0}, Bias: []float64{0, 0, -9}}
	d := head.Data{X: []float32{2, 1, -1, -3, 5}, Y: []int{0, 1, 1, 1, 2}, Features: 1, Classes: 3}
	r, err := l.Evaluate(d)
	if err != nil {
		t.Fatal(err)
	}
	want := []head.ClassReport{{Examples: 1, Right: 1, Answered: 3}, {Examples: 3, Right: 2, Answered: 2}, {Examples: 1}}
	if r.Examples != 5 || r.Right != 3 || r.Accuracy != 0.6 || !slices.Equal(r.Classes, want) {
		t.Errorf("%+v", r)
	}
	if r.Classes[0].Precision() != 1./3 || r.Classes[1].Recall() != 2./3 {
		t.Error(r.Classes)
	}
	if a := r.Answers[3]; a.Class != 1 || a.Prob < 0.99 {
		t.Errorf("answer %+v", a)
	}
	d.Features = 5
	if _, err := l.Evaluate(d); err == nil {
		t.Error("examples of another width were accepted")
	}
}
