package net

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// memory is a Source that holds all tensors as float32.
type memory map[string][]float32

func (m memory) DType(name string) (DType, error) {
	if _, ok := m[name]; !ok {
		return 0, fmt.Errorf("no tensor %q", name)
	}
	return F32, nil
}

func (m memory) ReadTensor(name string, p []byte, off int64) error {
	values := m[name]
	if off < 0 || off+int64(len(p)) > int64(len(values))*4 {
		return errors.New("out of range")
	}
	encode(p, values[off/4:off/4+int64(len(p))/4])
	return nil
}

// randomWeights makes parameters in which no activation grows or dies out.
func randomWeights(c Config, seed uint64) memory {
	rng := random(seed)
	m := memory{}
	for _, p := range c.Params() {
		values := make([]float32, product(p.Shape))
		mean, std := 0.0, 0.3
		switch {
		case p.Name == "head.fc.weight":
			std = 1 / math.Sqrt(float64(p.Shape[1]))
		case len(p.Shape) == 1 && strings.HasSuffix(p.Name, ".weight"):
			mean = 0.5
		}
		for i := range values {
			values[i] = float32(mean + std*rng.NormFloat64())
		}
		m[p.Name] = values
	}
	return m
}

// evaluate computes all nodes of a graph in float64, for one image.
func evaluate(g *Graph, m memory, x *kt.Tensor) []*kt.Tensor {
	results := make([]*kt.Tensor, len(g.Nodes))
	for i, n := range g.Nodes {
		y := kt.NewTensor(1, n.Out.C, n.Out.H, n.Out.W)
		results[i] = y
		if n.Op == Input {
			copy(y.Data, x.Data)
			continue
		}
		in := results[n.In[0]]
		switch n.Op {
		case Conv:
			convolve(y, in, standardized(m[n.Name+".weight"], n.Out.C, float64(g.Config.WeightEps)), n)
		case MaxPool:
			pool(y, in)
		case NormReLU:
			normalize(y, in, m[n.Name+".weight"], m[n.Name+".bias"], g.Config)
		case Add:
			for j, v := range results[n.In[1]].Data {
				y.Data[j] = in.Data[j] + v
			}
		case AvgPool:
			for c := range n.Out.C {
				for _, v := range in.Channel(0, c) {
					y.Data[c] += v / float64(in.H*in.W)
				}
			}
		case Linear:
			w := m[n.Name+".weight"]
			for o := range y.Data {
				y.Data[o] = float64(m[n.Name+".bias"][o])
				for c, v := range in.Data {
					y.Data[o] += float64(w[o*in.C+c]) * v
				}
			}
		}
	}
	return results
}

func standardized(w []float32, out int, eps float64) []float64 {
	y := make([]float64, len(w))
	size := len(w) / out
	for o := range out {
		mean, variance := 0.0, 0.0
		f := w[o*size : (o+1)*size]
		for _, v := range f {
			mean += float64(v) / float64(size)
		}
		for _, v := range f {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(size)
		}
		for i, v := range f {
			y[o*size+i] = (float64(v) - mean) / math.Sqrt(variance+eps)
		}
	}
	return y
}

func convolve(y, x *kt.Tensor, w []float64, n Node) {
	k := n.Kernel
	for i := range y.Data {
		o, oy, ox := i/(y.H*y.W), i/y.W%y.H, i%y.W
		for c := range x.C {
			for t := range k * k {
				if iy, ix := oy*n.Stride-n.Pad+t/k, ox*n.Stride-n.Pad+t%k; x.Inside(iy, ix) {
					y.Data[i] += w[(o*x.C+c)*k*k+t] * x.At(0, c, iy, ix)
				}
			}
		}
	}
}

func pool(y, x *kt.Tensor) {
	for i := range y.Data {
		c, oy, ox := i/(y.H*y.W), i/y.W%y.H, i%y.W
		y.Data[i] = math.Inf(-1)
		for t := range 9 {
			v := 0.0
			if iy, ix := 2*oy-1+t/3, 2*ox-1+t%3; x.Inside(iy, ix) {
				v = x.At(0, c, iy, ix)
			}
			y.Data[i] = max(y.Data[i], v)
		}
	}
}

func normalize(y, x *kt.Tensor, gamma, beta []float32, c Config) {
	pixels, size := x.H*x.W, x.C/c.Groups
	for g := range c.Groups {
		values := x.Data[g*size*pixels : (g+1)*size*pixels]
		mean, variance := 0.0, 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			variance += (v - mean) * (v - mean) / float64(len(values))
		}
		for i, v := range values {
			ch := g*size + i/pixels
			y.Data[ch*pixels+i%pixels] = max((v-mean)/math.Sqrt(variance+float64(c.NormEps))*float64(gamma[ch])+float64(beta[ch]), 0)
		}
	}
}

// checkReference compares the output for a batch of tensors with evaluate. The bounds are those on
// the golden networks: the largest error over the root mean square in fp32, relative L2 in fp16.
func checkReference(t *testing.T, n *Network, m memory, s BatchSpec, x []float32, out *Output) {
	t.Helper()
	g := newGraph(t, n.Config(), s.Height, s.Width, s.Outputs)
	for i := range s.Images {
		picture := kt.NewTensor(1, 3, s.Height, s.Width)
		for j := range picture.Data {
			picture.Data[j] = float64(x[i*len(picture.Data)+j])
		}
		want := evaluate(g, m, picture)
		one := out.Image(i)
		compare := func(what string, got *Tensor, id int) {
			t.Helper()
			if (got == nil) != (id < 0) {
				t.Errorf("%s: result %v, node %d", what, got != nil, id)
			}
			if got == nil || id < 0 {
				return
			}
			worst, l2 := distance(got.Data, want[id].Data)
			if n.Storage().Size() == 4 && !(worst <= 5e-5) || !(l2 <= 5e-3) {
				t.Errorf("image %d of %+v, %s: error %.2g of the root mean square, relative L2 %.2g", i, s, what, worst, l2)
			}
		}
		compare("logits", one.Logits, g.Logits)
		compare("embedding", one.Embedding, g.Embedding)
		compare("unpooled", one.Unpooled, g.Unpooled)
		for j, id := range g.Maps {
			compare(fmt.Sprint("map ", j), one.Maps[j], id)
		}
	}
}

// distance is the largest error over the root mean square, and the relative L2 error.
func distance(got []float32, want []float64) (worst, l2 float64) {
	if len(got) != len(want) {
		return math.Inf(1), math.Inf(1)
	}
	var square, diff float64
	for i, w := range want {
		d := math.Abs(float64(got[i]) - w)
		if math.IsNaN(d) {
			return math.Inf(1), math.Inf(1)
		}
		worst = max(worst, d)
		square, diff = square+w*w, diff+d*d
	}
	return worst / math.Sqrt(square/float64(len(want))), math.Sqrt(diff / square)
}

// load loads a network and closes it at the end of the test.
func load(t testing.TB, dev *gpu.Device, c Config, src Source, o Options) *Network {
	t.Helper()
	n, err := Load(context.Background(), dev, c, src, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// tensors is a spec for float32 pictures of h x w with the given outputs.
func tensors(images, h, w int, want Outputs) BatchSpec {
	return BatchSpec{Images: images, Height: h, Width: w, Input: Tensors, Outputs: want}
}

// randomInput is values for a batch of tensors.
func randomInput(s BatchSpec, seed uint64) []float32 {
	rng := random(seed)
	x := make([]float32, s.Images*3*s.Height*s.Width)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
