package head

// This file owns the choice of the penalty's weight by cross-validation.

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Candidate is one weight of the penalty, judged by examples that were not trained on.
type Candidate struct {
	L2       float64
	Loss     float64 // mean over all examples
	Accuracy float64 // 0 to 1
}

// The weights that are tried, from the strongest on: half powers of ten, times the mean variance of the
// features that the penalty sees, which is 1 where they are standardized.
const (
	strongest = 1.0  // log10
	weakest   = -7.0 // log10
	steps     = 2    // for a power of ten
)

// Candidates are compared, not used: they need not be exact.
const (
	roughTolerance  = 1e-3
	roughIterations = 300
)

// choose sets L2 to the weight with the least loss. The loss falls and then rises along the way from the
// strongest to the weakest penalty, which takes longest to compute, so the second rise ends it.
func (r *Result) choose(ctx context.Context, d Data, o Options) error {
	unit := 1.0
	if o.Raw {
		_, variance := moments(d, every(len(d.Y)))
		unit = 0
		for _, v := range variance {
			unit += v / float64(len(variance))
		}
		if unit == 0 {
			unit = 1
		}
	}
	trials := folds(d, o)
	if r.Folds = len(trials); r.Folds < 2 {
		r.L2 = math.Pow(10, -2) * unit // nothing to judge by: a class has one example only
		return nil
	}
	rises := 0
	best := Candidate{Loss: math.Inf(1)}
	for i := 0; rises < 2 && strongest-float64(i)/steps >= weakest; i++ {
		c := Candidate{L2: math.Pow(10, strongest-float64(i)/steps) * unit}
		var running sync.WaitGroup
		errs := make([]error, len(trials))
		for t, trial := range trials {
			running.Go(func() { errs[t] = trial.try(ctx, c.L2) })
		}
		running.Wait()
		for t, trial := range trials {
			if errs[t] != nil {
				return errs[t]
			}
			c.Loss += trial.loss / float64(len(d.Y))
			c.Accuracy += float64(trial.right) / float64(len(d.Y))
		}
		r.Candidates = append(r.Candidates, c)
		if o.Progress != nil {
			o.Progress(c)
		}
		rises++
		if c.Loss < best.Loss {
			best, rises = c, 0
		}
	}
	r.L2 = best.L2
	return nil
}

// trial is one fold: trained on the rest, judged by its own.
type trial struct {
	solution *solution
	data     Data
	own      []int
	loss     float64 // summed over own
	right    int
}

// folds deals the examples out, class by class, so that every fold has the same share of each. There are
// no more folds than the smallest class has examples, of those that have any.
func folds(d Data, o Options) []*trial {
	members := byClass(d.Y, d.Classes)
	n := o.Folds
	for _, m := range members {
		if len(m) > 0 {
			n = min(n, len(m))
		}
	}
	if n < 2 {
		return nil
	}
	in, next := make([]int, len(d.Y)), 0
	for class, m := range members {
		shuffle(m, o.Seed, class)
		for _, i := range m {
			in[i] = next % n
			next++
		}
	}
	trials := make([]*trial, n)
	limit := make(chan struct{}, runtime.GOMAXPROCS(0)) // over all folds
	for t := range trials {
		trials[t] = &trial{data: d}
		var rest []int
		for i, fold := range in {
			if fold == t {
				trials[t].own = append(trials[t].own, i)
			} else {
				rest = append(rest, i)
			}
		}
		f := newObjective(d, rest, !o.Raw)
		f.limit = limit
		trials[t].solution = newSolution(f)
	}
	return trials
}

// try minimizes from where the last candidate ended, and judges.
func (t *trial) try(ctx context.Context, l2 float64) error {
	t.solution.f.l2 = l2
	if err := t.solution.minimize(ctx, roughTolerance, roughIterations); err != nil {
		return err
	}
	l := t.solution.f.linear(t.solution.params)
	t.loss, t.right = 0, 0
	p := make([]float64, l.Classes)
	for _, i := range t.own {
		loss, answer := l.judge(p, t.data.Row(i), t.data.Y[i])
		t.loss += loss
		if answer == t.data.Y[i] {
			t.right++
		}
	}
	return nil
}

// byClass lists the examples of each class.
func byClass(y []int, classes int) [][]int {
	members := make([][]int, classes)
	for i, c := range y {
		members[c] = append(members[c], i)
	}
	return members
}

// shuffle brings a class's examples into an order that the seed decides, whatever the other classes are.
func shuffle(members []int, seed uint64, class int) {
	r := rand.New(rand.NewPCG(seed, uint64(class)))
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
}
