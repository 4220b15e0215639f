package bitgpu_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	demonet "github.com/bitgpu/bitgpu/loader/demo"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// demoHead is the demo network's own head with only some of its classes, in another order.
func demoHead(t *testing.T, classes ...int) *loader.Head {
	t.Helper()
	c, err := demonet.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	weight, err1 := loader.ReadFloat32(c, loader.HeadWeight)
	bias, err2 := loader.ReadFloat32(c, loader.HeadBias)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	h := &loader.Head{Features: len(weight) / len(bias)}
	for _, k := range classes {
		h.Labels = append(h.Labels, "number "+string(rune('0'+k)))
		h.Weight = append(h.Weight, weight[k*h.Features:(k+1)*h.Features]...)
		h.Bias = append(h.Bias, bias[k])
	}
	return h
}

// TestHead: a head's logits, labels and number of classes take the place of the model's own, in both
// precisions and for class counts that fill no block of channels.
func TestHead(t *testing.T) {
	many := []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6}
	for precision, heads := range map[bitgpu.Precision][][]int{bitgpu.FP32: {{3, 0, 9}}, bitgpu.FP16: {{7}, many}} {
		x := noise(3, 40, 56)
		own, err := demo(t, bitgpu.Options{Precision: precision}).Forward(t.Context(), x, logits)
		if err != nil {
			t.Fatal(err)
		}
		for _, classes := range heads {
			m := demo(t, bitgpu.Options{Precision: precision, Head: demoHead(t, classes...)})
			info := m.Info()
			if info.Config.Classes != len(classes) || len(info.Labels) != len(classes) {
				t.Fatalf("%d classes, labels %q", info.Config.Classes, info.Labels)
			}
			got, err := m.Forward(t.Context(), x, logits)
			if err != nil {
				t.Fatal(err)
			}
			var want []float32
			for i := range 3 {
				for _, k := range classes {
					want = append(want, own.Logits.Data[10*i+k])
				}
			}
			if !slices.Equal(got.Logits.Data, want) {
				t.Errorf("%v, classes %v: logits %v, want %v", precision, classes, got.Logits.Data, want)
			}
			top := m.Top(got.Logits.Data[:len(classes)], 1)
			if !strings.HasPrefix(top[0].Label, "number ") {
				t.Errorf("label %q", top[0].Label)
			}
		}
	}
}

// TestHeadOfAnotherModel is refused: by its width, or by what it says of itself.
func TestHeadOfAnotherModel(t *testing.T) {
	narrow, other, broken := demoHead(t, 1, 2), demoHead(t, 1, 2), demoHead(t, 1, 2)
	narrow.Features, narrow.Weight = 512, narrow.Weight[:1024]
	other.Metadata = map[string]string{bitgpu.MetadataModel: "some-net", bitgpu.MetadataTrunk: "0123456789abcdef"}
	broken.Bias = broken.Bias[:1]
	for h, want := range map[*loader.Head]string{narrow: "512", other: "some-net", broken: "1 biases"} {
		_, err := bitgpu.Open(t.Context(), bitgpu.Demo, bitgpu.Options{Head: h})
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, bitgpu.ErrOtherModel) != (h == other) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestTrunk tells networks apart, but not a checkpoint from its copy in half precision or with another head.
func TestTrunk(t *testing.T) {
	tiny := "tests/testdata/nets/tiny/"
	trunk := func(path string) string { return modeltest.Open(t, path, bitgpu.Options{}).Info().Trunk }
	single, half, wide := trunk(tiny+"model.safetensors"), trunk(tiny+"model_fp16.safetensors"), trunk("tests/testdata/nets/tiny_x2/model.safetensors")
	if single != half || single == wide || len(single) != 16 {
		t.Errorf("trunks %s, %s, %s", single, half, wide)
	}
	own, with := demo(t, bitgpu.Options{}).Info(), demo(t, bitgpu.Options{Head: demoHead(t, 1, 2)}).Info()
	if own.Trunk != with.Trunk || own.Parameters-with.Parameters != 8*1025 {
		t.Errorf("%s and %d with the head, %s and %d without", with.Trunk, with.Parameters, own.Trunk, own.Parameters)
	}
}
