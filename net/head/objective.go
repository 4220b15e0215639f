package head

// This file owns the function that training minimizes, over weights V [K, C] and biases b [K]:
//
//	f(V, b) = 1/N sum_i -log softmax(V z_i + b)[y_i] + L2/2 ||V||^2,    z = (x - mean) / scale
//
// and its gradient. scikit-learn's LogisticRegression minimizes N/L2 times this with C = 1/(N L2). Its
// parameters are one vector, V before b.

import (
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// blockRows is how many examples are computed at once; shards is in how many parts a sum over all
// examples is taken. Both are the same on every machine, and with them the result.
const (
	blockRows = 128
	shards    = 8
)

// objective is f over some rows of data. It is for one goroutine at a time.
type objective struct {
	data        Data
	rows        []int
	l2          float64
	mean, scale []float64     // of each feature
	limit       chan struct{} // one token for each goroutine that may compute

	parts [shards]part
}

// part is what one shard of the rows adds to f.
type part struct {
	loss     float64
	gradient []float64
	z, p     []float64 // a block of examples, [blockRows, C], and of their logits, [blockRows, K]
}

// newObjective takes mean and scale from the rows: the features' own if they are to be standardized,
// else 0 and 1. A feature that never varies keeps its scale.
func newObjective(d Data, rows []int, standardize bool) *objective {
	o := &objective{data: d, rows: rows, mean: make([]float64, d.Features), scale: make([]float64, d.Features),
		limit: make(chan struct{}, runtime.GOMAXPROCS(0))}
	for c := range o.scale {
		o.scale[c] = 1
	}
	if !standardize {
		return o
	}
	mean, square := moments(d, rows)
	copy(o.mean, mean)
	for c, s := range square {
		if s > 0 {
			o.scale[c] = math.Sqrt(s)
		}
	}
	return o
}

// moments returns the mean and the variance, over all, of each feature.
func moments(d Data, rows []int) (mean, variance []float64) {
	mean, variance = make([]float64, d.Features), make([]float64, d.Features)
	for _, i := range rows {
		for c, x := range d.Row(i) {
			mean[c] += float64(x)
		}
	}
	floats.Scale(1/float64(len(rows)), mean)
	for _, i := range rows {
		for c, x := range d.Row(i) {
			e := float64(x) - mean[c]
			variance[c] += e * e
		}
	}
	floats.Scale(1/float64(len(rows)), variance)
	return mean, variance
}

// size is the number of parameters.
func (o *objective) size() int { return o.data.Classes * (o.data.Features + 1) }

// eval returns f, and its gradient in gradient.
func (o *objective) eval(params, gradient []float64) float64 {
	var running sync.WaitGroup
	per := (len(o.rows) + shards - 1) / shards
	for s := range shards {
		begin, end := min(s*per, len(o.rows)), min((s+1)*per, len(o.rows))
		running.Go(func() {
			o.limit <- struct{}{}
			defer func() { <-o.limit }()
			o.shard(&o.parts[s], params, o.rows[begin:end])
		})
	}
	running.Wait()
	n := 1 / float64(len(o.rows))
	weights := o.data.Classes * o.data.Features
	clear(gradient)
	loss := 0.0
	for s := range o.parts {
		loss += o.parts[s].loss
		floats.Add(gradient, o.parts[s].gradient)
	}
	floats.Scale(n, gradient)
	floats.AddScaled(gradient[:weights], o.l2, params[:weights])
	return loss*n + o.l2/2*floats.Dot(params[:weights], params[:weights])
}

// shard sums loss and gradient over some rows.
func (o *objective) shard(p *part, params []float64, rows []int) {
	k, c := o.data.Classes, o.data.Features
	if p.gradient == nil {
		p.gradient, p.z, p.p = make([]float64, o.size()), make([]float64, blockRows*c), make([]float64, blockRows*k)
	}
	clear(p.gradient)
	p.loss = 0
	weights, bias := blas64.General{Rows: k, Cols: c, Stride: c, Data: params[:k*c]}, params[k*c:]
	slope, biasSlope := blas64.General{Rows: k, Cols: c, Stride: c, Data: p.gradient[:k*c]}, p.gradient[k*c:]
	for len(rows) > 0 {
		block := rows[:min(len(rows), blockRows)]
		rows = rows[len(block):]
		for r, i := range block {
			z := p.z[r*c : (r+1)*c]
			for j, x := range o.data.Row(i) {
				z[j] = (float64(x) - o.mean[j]) / o.scale[j]
			}
			copy(p.p[r*k:], bias)
		}
		z := blas64.General{Rows: len(block), Cols: c, Stride: c, Data: p.z}
		logits := blas64.General{Rows: len(block), Cols: k, Stride: k, Data: p.p}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, z, weights, 1, logits)
		for r, i := range block {
			e := p.p[r*k : (r+1)*k]
			own := e[o.data.Y[i]]
			p.loss += softmax(e) - own
			e[o.data.Y[i]]-- // the slope by the logits
			floats.Add(biasSlope, e)
		}
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, logits, z, 1, slope)
	}
}

// softmax replaces logits by probabilities and returns the logarithm of the sum of their exponentials.
func softmax(e []float64) float64 {
	largest := floats.Max(e)
	for j, v := range e {
		e[j] = math.Exp(v - largest)
	}
	sum := floats.Sum(e)
	floats.Scale(1/sum, e)
	return largest + math.Log(sum)
}

// linear returns the classifier of plain embeddings that the parameters stand for.
func (o *objective) linear(params []float64) *Linear {
	k, c := o.data.Classes, o.data.Features
	l := &Linear{Classes: k, Features: c, Weight: make([]float64, k*c), Bias: make([]float64, k)}
	copy(l.Bias, params[k*c:])
	for i := range k {
		for j := range c {
			w := params[i*c+j] / o.scale[j]
			l.Weight[i*c+j] = w
			l.Bias[i] -= w * o.mean[j]
		}
	}
	return l
}
