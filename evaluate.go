package bitgpu

// This file owns evaluation: how often a network is right about pictures whose classes are known.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
)

// Evaluation adds up how a network answers pictures whose classes are known. Its memory grows with the classes,
// and with the pairs of classes that are confused, not with the pictures. It is for one goroutine at a time.
type Evaluation struct {
	Images  int // that were answered
	Failed  int // that could not be read or run; they count nowhere else
	Right1  int // whose class was the answer
	Right5  int // whose class was one of the best five
	LossSum float64
	Classes []ClassScore   // of every class of the network
	Answers map[[2]int]int // how many pictures of class [0] were taken for class [1]
}

// ClassScore is how the pictures of one class were answered.
type ClassScore struct {
	Images         int // of the class
	Right1, Right5 int // of these, as in Evaluation
	Taken          int // pictures of any class that were taken for this one
}

// Verdict is what one picture's logits mean, given its class. Of equal logits the lower index comes first.
type Verdict struct {
	Class     int     // that the picture is of
	Answer    int     // the class with the largest logit
	Rank      int     // of Class among all classes, 0 if it is the answer
	Prob      float32 // softmax of the answer
	ClassProb float32 // softmax of Class
	Loss      float64 // cross-entropy: -log of the softmax of Class
}

// NewEvaluation begins an evaluation of a network with so many classes.
func NewEvaluation(classes int) *Evaluation {
	return &Evaluation{Classes: make([]ClassScore, max(classes, 0)), Answers: map[[2]int]int{}}
}

// Add judges the logits of a picture of a class and adds the verdict. What it returns an error for, a class that
// there is not, another number of logits, or logits that are not finite, is not added.
func (e *Evaluation) Add(class int, logits []float32) (Verdict, error) {
	if class < 0 || class >= len(e.Classes) {
		return Verdict{}, fmt.Errorf("bitgpu: class %d, this network has 0 to %d", class, len(e.Classes)-1)
	}
	if len(logits) != len(e.Classes) {
		return Verdict{}, fmt.Errorf("bitgpu: %d logits for %d classes", len(logits), len(e.Classes))
	}
	v, err := judge(class, logits)
	if err != nil {
		return v, err
	}
	e.Images++
	e.LossSum += v.Loss
	e.Answers[[2]int{class, v.Answer}]++
	e.Classes[v.Answer].Taken++
	c := &e.Classes[class]
	c.Images++
	if v.Rank == 0 {
		e.Right1++
		c.Right1++
	}
	if v.Rank < 5 {
		e.Right5++
		c.Right5++
	}
	return v, nil
}

// judge computes in float64.
func judge(class int, logits []float32) (Verdict, error) {
	v := Verdict{Class: class}
	own := logits[class]
	for i, x := range logits {
		if x-x != 0 { // NaN and infinity
			return v, errors.New("bitgpu: the logits have NaN or infinity in them")
		}
		if x > logits[v.Answer] {
			v.Answer = i
		}
		if x > own || x == own && i < class {
			v.Rank++
		}
	}
	sum, best := 0.0, float64(logits[v.Answer])
	for _, x := range logits {
		sum += math.Exp(float64(x) - best)
	}
	v.Prob = float32(1 / sum)
	v.ClassProb = float32(math.Exp(float64(own)-best) / sum)
	v.Loss = math.Log(sum) + best - float64(own)
	return v, nil
}

// Fail counts a picture that has no answer.
func (e *Evaluation) Fail() { e.Failed++ }

// Top1 is the share of the answered pictures whose class was the answer, 0 to 1; NaN without any.
func (e *Evaluation) Top1() float64 { return float64(e.Right1) / float64(e.Images) }

// Top5 is the share of the answered pictures whose class was among the best five.
func (e *Evaluation) Top5() float64 { return float64(e.Right5) / float64(e.Images) }

// Loss is the mean cross-entropy of the answered pictures, in nats.
func (e *Evaluation) Loss() float64 { return e.LossSum / float64(e.Images) }

// Recall is the share of the class's pictures that were recognized; NaN without any.
func (c ClassScore) Recall() float64 { return float64(c.Right1) / float64(c.Images) }

// Precision is the share of the pictures taken for the class that are of it; NaN without any.
func (c ClassScore) Precision() float64 { return float64(c.Right1) / float64(c.Taken) }

// Judged is one picture of an evaluation: the verdict, or why there is none.
type Judged struct {
	Input   Input
	Verdict Verdict
	Err     error
}

// Evaluate runs pictures whose Input.Class says what they are, in constant memory as Stream does, and adds up how
// right the network is. each, which may be nil, hears of every picture, in order. Pictures that fail are counted and
// do not stop the others. The error is ctx's, or that of a network without classes; with ctx's comes what was added up until then.
func (m *Model) Evaluate(ctx context.Context, inputs iter.Seq[Input], each func(Judged)) (*Evaluation, error) {
	if m.info.Config.Classes == 0 {
		return nil, fmt.Errorf("bitgpu: model %s has no classes", m.info.Name)
	}
	e := NewEvaluation(m.info.Config.Classes)
	for r := range m.Stream(ctx, inputs, Outputs{Logits: true}) {
		if ctx.Err() != nil {
			break
		}
		j := Judged{Input: r.Input, Err: r.Err}
		if j.Err == nil {
			j.Verdict, j.Err = e.Add(r.Input.Class, r.Output.Logits.Data)
		}
		if j.Err != nil {
			e.Fail()
		}
		if each != nil {
			each(j)
		}
	}
	if err := ctx.Err(); err != nil {
		return e, fmt.Errorf("bitgpu: %w", err)
	}
	return e, nil
}
