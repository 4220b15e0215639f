package shaders_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// winograd is the three matrices of F(m x m, 3x3).
type winograd struct {
	m, a     int
	at, g, b [][]float64
}

// newWinograd makes the matrices from the points that winograd.glsl names (Toom and Cook): row p of B
// is the product of all other points' linear factors, G divides by its value at the point.
func newWinograd(m int) winograd {
	points := map[int][]float64{2: {0, 1, -1}, 4: {0, 0.625, -0.625, 1.5, -1.5}}[m]
	w := winograd{m: m, a: m + 2, at: matrix(m, m+2), g: matrix(m+2, 3), b: matrix(m+2, m+2)}
	product := func(without int) []float64 { // coefficients, the constant first
		c := make([]float64, w.a)
		c[0] = 1
		for q, x := range points {
			if q != without {
				for i := w.a - 1; i > 0; i-- {
					c[i] = c[i-1] - x*c[i]
				}
				c[0] *= -x
			}
		}
		return c
	}
	for p, x := range points {
		w.b[p] = product(p)
		at := 0.0
		for i, c := range w.b[p] {
			at += c * math.Pow(x, float64(i))
		}
		for j := range 3 {
			w.g[p][j] = math.Pow(x, float64(j)) / at
		}
		for i := range m {
			w.at[i][p] = math.Pow(x, float64(i))
		}
	}
	w.b[m+1], w.g[m+1][2], w.at[m-1][m+1] = product(-1), 1, 1
	if m == 2 { // the kernels have these two rows of B, and of G, with the opposite sign
		for _, row := range [][]float64{w.b[0], w.g[0]} {
			for i := range row {
				row[i] = -row[i]
			}
		}
	}
	return w
}

func matrix(rows, columns int) [][]float64 {
	m := make([][]float64, rows)
	for i := range m {
		m[i] = make([]float64, columns)
	}
	return m
}

// around returns f d fT, row by row; at gives d.
func around(f [][]float64, at func(i, j int) float64) []float64 {
	var out []float64
	for _, p := range f {
		for _, q := range f {
			sum := 0.0
			for i, x := range p {
				for j, y := range q {
					sum += x * y * at(i, j)
				}
			}
			out = append(out, sum)
		}
	}
	return out
}

func absolute(m [][]float64) [][]float64 {
	out := matrix(len(m), len(m[0]))
	for i, row := range m {
		for j, v := range row {
			out[i][j] = math.Abs(v)
		}
	}
	return out
}

// TestWinogradMatrices: the matrices that the kernels are compared with make a convolution.
func TestWinogradMatrices(t *testing.T) {
	rng := random(70)
	for _, m := range []int{2, 4} {
		w := newWinograd(m)
		d, g := kt.NewTensor(1, 1, w.a, w.a), kt.NewTensor(1, 1, 3, 3)
		for _, x := range []*kt.Tensor{d, g} {
			for i := range x.Data {
				x.Data[i] = rng.NormFloat64()
			}
		}
		u := around(w.g, func(i, j int) float64 { return g.At(0, 0, i, j) })
		v := around(w.b, func(i, j int) float64 { return d.At(0, 0, i, j) })
		y := around(w.at, func(i, j int) float64 { return u[i*w.a+j] * v[i*w.a+j] })
		for i, got := range y {
			want := 0.0
			for k, x := range g.Data {
				want += x * d.At(0, 0, i/m+k/3, i%m+k%3)
			}
			if math.Abs(got-want) > 1e-13 {
				t.Errorf("F(%d): output %d is %g, want %g", m, i, got, want)
			}
		}
	}
}

// winogradCase is one picture's shape, and how many images a dispatch takes.
type winogradCase struct {
	n, c, h, w int
	parts      []int
	option     bool // NORM, RESIDUAL
	local      int  // invocations of a workgroup
}

var winogradCases = []winogradCase{
	{n: 1, c: 8, h: 8, w: 12}, {n: 2, c: 21, h: 7, w: 9}, {n: 3, c: 11, h: 5, w: 6, parts: []int{1, 2}},
	{n: 1, c: 16, h: 1, w: 1}, {n: 2, c: 5, h: 3, w: 14, parts: []int{1, 1}},
}

// eachWinograd runs a test for both tile sizes and storage types, for all cases. These four share the
// options and workgroup sizes out: CPU drivers take seconds to compile one.
func eachWinograd(t *testing.T, test func(t *testing.T, w winograd, s shaders.Storage, c winogradCase, rng *rand.Rand)) {
	for i, c := range winogradCases {
		for _, m := range []int{2, 4} {
			for _, s := range storages {
				c.local = map[shaders.Storage]int{shaders.F32: 32, shaders.F16: 8}[s]
				c.option = (m == 4) == (s == shaders.F16)
				t.Run(fmt.Sprintf("F%d/%v/%dx%dx%dx%d", m, s, c.n, c.c, c.h, c.w), func(t *testing.T) {
					test(t, newWinograd(m), s, c, random(uint64(71+i)))
				})
			}
		}
	}
}

// tiles is how many tiles cover a picture.
func (c winogradCase) tiles(m int) (y, x int) { return (c.h + m - 1) / m, (c.w + m - 1) / m }

// dispatch is a step over images [first, first + images).
func (c winogradCase) dispatch(k *shaders.Kernel, m, first, images int, in ...[]byte) kt.Dispatch {
	ty, tx := c.tiles(m)
	return kt.Dispatch{
		Kernel: k, Spec: []uint32{uint32(c.local), uint32(m), map[bool]uint32{true: 1}[c.option]},
		Groups: kt.Grid(2*images*ty*tx, c.local, kt.Blocks(c.c)),
		Push:   shaders.Push(c.h, c.w, ty, tx, kt.Blocks(c.c), first, images), In: in,
	}
}

// split returns the first image and the number of images of each dispatch.
func (c winogradCase) split() [][2]int {
	if c.parts == nil {
		return [][2]int{{0, c.n}}
	}
	var list [][2]int
	first := 0
	for _, n := range c.parts {
		list = append(list, [2]int{first, n})
		first += n
	}
	return list
}

// transformed lays values out as the kernels do: Block [A*A][ceil(C/8)][images*tiles]; value gives the
// A*A of one channel and tile, nil past the last channel.
func transformed(c winogradCase, w winograd, images int, value func(n, ch, ty, tx int) []float64) []float64 {
	rows, columns := c.tiles(w.m)
	tiles, blocks := images*rows*columns, kt.Blocks(c.c)
	out := make([]float64, w.a*w.a*blocks*tiles*8)
	for ch := range c.c {
		for t := range tiles {
			for p, v := range value(t/(rows*columns), ch, t/columns%rows, t%columns) {
				out[((p*blocks+ch/8)*tiles+t)*8+ch%8] = v
			}
		}
	}
	return out
}

func TestWinogradInput(t *testing.T) {
	dev := gputest.Open(t)
	eachWinograd(t, func(t *testing.T, w winograd, s shaders.Storage, c winogradCase, rng *rand.Rand) {
		x := kt.Random(rng, s, c.n, c.c, c.h, c.w, 1, 2)
		affine := kt.NewTensor(c.n, 8*kt.Blocks(c.c), 1, 2) // scale and shift, zero past the last channel
		for i := range affine.Data {
			if i/2%affine.C < c.c {
				affine.Data[i] = kt.Round(shaders.F32, rng.NormFloat64())
			}
		}
		norm := kt.Encode(shaders.F32, affine.Data)
		// The operand, and what its rounding errors are relative to.
		f, magnitude := kt.NewTensor(c.n, c.c, c.h, c.w), kt.NewTensor(c.n, c.c, c.h, c.w)
		for i, v := range x.Data {
			f.Data[i], magnitude.Data[i] = v, math.Abs(v)
			if c.option {
				n, ch := i/(c.c*c.h*c.w), i/(c.h*c.w)%c.c
				scaled := v * affine.At(n, ch, 0, 0)
				f.Data[i] = max(scaled+affine.At(n, ch, 0, 1), 0)
				magnitude.Data[i] = math.Abs(scaled) + f.Data[i]
			}
		}
		for _, part := range c.split() {
			first, images := part[0], part[1]
			b, size := w.b, absolute(w.b)
			tile := func(b [][]float64, x *kt.Tensor) func(n, ch, ty, tx int) []float64 {
				return func(n, ch, ty, tx int) []float64 {
					return around(b, func(i, j int) float64 {
						if y, column := ty*w.m-1+i, tx*w.m-1+j; x.Inside(y, column) {
							return x.At(first+n, ch, y, column)
						}
						return 0
					})
				}
			}
			want := transformed(c, w, images, tile(b, f))
			bound := transformed(c, w, images, tile(size, magnitude))
			var ref kt.Values
			for i, v := range want {
				if bound[i] == 0 {
					ref.AddExact(0)
				} else {
					ref.Add(s, v, kt.SumError(10, bound[i])) // two transforms of three, and the norm
				}
			}
			out := kt.Poison(len(kt.Encode(s, want)))
			kt.Run(t, dev, out, c.dispatch(shaders.For(s).WinogradInput, w.m, first, images, x.Activation(s), norm))
			ref.Check(t, "v", kt.Decode(s, out))
		}
	})
}

func TestWinogradOutput(t *testing.T) {
	dev := gputest.Open(t)
	eachWinograd(t, func(t *testing.T, w winograd, s shaders.Storage, c winogradCase, rng *rand.Rand) {
		residual := kt.Random(rng, s, c.n, c.c, c.h, c.w, 0, 3)
		want, bound := kt.NewTensor(c.n, c.c, c.h, c.w), kt.NewTensor(c.n, c.c, c.h, c.w)
		out := kt.Poison(len(residual.Activation(s)))
		var in []byte // the residual is where the result goes, as in plans
		if c.option {
			out = residual.Activation(s)
		}
		ty, tx := c.tiles(w.m)
		chunks := (2*ty*tx + c.local - 1) / c.local
		part := kt.Poison(c.n * chunks * kt.Blocks(c.c) * 64)
		var dispatches, gathers []kt.Dispatch
		for _, split := range c.split() {
			first, images := split[0], split[1]
			products := transformed(c, w, images, func(n, ch, ty, tx int) []float64 {
				m := make([]float64, w.a*w.a)
				for i := range m {
					m[i] = kt.Round(s, rng.NormFloat64())
				}
				set := func(y *kt.Tensor, values []float64) {
					for i, v := range values {
						if oy, ox := ty*w.m+i/w.m, tx*w.m+i%w.m; y.Inside(oy, ox) {
							y.Channel(first+n, ch)[oy*c.w+ox] = v
						}
					}
				}
				set(want, around(w.at, func(i, j int) float64 { return m[i*w.a+j] }))
				set(bound, around(absolute(w.at), func(i, j int) float64 { return math.Abs(m[i*w.a+j]) }))
				return m
			})
			other := in
			if !c.option {
				other = kt.Poison(16)
			}
			d := c.dispatch(shaders.For(s).WinogradOutput, w.m, first, images, kt.Encode(s, products), other)
			d.Groups = [3]uint32{uint32(chunks), uint32(kt.Blocks(c.c)), uint32(images)}
			d.Spec, d.More = append(d.Spec, 1), part
			dispatches = append(dispatches, d)
			d.Kernel, d.Spec, d.More = shaders.For(s).WinogradGather, []uint32{8, uint32(w.m), d.Spec[2]}, nil
			d.Groups = [3]uint32{uint32((ty*tx + 7) / 8), uint32(2 * kt.Blocks(c.c)), uint32(images)}
			gathers = append(gathers, d)
		}
		if c.option {
			for i, v := range residual.Data {
				want.Data[i] += v
				bound.Data[i] += math.Abs(v)
			}
		}
		gathered := slices.Clone(out)
		kt.Run(t, dev, out, dispatches...)
		var ref kt.Values
		bounds := kt.Decode(shaders.F32, bound.Activation(shaders.F32))
		for i, v := range kt.Decode(shaders.F32, want.Activation(shaders.F32)) {
			if bounds[i] == 0 {
				ref.AddExact(0)
			} else {
				ref.Add(s, v, kt.SumError(12, bounds[i])+kt.U*math.Abs(v))
			}
		}
		ref.Check(t, "y", kt.Decode(s, out))
		if readsByAddress(dev.Info()) {
			kt.Run(t, dev, gathered, gathers...)
			ref.Check(t, "y of winograd_gather", kt.Decode(s, gathered))
		}

		// The statistics are those of y as it was stored.
		y := kt.FromActivation(s, out, c.n, c.c, c.h, c.w)
		moments, _ := normCase{n: c.n, c: y.C, h: c.h, w: c.w, chunk: c.local / 2}.parts(y, w.m, false)
		for i, got := range kt.Decode(shaders.F32, part) {
			if !(math.Abs(got-moments[i]) <= 1e-5*(1+math.Abs(moments[i]))) {
				t.Errorf("statistics: value %d is %g, want %g", i, got, moments[i])
			}
		}
	})
}

// TestWinogradWeights transforms filters with every kind of mean and spread, at once and in pieces.
func TestWinogradWeights(t *testing.T) {
	dev := gputest.Open(t)
	for i, c := range []packCase{{o: 8, i: 8}, {o: 13, i: 20}, {o: 20, i: 48}, {o: 9, i: 600}} {
		c.kh, c.kw = 3, 3
		for _, m := range []int{2, 4} {
			for _, s := range storages {
				switch {
				case m == 2 && s == shaders.F16:
					c.dtype = rawBF16
				case m == 4 && s == shaders.F32:
					c.dtype = rawF16
				default:
					c.dtype = rawF32
				}
				t.Run(fmt.Sprintf("F%d/%v/%v", m, s, c), func(t *testing.T) {
					raw := randomFilters(random(uint64(90+i)), c.dtype, c.o, c.i, 3, 3)
					w := newWinograd(m)
					standard, spread := standardize(raw)
					want, bound := w.weights(w.g, standard), w.weights(absolute(w.g), spread)
					magnitude := w.weights(absolute(w.g), absoluteTensor(standard))
					var ref kt.Values
					bounds, magnitudes := bound.PackedValues(), magnitude.PackedValues()
					for j, v := range want.PackedValues() {
						ref.Add(s, v, bounds[j]+kt.SumError(14, magnitudes[j]))
					}
					out := kt.Poison(len(want.Packed(s)))
					rows := c.i * 9
					var dispatches []kt.Dispatch
					for first := 0; first < c.o; first += 8 {
						n := min(8, c.o-first)
						dispatches = append(dispatches, kt.Dispatch{
							Kernel: shaders.For(s).WinogradWeights, Spec: []uint32{packGroup, uint32(c.dtype), 1, uint32(m)},
							Groups: [3]uint32{8, 1, 1}, Push: shaders.Push(n, c.i, weightEps),
							In: [][]byte{rawWeights(c.dtype, raw.Data[first*rows:(first+n)*rows])},
							At: len(out) / kt.Blocks(c.o) * (first / 8),
						})
					}
					kt.Run(t, dev, out, dispatches...)
					ref.Check(t, "u", kt.Decode(s, out))
				})
			}
		}
	}
}

// weights is f w fT for every filter: [O][I][A][A].
func (w winograd) weights(f [][]float64, t *kt.Tensor) *kt.Tensor {
	u := kt.NewTensor(t.N, t.C, w.a, w.a)
	for o := range t.N {
		for c := range t.C {
			copy(u.Channel(o, c), around(f, func(i, j int) float64 { return t.At(o, c, i, j) }))
		}
	}
	return u
}

func absoluteTensor(t *kt.Tensor) *kt.Tensor {
	out := kt.NewTensor(t.N, t.C, t.H, t.W)
	for i, v := range t.Data {
		out.Data[i] = math.Abs(v)
	}
	return out
}
