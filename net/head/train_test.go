package head_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/net/head"
	"gonum.org/v1/gonum/mat"
)

// clusters makes n examples of c features around a centre for each class. Features differ in mean and
// scale, and are correlated; so embeddings are.
func clusters(n, c, classes int, spread float64) head.Data {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	centres := make([]float64, classes*c)
	for i := range centres {
		centres[i] = r.NormFloat64()
	}
	d := head.Data{Features: c, Classes: classes}
	for i := range n {
		y := i % classes
		common := r.NormFloat64()
		for j := range c {
			v := centres[y*c+j] + spread*(r.NormFloat64()+common)
			d.X = append(d.X, float32((v+float64(j))*math.Pow(3, float64(j%3)-1)))
		}
		d.Y = append(d.Y, y)
	}
	return d
}

// newton minimizes the same function in the plainest way: Newton's iterations with the whole Hessian,
// in float64, on features that are standardized beforehand. It knows nothing of package head's own code.
// It returns weights [K, C] and biases of standardized features, and the least value.
func newton(d head.Data, l2 float64, standardize bool) (params []float64, value float64) {
	n, c, k := len(d.Y), d.Features, d.Classes
	z := mat.NewDense(n, c+1, nil)
	for j := range c {
		mean, variance := 0.0, 0.0
		for i := range n {
			mean += float64(d.X[i*c+j]) / float64(n)
		}
		for i := range n {
			variance += math.Pow(float64(d.X[i*c+j])-mean, 2) / float64(n)
		}
		for i := range n {
			if standardize {
				z.Set(i, j, (float64(d.X[i*c+j])-mean)/math.Sqrt(variance))
			} else {
				z.Set(i, j, float64(d.X[i*c+j]))
			}
			z.Set(i, c, 1)
		}
	}
	size := k * (c + 1)
	w := mat.NewVecDense(size, nil)
	eval := func(w *mat.VecDense) (float64, []float64) {
		sum, p := 0.0, make([]float64, n*k)
		for i := range n {
			total := 0.0
			for a := range k {
				p[i*k+a] = math.Exp(mat.Dot(z.RowView(i), w.SliceVec(a*(c+1), (a+1)*(c+1))))
				total += p[i*k+a]
			}
			for a := range k {
				p[i*k+a] /= total
			}
			sum -= math.Log(p[i*k+d.Y[i]]) / float64(n)
		}
		for a := range k {
			for j := range c {
				sum += l2 / 2 * math.Pow(w.AtVec(a*(c+1)+j), 2)
			}
		}
		return sum, p
	}
	for range 50 {
		before, p := eval(w)
		gradient, hessian := mat.NewVecDense(size, nil), mat.NewSymDense(size, nil)
		for a := range k {
			for j := range c + 1 {
				at := a*(c+1) + j
				slope := 0.0
				for i := range n {
					e := p[i*k+a]
					if d.Y[i] == a {
						e--
					}
					slope += e * z.At(i, j) / float64(n)
				}
				if j < c {
					slope += l2 * w.AtVec(at)
				}
				gradient.SetVec(at, slope)
				for b := a; b < k; b++ {
					for m := range c + 1 {
						if b == a && m < j {
							continue
						}
						curve := 0.0
						for i := range n {
							q := -p[i*k+a] * p[i*k+b]
							if a == b {
								q += p[i*k+a]
							}
							curve += q * z.At(i, j) * z.At(i, m) / float64(n)
						}
						switch {
						case at == b*(c+1)+m && j < c:
							curve += l2
						case j == c && m == c:
							curve += 1 / float64(k) // biases may all grow alike: keep their sum at zero
						}
						hessian.SetSym(at, b*(c+1)+m, curve)
					}
				}
			}
		}
		var chol mat.Cholesky
		var step mat.VecDense
		if !chol.Factorize(hessian) || chol.SolveVecTo(&step, gradient) != nil {
			panic("newton: singular")
		}
		// Halve the step while it leads up.
		for scale := 1.0; scale > 1e-9; scale /= 2 {
			next := mat.NewVecDense(size, nil)
			next.AddScaledVec(w, -scale, &step)
			if after, _ := eval(next); after <= before {
				w = next
				break
			}
		}
		if mat.Norm(gradient, math.Inf(1)) < 1e-13 {
			break
		}
	}
	value, _ = eval(w)
	for a := range k {
		params = append(params, w.RawVector().Data[a*(c+1):a*(c+1)+c]...)
	}
	for a := range k {
		params = append(params, w.AtVec(a*(c+1)+c))
	}
	return params, value
}

// TestTrainFindsTheOptimum compares value and coefficients with Newton's method.
func TestTrainFindsTheOptimum(t *testing.T) {
	for _, test := range []struct {
		name       string
		n, c, k    int
		l2, spread float64
		raw        bool
		tolerance  float64
	}{
		{"strong", 150, 6, 4, 0.3, 1, false, 1e-8},
		{"weak", 150, 6, 4, 1e-4, 1, false, 1e-8},
		{"raw", 150, 6, 4, 1e-2, 1, true, 1e-7},
		{"two classes", 90, 5, 2, 1e-2, 2, false, 1e-8},
		{"separable", 40, 8, 5, 1e-3, 0.1, false, 1e-8},
		{"several blocks", 1100, 4, 3, 1e-3, 1, false, 1e-8},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := clusters(test.n, test.c, test.k, test.spread)
			r, err := head.Train(t.Context(), d, head.Options{L2: test.l2, Raw: test.raw, Tolerance: test.tolerance})
			if err != nil {
				t.Fatal(err)
			}
			params, value := newton(d, test.l2, !test.raw)
			if !r.Converged || !(math.Abs(r.Objective-value) <= 1e-12*(1+value)) {
				t.Errorf("objective %.15f after %d iterations, gradient %g, converged %v; want %.15f", r.Objective, r.Iterations, r.Gradient, r.Converged, value)
			}
			// Undo the standardization, independently: logits of the examples say everything.
			want := make([]float64, test.k)
			got := make([]float64, test.k)
			worst, largest := 0.0, 0.0
			z := standardized(d, !test.raw)
			for i := range test.n {
				r.Logits(got, d.Row(i))
				for a := range test.k {
					want[a] = params[test.k*test.c+a]
					for j := range test.c {
						want[a] += params[a*test.c+j] * z[i*test.c+j]
					}
					worst, largest = max(worst, math.Abs(got[a]-want[a])), max(largest, math.Abs(want[a]))
				}
			}
			if !(worst <= 1e-5*largest) {
				t.Errorf("logits differ by %g of %g", worst, largest)
			}
		})
	}
}

func standardized(d head.Data, yes bool) []float64 {
	n, c := len(d.Y), d.Features
	z := make([]float64, n*c)
	for j := range c {
		mean, square := 0.0, 0.0
		for i := range n {
			v := float64(d.X[i*c+j])
			mean, square = mean+v/float64(n), square+v*v/float64(n)
		}
		for i := range n {
			z[i*c+j] = float64(d.X[i*c+j])
			if yes {
				z[i*c+j] = (z[i*c+j] - mean) / math.Sqrt(square-mean*mean)
			}
		}
	}
	return z
}

// TestTrainIsTheSameOnAnyMachine: the number of processors changes nothing, not even the last bit.
func TestTrainIsTheSameOnAnyMachine(t *testing.T) {
	d := clusters(700, 9, 3, 2)
	var first *head.Result
	for _, n := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(n)
		r, err := head.Train(t.Context(), d, head.Options{Seed: 3})
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
		}
		if r.L2 != first.L2 || !slices.Equal(r.Weight, first.Weight) || !slices.Equal(r.Bias, first.Bias) || !slices.Equal(r.Candidates, first.Candidates) {
			t.Errorf("with %d processors the result is another", n)
		}
	}
}

// TestCrossValidation: noise asks for a strong penalty, clear classes for a weak one, and either choice
// does better on new examples than the ends of the range.
func TestCrossValidation(t *testing.T) {
	chosen := map[float64]float64{}
	for _, spread := range []float64{2, 8} {
		all := clusters(1200, 30, 4, spread)
		train, fresh, err := head.Split(all.Y, 4, head.SplitOptions{Holdout: 0.9, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		r, err := head.Train(t.Context(), all.Select(train), head.Options{Progress: func(head.Candidate) { told++ }})
		if err != nil {
			t.Fatal(err)
		}
		if r.Folds != 5 || told != len(r.Candidates) || told < 4 || !r.Converged {
			t.Fatalf("%d folds, %d candidates, %d told", r.Folds, len(r.Candidates), told)
		}
		loss := func(l *head.Linear) float64 {
			report, err := l.Evaluate(all.Select(fresh))
			if err != nil {
				t.Fatal(err)
			}
			return report.Loss
		}
		best := loss(r.Linear)
		for _, l2 := range []float64{10, 1e-7} {
			other, err := head.Train(t.Context(), all.Select(train), head.Options{L2: l2})
			if err != nil {
				t.Fatal(err)
			}
			if l := loss(other.Linear); !(best < l) {
				t.Errorf("spread %v: loss %v with L2 %v, %v with the chosen %v", spread, l, l2, best, r.L2)
			}
		}
		chosen[spread] = r.L2
	}
	if !(chosen[2] < chosen[8]) {
		t.Errorf("chosen %v", chosen)
	}
}

// TestTrainWithOneExampleOfAClass cannot cross-validate, and trains all the same.
func TestTrainWithOneExampleOfAClass(t *testing.T) {
	d := clusters(3, 4, 3, 0.1)
	r, err := head.Train(t.Context(), d, head.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Evaluate(d)
	if err != nil || report.Right != 3 || r.Folds > 1 || r.L2 <= 0 {
		t.Errorf("%v, %+v, L2 %v", err, report, r.L2)
	}
}

// TestConstantFeature: a feature without variance neither divides by zero nor gets a weight.
func TestConstantFeature(t *testing.T) {
	d := clusters(60, 3, 3, 1)
	for i := range d.Y {
		d.X[3*i+1] = 5
	}
	r, err := head.Train(t.Context(), d, head.Options{L2: 0.01})
	if err != nil || !r.Converged {
		t.Fatal(err, r)
	}
	for k := range 3 {
		if w := r.Weight[3*k+1]; math.Abs(w) > 1e-9 {
			t.Errorf("weight %v", w)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	good := clusters(12, 2, 3, 1)
	nan := good
	nan.X = slices.Clone(good.X)
	nan.X[3] = float32(math.NaN())
	for name, d := range map[string]head.Data{
		"nothing": {}, "no examples": {Features: 2, Classes: 3}, "one class": {X: []float32{1}, Y: []int{0}, Features: 1, Classes: 1},
		"too few values":       {X: good.X[1:], Y: good.Y, Features: 2, Classes: 3},
		"a class that is none": {X: good.X, Y: good.Y, Features: 2, Classes: 2}, "NaN": nan,
	} {
		if _, err := head.Train(t.Context(), d, head.Options{}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for _, o := range []head.Options{{L2: -1}, {L2: math.NaN()}, {L2: math.Inf(1)}, {Folds: 1}, {Tolerance: -1}} {
		if _, err := head.Train(t.Context(), good, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l2 := range []float64{0, 1} {
		if _, err := head.Train(ctx, good, head.Options{L2: l2}); !errors.Is(err, context.Canceled) {
			t.Errorf("with L2 %v: %v", l2, err)
		}
	}
}
