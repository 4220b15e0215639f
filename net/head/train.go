package head

// This file owns minimizing: L-BFGS, and how well it has converged.

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// Options of Train. The zero value works.
type Options struct {
	// L2 is the weight of the penalty, L2/2 times the squared weights, beside the mean loss: scikit-learn's
	// 1/(C N). 0 is for the best of cross-validation.
	L2 float64
	// Raw leaves the features as they are. Otherwise each is brought to mean 0 and variance 1 for the
	// training, so that the penalty means the same for all; the head takes plain embeddings all the same.
	Raw bool
	// Folds of the cross-validation; 0 for 5. There are fewer where a class has fewer examples.
	Folds int
	// Seed deals the examples out to the folds.
	Seed uint64
	// Tolerance of the gradient's largest element, relative to that at zero weights; 0 for 1e-6.
	Tolerance float64
	// MaxIterations of L-BFGS; 0 for 2000.
	MaxIterations int
	// Progress, if set, is told of every weight of the penalty that has been tried.
	Progress func(Candidate)
}

// Result of Train.
type Result struct {
	*Linear
	L2         float64
	Objective  float64 // what has been minimized, at the end
	Gradient   float64 // its gradient's largest element, of standardized features unless Options.Raw
	Iterations int
	Converged  bool        // Gradient is within the tolerance
	Candidates []Candidate // of the cross-validation, in the order of the trials; none where L2 was given
	Folds      int         // of the cross-validation
}

// Train fits a classifier to the examples. It ends early, with ctx's error, when ctx does. That a class
// has no example is no error: the classifier then hardly ever answers with it.
func Train(ctx context.Context, d Data, o Options) (*Result, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if !(o.L2 >= 0) || math.IsInf(o.L2, 0) || !(o.Tolerance >= 0) || o.MaxIterations < 0 || o.Folds < 0 || o.Folds == 1 {
		return nil, fmt.Errorf("head: L2 %v, tolerance %v, %d iterations, %d folds: out of range", o.L2, o.Tolerance, o.MaxIterations, o.Folds)
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-6
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 2000
	}
	if o.Folds == 0 {
		o.Folds = 5
	}
	r := &Result{L2: o.L2}
	if o.L2 == 0 {
		if err := r.choose(ctx, d, o); err != nil {
			return nil, err
		}
	}
	f := newObjective(d, every(len(d.Y)), !o.Raw)
	f.l2 = r.L2
	s := newSolution(f)
	if err := s.minimize(ctx, o.Tolerance, o.MaxIterations); err != nil {
		return nil, err
	}
	r.Linear, r.Objective, r.Gradient, r.Iterations, r.Converged = f.linear(s.params), s.value, s.slope, s.iterations, s.converged
	return r, nil
}

// every returns 0 to n-1.
func every(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// solution is parameters on their way to the minimum of an objective. They begin at zero.
type solution struct {
	f          *objective
	params     []float64
	value      float64
	slope      float64 // the gradient's largest element
	iterations int
	converged  bool

	unit float64 // the gradient's largest element at zero
}

func newSolution(f *objective) *solution {
	s := &solution{f: f, params: make([]float64, f.size())}
	gradient := make([]float64, f.size())
	f.eval(s.params, gradient)
	s.unit = floats.Norm(gradient, math.Inf(1))
	return s
}

// minimize goes on from where the parameters are.
func (s *solution) minimize(ctx context.Context, tolerance float64, iterations int) error {
	tolerance *= s.unit
	s.iterations = 0
	// The line search needs a lower value, which rounding hides close to the minimum. A fresh start,
	// without the history, may still find one; twice is enough.
	for range 2 {
		if err := s.descend(ctx, tolerance, iterations-s.iterations); err != nil {
			return err
		}
		if s.converged = s.slope <= tolerance; s.converged || s.iterations >= iterations {
			break
		}
	}
	return nil
}

// descend runs L-BFGS until it ends for whatever reason.
func (s *solution) descend(ctx context.Context, tolerance float64, iterations int) error {
	at, gradient := slices.Clone(s.params), make([]float64, len(s.params))
	value := s.f.eval(at, gradient)
	move := func(x []float64) {
		if !slices.Equal(at, x) {
			copy(at, x)
			value = s.f.eval(at, gradient)
		}
	}
	s.value, s.slope = value, floats.Norm(gradient, math.Inf(1))
	if s.slope <= tolerance {
		return ctx.Err()
	}
	result, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { move(x); return value },
		Grad: func(g, x []float64) { move(x); copy(g, gradient) },
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}, s.params, &optimize.Settings{
		GradientThreshold: tolerance, MajorIterations: max(iterations, 1), Converger: optimize.NeverTerminate{},
	}, &optimize.LBFGS{Linesearcher: &optimize.MoreThuente{}, GradStopThreshold: math.NaN()})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if result == nil {
		return fmt.Errorf("head: %w", err)
	}
	// An error of the line search is the end of the way down: the gradient tells how far that was.
	s.iterations += result.MajorIterations
	s.value, s.slope = s.f.eval(result.X, gradient), floats.Norm(gradient, math.Inf(1))
	copy(s.params, result.X)
	return nil
}
