package index

// This file owns search: all dot products of queries and pictures, exactly. Every picture is computed in the
// same way, whatever the others and however many processors there are, so equal pictures are equally near.

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"
)

// Match is a picture of an index, and how near it is.
type Match struct {
	Row        int
	Similarity float32 // the cosine of the angle between the embeddings, -1 to 1
}

// compare sorts the nearest first, and of equally near ones the one that is first in the index.
func compare(a, b Match) int {
	return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Row, b.Row))
}

// blockBytes is about how much of the file is read at once by each processor.
const blockBytes = 1 << 20

// Search returns the k nearest pictures of each query, the nearest first, and of equally near ones the one
// that comes first in the index. Queries are embeddings of any length other than zero. Memory does not depend
// on the number of pictures. It ends early, with ctx's error, when ctx does.
func (x *Index) Search(ctx context.Context, queries [][]float32, k int) ([][]Match, error) {
	if k < 1 {
		return nil, fmt.Errorf("index: search: %d nearest, want at least 1", k)
	}
	units := make([]blas32.Vector, len(queries))
	for q, query := range queries {
		if len(query) != x.d {
			return nil, fmt.Errorf("index: search: query %d has %d values, the embeddings of %s have %d", q, len(query), x.path, x.d)
		}
		length := 0.0
		for _, v := range query {
			length += float64(v) * float64(v)
		}
		if length = math.Sqrt(length); !(length > 0) || math.IsInf(length, 0) {
			return nil, fmt.Errorf("index: search: query %d has the length %v", q, length)
		}
		units[q] = blas32.Vector{N: x.d, Inc: 1, Data: make([]float32, x.d)}
		for i, v := range query {
			units[q].Data[i] = float32(float64(v) / length)
		}
	}
	workers := make([]searcher, runtime.GOMAXPROCS(0))
	var next atomic.Int64 // row
	var running sync.WaitGroup
	for w := range workers {
		workers[w].best = make([][]Match, len(queries))
		running.Go(func() { workers[w].err = workers[w].run(ctx, x, units, k, &next) })
	}
	running.Wait()
	for _, w := range workers {
		if w.err != nil {
			return nil, w.err
		}
	}
	best := make([][]Match, len(queries))
	for q := range best {
		for _, w := range workers {
			best[q] = append(best[q], w.best[q]...)
		}
		slices.SortFunc(best[q], compare)
		best[q] = best[q][:min(k, len(best[q]))]
	}
	return best, nil
}

// searcher is one of the goroutines of a search.
type searcher struct {
	best [][]Match // of each query, sorted; at most k
	err  error
}

// run takes one block of pictures after the other.
func (s *searcher) run(ctx context.Context, x *Index, units []blas32.Vector, k int, next *atomic.Int64) error {
	size := x.d * x.dtype.Size()
	block := max(blockBytes/size, 1)
	raw, rows := make([]byte, block*size), make([]float32, block*x.d)
	for {
		begin := int(next.Add(int64(block))) - block
		if begin >= x.n {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(block, x.n-begin)
		if err := x.readUnits(rows[:n*x.d], raw[:n*size], begin); err != nil {
			return err
		}
		for i := range n {
			row := blas32.Vector{N: x.d, Inc: 1, Data: rows[i*x.d : (i+1)*x.d]}
			for q, unit := range units {
				s.best[q] = keep(s.best[q], Match{begin + i, blas32.Dot(unit, row)}, k)
			}
		}
	}
}

// keep adds a match to the best k.
func keep(best []Match, m Match, k int) []Match {
	if len(best) == k && compare(m, best[k-1]) >= 0 {
		return best
	}
	at, _ := slices.BinarySearchFunc(best, m, compare)
	if len(best) == k {
		best = best[:k-1]
	}
	return slices.Insert(best, at, m)
}
