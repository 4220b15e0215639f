package loader_test

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

func someHead() *loader.Head {
	return &loader.Head{
		Labels: []string{"hawk", "\"owl\"\n"}, Features: 3, Weight: []float32{1, 2, 3, 4, 5, 6}, Bias: []float32{-1, 1},
		Metadata: map[string]string{"format": "pt", "seed": "7"},
	}
}

func TestHeadIsReadAsItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head.safetensors")
	if err := someHead().Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := loader.ReadHead(path)
	if err != nil || !reflect.DeepEqual(got, someHead()) {
		t.Errorf("%+v, %v", got, err)
	}
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := c.Tensors()[1]; s.Name != "head.fc.weight" || !slices.Equal(s.Shape, []int{2, 3, 1, 1}) {
		t.Errorf("%+v", s)
	}
}

// TestReadHead reads heads of other writers, and refuses what is none.
func TestReadHead(t *testing.T) {
	weight := loadertest.Floats("head.fc.weight", loader.F16, []int{2, 1}, 1, 2)
	bias := loadertest.Floats("head.fc.bias", loader.BF16, []int{2}, 3, 4)
	labels := func(text string) map[string]string { return map[string]string{"label_names": text} }
	for _, test := range []struct {
		name     string
		metadata map[string]string
		tensors  []loadertest.Tensor
		want     string // the error
	}{
		{"linear layer beside other tensors", nil, []loadertest.Tensor{weight, bias, loadertest.Bytes("norm", []byte{1})}, ""},
		{"named", labels(`["x","y"]`), []loadertest.Tensor{weight, bias}, ""},
		{"no weight", nil, []loadertest.Tensor{bias}, `"head.fc.weight" is missing`},
		{"no bias", nil, []loadertest.Tensor{weight}, `no tensor "head.fc.bias"`},
		{"one bias", nil, []loadertest.Tensor{weight, loadertest.Floats("head.fc.bias", loader.F32, []int{1}, 3)}, "1 elements, want 2"},
		{"convolution", nil, []loadertest.Tensor{loadertest.Floats("head.fc.weight", loader.F32, []int{1, 1, 2, 1}, 1, 2), bias}, "[1 1 2 1]"},
		{"integers", nil, []loadertest.Tensor{{Name: "head.fc.weight", DType: loader.I8, Shape: []int{2, 1}, Data: []byte{1, 2}}, bias}, "I8"},
		{"NaN", nil, []loadertest.Tensor{weight, loadertest.Floats("head.fc.bias", loader.F32, []int{2}, 3, float32(math.NaN()))}, "element 1 is NaN"},
		{"too few names", labels(`["x"]`), []loadertest.Tensor{weight, bias}, "label_names is no JSON array of 2"},
		{"names that are none", labels(`7`), []loadertest.Tensor{weight, bias}, "label_names is no JSON array of 2"},
		{"no classes", nil, []loadertest.Tensor{loadertest.Floats("head.fc.weight", loader.F32, []int{0, 1}), loadertest.Floats("head.fc.bias", loader.F32, []int{0})}, "0 classes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := loadertest.File(t, "x.safetensors", loadertest.Safetensors(test.metadata, test.tensors...))
			h, err := loader.ReadHead(path)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("error %v, want %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			names := []string{"class 0", "class 1"}
			if test.metadata != nil {
				names = []string{"x", "y"}
			}
			if h.Features != 1 || !slices.Equal(h.Weight, []float32{1, 2}) || !slices.Equal(h.Bias, []float32{3, 4}) || !slices.Equal(h.Labels, names) {
				t.Errorf("%+v", h)
			}
		})
	}
}

// TestWithHead replaces the classifier of a checkpoint, and gives one to a checkpoint without.
func TestWithHead(t *testing.T) {
	norm := loadertest.Floats("norm.weight", loader.F32, []int{1}, 9)
	old := loadertest.Floats("head.fc.weight", loader.F16, []int{5, 3, 1, 1}, make([]float32, 15)...)
	for _, tensors := range [][]loadertest.Tensor{{norm}, {norm, old, loadertest.Floats("head.fc.bias", loader.F16, []int{5}, 1, 1, 1, 1, 1)}} {
		data := loadertest.Safetensors(nil, tensors...)
		c, err := loader.NewSafetensors(strings.NewReader(string(data)), int64(len(data)), "x")
		if err != nil {
			t.Fatal(err)
		}
		with, err := loader.WithHead(c, someHead())
		if err != nil {
			t.Fatal(err)
		}
		want := []loader.TensorInfo{{Name: "head.fc.bias", Shape: []int{2}}, {Name: "head.fc.weight", Shape: []int{2, 3, 1, 1}}, {Name: "norm.weight", Shape: []int{1}}}
		if !reflect.DeepEqual(with.Tensors(), want) {
			t.Errorf("tensors %+v", with.Tensors())
		}
		if got := loadertest.Read(t, with, "head.fc.weight"); !slices.Equal(got, []float64{1, 2, 3, 4, 5, 6}) {
			t.Error(got)
		}
		if got := loadertest.Read(t, with, "norm.weight"); got[0] != 9 {
			t.Error(got)
		}
		if err := with.ReadTensor("head.fc.bias", make([]byte, 4), 8); err == nil {
			t.Error("a read past the end was accepted")
		}
	}
	bad := someHead()
	bad.Bias = nil
	if _, err := loader.WithHead(nil, bad); err == nil {
		t.Error("a head without biases was accepted")
	}
	if err := bad.Write(filepath.Join(t.TempDir(), "x")); err == nil || errors.Is(err, loader.ErrCorrupt) {
		t.Error(err)
	}
}
