package tests

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// Bounds on the demo network's probabilities against PyTorch's in float64. What Pillow decodes
// differently, JPEG, and fp16 storage move them.
const (
	boundProb      = 0.02
	boundProbExact = 0.0005 // other files, in fp32
)

// demoAnswer is PyTorch's answer for one picture.
type demoAnswer struct {
	File   string // photos/NAME, which are in docs/photos, or golden/preproc/src/NAME, in loader/testdata
	Top1   int
	Label  string
	Logits []float64
}

func (a demoAnswer) path() string {
	dir, name := filepath.Split(a.File)
	if dir == "photos/" {
		return filepath.Join("..", "docs", "photos", name)
	}
	return filepath.Join("..", "loader", "testdata", "preproc", "src", name)
}

// probs is the softmax of the logits.
func (a demoAnswer) probs() []float64 {
	p, sum := make([]float64, len(a.Logits)), 0.0
	for i, v := range a.Logits {
		p[i] = math.Exp(v)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func demoAnswers(t *testing.T) []demoAnswer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "demo", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Items []demoAnswer }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Items) != 33 {
		t.Fatalf("%d answers, want 33", len(file.Items))
	}
	return file.Items
}

// TestDemo classifies all pictures that PyTorch has answered. The 16-bit grey one is left out: Pillow
// saturates it, and bitgpu scales it.
func TestDemo(t *testing.T) {
	answers := demoAnswers(t)
	for _, p := range precisions {
		t.Run(p.String(), func(t *testing.T) {
			m := modeltest.Open(t, bitgpu.Demo, bitgpu.Options{Precision: p})
			inputs := func(yield func(bitgpu.Input) bool) {
				for _, a := range answers {
					if filepath.Base(a.File) != "gray16.png" && !yield(bitgpu.Input{Name: a.File, Path: a.path()}) {
						return
					}
				}
			}
			results := map[string]*bitgpu.Output{}
			for r := range m.Stream(context.Background(), inputs, bitgpu.Outputs{Logits: true}) {
				if r.Err != nil {
					t.Fatal(r.Input.Name, r.Err)
				}
				results[r.Input.Name] = r.Output
			}
			if len(results) != len(answers)-1 {
				t.Errorf("%d results for %d pictures", len(results), len(answers)-1)
			}
			for _, a := range answers {
				if out := results[a.File]; out != nil {
					compareDemo(t, m, p, a, out.Logits.Data)
				}
			}
		})
	}
}

func compareDemo(t *testing.T, m *bitgpu.Model, p bitgpu.Precision, a demoAnswer, logits []float32) {
	t.Helper()
	bound := boundProb
	if p == bitgpu.FP32 && !strings.HasSuffix(a.File, ".jpg") {
		bound = boundProbExact
	}
	want, worst := a.probs(), 0.0
	for i, prob := range bitgpu.Softmax(logits) {
		worst = max(worst, math.Abs(float64(prob)-want[i]))
	}
	t.Logf("%s: probabilities within %.2g", a.File, worst)
	if !(worst <= bound) {
		t.Errorf("%s: probabilities differ by %.3g, want at most %g", a.File, worst, bound)
	}
	best := m.Top(logits, 1)[0]
	if best.Index != a.Top1 && want[a.Top1]-want[best.Index] > bound {
		t.Errorf("%s: %s, want %s", a.File, best.Label, a.Label)
	}
	if best.Index == a.Top1 && best.Label != a.Label {
		t.Errorf("%s: class %d is called %q, want %q", a.File, best.Index, best.Label, a.Label)
	}
}
