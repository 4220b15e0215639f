package loader_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

func TestTensorInfoSizes(t *testing.T) {
	for _, tt := range []struct {
		info  loader.TensorInfo
		n     int
		bytes int64
	}{
		{loader.TensorInfo{}, 1, 4},
		{loader.TensorInfo{DType: loader.BF16, Shape: []int{2, 3}}, 6, 12},
		{loader.TensorInfo{DType: loader.I64, Shape: []int{0, 3}}, 0, 0},
		{loader.TensorInfo{Shape: []int{-1}}, -1, -1},
		{loader.TensorInfo{Shape: []int{math.MaxInt32, math.MaxInt32, 4}}, -1, -1},
	} {
		if tt.info.Len() != tt.n || tt.info.Bytes() != tt.bytes {
			t.Errorf("%v: %d elements in %d bytes, want %d in %d", tt.info, tt.info.Len(), tt.info.Bytes(), tt.n, tt.bytes)
		}
	}
	if s := fmt.Sprint(loader.F16, loader.F8E5M2, loader.DType(-1), loader.DType(99).Size()); s != "F16 F8_E5M2 DType(-1) 0" {
		t.Errorf("types print as %q", s)
	}
}

func TestCheckTensors(t *testing.T) {
	info := func(name string, shape ...int) loader.TensorInfo { return loader.TensorInfo{Name: name, Shape: shape} }
	want := []loader.TensorInfo{info("head.fc.bias", 10), info("norm.bias", 64), info("norm.weight", 64)}
	var many []loader.TensorInfo
	for i := range 20 {
		many = append(many, info(fmt.Sprintf("x%02d", i), 1))
	}
	integer := info("norm.bias", 64)
	integer.DType = loader.I64
	half := info("norm.bias", 64)
	half.DType = loader.F16

	for _, tt := range []struct {
		name      string
		have      []loader.TensorInfo
		parts     []string // nil when the tensors fit
		forbidden string
	}{
		{"equal", want, nil, ""},
		{"half precision", []loader.TensorInfo{half, want[0], want[2]}, nil, ""},
		{"missing", want[1:2], []string{"2 of 3 missing, 0 unexpected, 0 wrong", "missing: head.fc.bias, norm.weight"}, "unexpected:"},
		{"unexpected", append(slices.Clone(want), info("fc.weight", 1)), []string{"0 of 3 missing, 1 unexpected", "unexpected: fc.weight"}, "missing:"},
		{"shape", []loader.TensorInfo{want[0], info("norm.bias", 64, 1), want[2]}, []string{`wrong: "norm.bias": shape [64 1], want [64]`}, "missing:"},
		{"type", []loader.TensorInfo{want[0], integer, want[2]}, []string{`wrong: "norm.bias": type I64`}, ""},
		{"another network", many, []string{"3 of 3 missing, 20 unexpected", "x00, x01", "and 12 more"}, "x08"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := loader.CheckTensors(tt.have, want)
			if (err == nil) != (tt.parts == nil) {
				t.Fatal(err)
			}
			if err == nil {
				return
			}
			for _, p := range tt.parts {
				if !strings.Contains(err.Error(), p) {
					t.Errorf("error %q lacks %q", err, p)
				}
			}
			if tt.forbidden != "" && strings.Contains(err.Error(), tt.forbidden) {
				t.Errorf("error %q has %q", err, tt.forbidden)
			}
		})
	}
}

// TestFiniteFindsEveryPlace puts one bad value at each index of a tensor that
// spans several of the search's blocks, among values whose exponents are the
// largest finite ones.
func TestFiniteFindsEveryPlace(t *testing.T) {
	const n = 2500
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for _, d := range []loader.DType{loader.F32, loader.F16, loader.BF16, loader.F64} {
		largest := float32(-65504)
		if d == loader.BF16 || d == loader.F32 {
			largest = -math.Float32frombits(0x7F7F0000)
		}
		sound := loadertest.Floats("w", d, []int{n}, slices.Repeat([]float32{largest}, n)...)
		if err := readFinite(t, sound, 0, len(sound.Data)); err != nil {
			t.Fatalf("%v: sound weights: %v", d, err)
		}
		for i := 0; i < n; i += 7 {
			values := slices.Repeat([]float32{largest}, n)
			values[i] = bad[i%3]
			err := readFinite(t, loadertest.Floats("w", d, []int{n}, values...), 0, len(sound.Data))
			if want := fmt.Sprintf(`tensor "w": element %d is NaN or infinite`, i); err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("%v: error %v, want %q", d, err, want)
			}
		}
	}
}

func TestFinitePiecesThatCutElements(t *testing.T) {
	w := loadertest.Floats("w", loader.F32, []int{3}, 1, float32(math.NaN()), 2)
	for off := 0; off <= 12; off++ {
		for end := off; end <= 12; end++ {
			touches := off < 8 && end > 4 && off < end
			if err := readFinite(t, w, off, end-off); (err != nil) != touches {
				t.Errorf("bytes %d to %d: error %v", off, end, err)
			}
		}
	}
}

func TestFiniteLeavesIntegersAlone(t *testing.T) {
	ones := bytes.Repeat([]byte{0xFF}, 16)
	w := loadertest.Tensor{Name: "w", DType: loader.I64, Shape: []int{2}, Data: ones}
	if err := readFinite(t, w, 0, 16); err != nil {
		t.Error(err)
	}
}

func TestFinitePassesErrorsOn(t *testing.T) {
	w := loadertest.Floats("w", loader.F32, []int{1}, 1)
	if err := readFinite(t, w, 0, 5); err == nil || !strings.Contains(err.Error(), "read of 5 bytes") {
		t.Error(err)
	}
}

// readFinite reads n bytes at off of w through Finite and makes sure that a
// good read gives the right bytes.
func readFinite(t *testing.T, w loadertest.Tensor, off, n int) error {
	t.Helper()
	data := loadertest.Safetensors(nil, w)
	inner, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "m")
	if err != nil {
		t.Fatal(err)
	}
	c := loader.Finite(inner)
	defer c.Close()
	p := make([]byte, n)
	if err := c.ReadTensor("w", p, int64(off)); err != nil {
		return err
	}
	if !bytes.Equal(p, w.Data[off:off+n]) {
		return errors.New("wrong bytes")
	}
	return nil
}

func BenchmarkFinite(b *testing.B) {
	p := make([]byte, 1<<20)
	for i := 0; i < len(p); i += 4 {
		binary.LittleEndian.PutUint32(p[i:], math.Float32bits(1))
	}
	data := loadertest.Safetensors(nil, loadertest.Tensor{Name: "w", Shape: []int{len(p) / 4}, Data: p})
	inner, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "m")
	if err != nil {
		b.Fatal(err)
	}
	c := loader.Finite(inner)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if err := c.ReadTensor("w", p, 0); err != nil {
			b.Fatal(err)
		}
	}
}
