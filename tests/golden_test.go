package tests

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// Bounds on the results against timm in float64. PyTorch's own float32 is at 2e-6 to 2e-5; a wrong
// epsilon or a wrong border costs at least 1e-4.
const (
	boundFP32 = 5e-5 // largest error over root mean square, every output
	boundFP16 = 5e-3 // relative L2 error, logits and embeddings
)

// golden is a file of inputs and outputs made by timm.
type golden map[string][]float64

func readGolden(t *testing.T, path string) (golden, map[string][]int) {
	t.Helper()
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	g, shapes := golden{}, map[string][]int{}
	for _, info := range c.Tensors() {
		raw := make([]byte, info.Bytes())
		if err := c.ReadTensor(info.Name, raw, 0); err != nil {
			t.Fatal(err)
		}
		values := make([]float64, info.Len())
		for i := range values {
			switch info.DType {
			case loader.F32:
				values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
			case loader.F64:
				values[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			case loader.I64:
				values[i] = float64(binary.LittleEndian.Uint64(raw[8*i:]))
			default:
				t.Fatalf("%s: tensor %s has type %v", path, info.Name, info.DType)
			}
		}
		g[info.Name], shapes[info.Name] = values, info.Shape
	}
	return g, shapes
}

// input is the golden input as a tensor.
func (g golden) input(shapes map[string][]int) *bitgpu.Tensor {
	x := &bitgpu.Tensor{Shape: shapes["input"]}
	for _, v := range g["input"] {
		x.Data = append(x.Data, float32(v))
	}
	return x
}

// errors compares with float64: the largest error over the reference's root mean square, and the
// relative L2 error.
func errors(got []float32, want []float64) (maxOverRMS, relL2 float64) {
	if len(got) != len(want) {
		return math.Inf(1), math.Inf(1)
	}
	var worst, square, diff float64
	for i, w := range want {
		d := float64(got[i]) - w
		if math.IsNaN(d) {
			return math.Inf(1), math.Inf(1)
		}
		worst = max(worst, math.Abs(d))
		diff += d * d
		square += w * w
	}
	return worst / math.Sqrt(square/float64(len(want))), math.Sqrt(diff / square)
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// everything asks for all outputs of a model.
func everything(m *bitgpu.Model) bitgpu.Outputs {
	return bitgpu.Outputs{Logits: true, Embedding: true, Unpooled: true, Maps: 1<<m.Info().Config.Maps() - 1}
}

// named lists an output's tensors under the golden files' names.
func named(out *bitgpu.Output) map[string]*bitgpu.Tensor {
	all := map[string]*bitgpu.Tensor{"logits": out.Logits, "pre_logits": out.Embedding, "forward_features": out.Unpooled}
	for i, m := range out.Maps {
		all[fmt.Sprintf("feat%d", i)] = m
	}
	return all
}

var precisions = []bitgpu.Precision{bitgpu.FP32, bitgpu.FP16}

// TestGoldenNets runs the three golden networks on every input size, alone and in batches.
func TestGoldenNets(t *testing.T) {
	for _, name := range []string{"tiny", "tiny_x2", "tiny_x3"} {
		dir := filepath.Join("testdata", "nets", name)
		files, err := filepath.Glob(filepath.Join(dir, "io_*.safetensors"))
		if err != nil || len(files) == 0 {
			t.Fatal("no golden files in", dir, err)
		}
		for _, p := range precisions {
			t.Run(fmt.Sprintf("%s/%v", name, p), func(t *testing.T) {
				m := modeltest.Open(t, dir, bitgpu.Options{Precision: p})
				for _, file := range files {
					g, shapes := readGolden(t, file)
					out, err := m.Forward(context.Background(), g.input(shapes), everything(m))
					if err != nil {
						t.Fatal(file, err)
					}
					compareAll(t, filepath.Base(file), p, out, g)
				}
			})
		}
	}
}

func compareAll(t *testing.T, file string, p bitgpu.Precision, out *bitgpu.Output, g golden) {
	t.Helper()
	compared := 0
	for name, tensor := range named(out) {
		want, ok := g[name+".f64"]
		if !ok {
			continue
		}
		compared++
		worst, l2 := errors(tensor.Data, want)
		t.Logf("%s %s: max error / rms %.2g, relative L2 %.2g", file, name, worst, l2)
		switch {
		case p == bitgpu.FP32 && worst > boundFP32:
			t.Errorf("%s %s: max error / rms %.3g, want at most %g", file, name, worst, boundFP32)
		case p == bitgpu.FP16 && strings.HasSuffix(name, "logits") && l2 > boundFP16:
			t.Errorf("%s %s: relative L2 %.3g, want at most %g", file, name, l2, boundFP16)
		}
	}
	if compared < 3 {
		t.Errorf("%s: only %d outputs compared", file, compared)
	}
	sameTop1(t, file, out.Logits, g["logits.f64"])
}

// sameTop1 compares the best class of every row. Where the reference has its first two classes so
// close together that the fp16 bound cannot tell them apart, either may win.
func sameTop1(t *testing.T, file string, logits *bitgpu.Tensor, want []float64) {
	t.Helper()
	n := logits.Shape[1]
	for i := range logits.Shape[0] {
		row := want[i*n : (i+1)*n]
		square, best := 0.0, 0
		for c, v := range row {
			square += v * v
			if v > row[best] {
				best = c
			}
		}
		got := argmax(logits.Data[i*n : (i+1)*n])
		tie := boundFP16 * math.Sqrt(square/float64(n))
		if row[best]-row[got] > tie {
			t.Errorf("%s image %d: top-1 is class %d, want %d", file, i, got, best)
		}
	}
}

// TestCheckpointTypes loads one network as F32, F16 and BF16: each must give what timm gives with the
// rounded weights.
func TestCheckpointTypes(t *testing.T) {
	g, shapes := readGolden(t, "testdata/nets/tiny/io_64x64.safetensors")
	for file, prefix := range map[string]string{"model": "", "model_fp16": "fp16w.", "model_bf16": "bf16w."} {
		m := modeltest.Open(t, "testdata/nets/tiny/"+file+".safetensors", bitgpu.Options{Precision: bitgpu.FP32})
		out, err := m.Forward(context.Background(), g.input(shapes), bitgpu.Outputs{Logits: true, Embedding: true})
		if err != nil {
			t.Fatal(err)
		}
		for name, tensor := range map[string]*bitgpu.Tensor{"logits": out.Logits, "pre_logits": out.Embedding} {
			want := g[prefix+name+".f64"]
			if worst, _ := errors(tensor.Data, want); worst > boundFP32 {
				t.Errorf("%s %s: max error / rms %.3g, want at most %g", file, name, worst, boundFP32)
			}
			if prefix != "" {
				if worst, _ := errors(tensor.Data, g[name+".f64"]); worst < 10*boundFP32 {
					t.Errorf("%s %s: as close to the unrounded weights as to its own", file, name)
				}
			}
		}
	}
}
