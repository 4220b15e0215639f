package tests

import (
	"path/filepath"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// TestClassMaps compares class activation maps with products in float64 of timm's features and the classifier's weights, and
// their means with timm's logits.
func TestClassMaps(t *testing.T) {
	for _, name := range []string{"tiny", "tiny_x2", "tiny_x3"} {
		dir := filepath.Join("testdata", "nets", name)
		files, err := filepath.Glob(filepath.Join(dir, "io_*.safetensors"))
		if err != nil || len(files) == 0 {
			t.Fatal("no golden files in", dir, err)
		}
		weights, _ := readGolden(t, filepath.Join(dir, "model.safetensors"))
		for p, bound := range map[bitgpu.Precision]float64{bitgpu.FP32: 1e-4, bitgpu.FP16: 2e-2} {
			m := modeltest.Open(t, dir, bitgpu.Options{Precision: p})
			for _, file := range files {
				g, shapes := readGolden(t, file)
				out, err := m.Forward(t.Context(), g.input(shapes), bitgpu.Outputs{Unpooled: true})
				if err != nil {
					t.Fatal(err)
				}
				classes := []int{m.Info().Config.Classes - 1, 0, 3}
				maps, bias, err := m.ClassMaps(t.Context(), out.Unpooled, classes...)
				if err != nil {
					t.Fatal(err)
				}
				compareClassMaps(t, name+" "+p.String()+" "+filepath.Base(file), maps, bias, classes, weights, g, shapes["forward_features.f64"], bound)
			}
		}
	}
}

func compareClassMaps(t *testing.T, what string, maps *bitgpu.Tensor, bias []float32, classes []int, weights, g golden, shape []int, bound float64) {
	t.Helper()
	features, pixels := shape[1], shape[2]*shape[3]
	var want, sums, logits []float64
	var means []float32
	for n := range shape[0] {
		for i, class := range classes {
			mean, got := 0.0, 0.0
			for p := range pixels {
				sum := 0.0
				for c := range features {
					sum += weights[loader.HeadWeight][class*features+c] * g["forward_features.f64"][(n*features+c)*pixels+p]
				}
				want = append(want, sum)
				mean += sum / float64(pixels)
				got += float64(maps.Data[len(want)-1]) / float64(pixels)
			}
			all := len(weights[loader.HeadBias])
			sums = append(sums, mean+weights[loader.HeadBias][class])
			logits = append(logits, g["logits.f64"][n*all+class])
			means = append(means, float32(got)+bias[i])
		}
	}
	if e, _ := errors(maps.Data, want); !(e <= bound) {
		t.Errorf("%s: maps are off by %.2g of their root mean square, want at most %g", what, e, bound)
	} else {
		t.Logf("%s: maps within %.2g", what, e)
	}
	if e, _ := errors(means, logits); !(e <= bound) {
		t.Errorf("%s: the means with the biases are off by %.2g from the logits, want at most %g", what, e, bound)
	}
	for i := range sums {
		if d := sums[i] - logits[i]; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: timm's features give %v, its logit is %v", what, sums[i], logits[i])
		}
	}
}
