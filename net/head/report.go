package head

// This file owns what a classifier answers, and how good that is.

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Report is how a classifier does on examples.
type Report struct {
	Examples int
	Right    int
	Accuracy float64 // Right of Examples; NaN without examples
	Loss     float64 // mean of -log of the probability of the true class
	Classes  []ClassReport
	Answers  []Answer // of each example
}

// ClassReport is the part of one class.
type ClassReport struct {
	Examples int // of the class
	Right    int // of those, answered with the class
	Answered int // of all examples, answered with the class
}

// Recall is the part of the class's examples that were answered with it; NaN if there are none.
func (c ClassReport) Recall() float64 { return float64(c.Right) / float64(c.Examples) }

// Precision is the part of the answers with the class that are right; NaN if there are none.
func (c ClassReport) Precision() float64 { return float64(c.Right) / float64(c.Answered) }

// Answer is the most probable class of an example; of equal ones the lowest.
type Answer struct {
	Class int
	Prob  float64
}

// Logits writes the logits of an embedding to dst, which has room for all classes.
func (l *Linear) Logits(dst []float64, x []float32) {
	for k := range l.Classes {
		sum := l.Bias[k]
		for j, w := range l.Weight[k*l.Features : (k+1)*l.Features] {
			sum += w * float64(x[j])
		}
		dst[k] = sum
	}
}

// judge returns the loss of an example and its answer, whose probabilities it leaves in p.
func (l *Linear) judge(p []float64, x []float32, y int) (loss float64, answer int) {
	l.Logits(p, x)
	own := p[y]
	return softmax(p) - own, floats.MaxIdx(p)
}

// Evaluate runs the classifier on examples.
func (l *Linear) Evaluate(d Data) (*Report, error) {
	if d.Features != l.Features || d.Classes != l.Classes || len(d.X) != len(d.Y)*d.Features {
		return nil, fmt.Errorf("head: a classifier of %d features and %d classes for %d values of %d examples of %d and %d",
			l.Features, l.Classes, len(d.X), len(d.Y), d.Features, d.Classes)
	}
	r := &Report{Examples: len(d.Y), Classes: make([]ClassReport, d.Classes), Answers: make([]Answer, len(d.Y))}
	p := make([]float64, l.Classes)
	for i, y := range d.Y {
		if y < 0 || y >= d.Classes {
			return nil, fmt.Errorf("head: example %d is of class %d, want 0 to %d", i, y, d.Classes-1)
		}
		loss, answer := l.judge(p, d.Row(i), y)
		r.Loss += loss
		r.Answers[i] = Answer{answer, p[answer]}
		r.Classes[y].Examples++
		r.Classes[answer].Answered++
		if answer == y {
			r.Right++
			r.Classes[y].Right++
		}
	}
	r.Accuracy, r.Loss = float64(r.Right)/float64(r.Examples), r.Loss/float64(r.Examples)
	if r.Examples == 0 {
		r.Loss = math.NaN()
	}
	return r, nil
}
