package main

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// goldenTensor reads a tensor of a golden file, F32 or F64.
func goldenTensor(t *testing.T, path, name string) (shape []int, values []float64) {
	t.Helper()
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, info := range c.Tensors() {
		if info.Name != name {
			continue
		}
		raw := make([]byte, info.Bytes())
		if err := c.ReadTensor(name, raw, 0); err != nil {
			t.Fatal(err)
		}
		for i := range info.Len() {
			if info.DType == loader.F32 {
				values = append(values, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))))
			} else {
				values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
			}
		}
		return info.Shape, values
	}
	t.Fatalf("%s has no tensor %s", path, name)
	return nil, nil
}

// goldenInput writes the input of a golden file as .npy.
func goldenInput(t *testing.T, dir, file string) string {
	t.Helper()
	shape, values := goldenTensor(t, filepath.Join(nets, "tiny", file), "input")
	x := &bitgpu.Tensor{Shape: shape}
	for _, v := range values {
		x.Data = append(x.Data, float32(v))
	}
	path := filepath.Join(dir, file+".npy")
	writeArray(t, path, x)
	return path
}

// near compares with float64 values: the largest error is at most 5e-5 of their root mean square.
func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	square, worst := 0.0, 0.0
	for i, w := range want {
		square += w * w
		if d := math.Abs(float64(got[i]) - w); !(d <= worst) {
			worst = d
		}
	}
	if rms := math.Sqrt(square / float64(len(want))); !(worst <= 5e-5*rms) {
		t.Errorf("%s: largest error %g of %g", what, worst, rms)
	}
}

// TestTensorLogits runs golden inputs of several sizes, with what is no input between them, and
// compares with timm's logits in float64.
func TestTensorLogits(t *testing.T) {
	dir := t.TempDir()
	pair, odd := goldenInput(t, dir, "io_32x32_b2.safetensors"), goldenInput(t, dir, "io_75x101.safetensors")
	flat, small, poisoned := filepath.Join(dir, "flat.npy"), filepath.Join(dir, "small.npy"), filepath.Join(dir, "poisoned.npy")
	writeArray(t, flat, &bitgpu.Tensor{Shape: []int{2, 3}, Data: make([]float32, 6)})
	writeArray(t, small, &bitgpu.Tensor{Shape: []int{4, 3, 16, 64}, Data: make([]float32, 4*3*16*64)})
	nan := &bitgpu.Tensor{Shape: []int{1, 3, 32, 32}, Data: make([]float32, 3*32*32)}
	nan.Data[100] = float32(math.NaN())
	writeArray(t, poisoned, nan)

	logits := filepath.Join(t.TempDir(), "logits.npy")
	args := []string{"run", "--tensor", "--model", filepath.Join(nets, "tiny"), "--precision", "fp32", "--validate", "--format", "json", "--logits", logits}
	out := bitgpuRun(t, exitFailed, append(args, pair, flat, odd, small, poisoned, cat)...)
	got, rows := lines(t, out.stdout), array(t, logits)
	if len(got) != 7 || !slices.Equal(rows.Shape, []int{7, 10}) {
		t.Fatalf("%d lines, logits %v", len(got), rows.Shape)
	}
	for i, want := range []struct{ file, err string }{
		{pair + "#0", ""}, {pair + "#1", ""}, {flat, "want a float32 array [N,3,H,W]"}, {odd, ""},
		{small, "at least 32x32"}, {poisoned, "NaN or infinity"}, {cat, "chelsea.png"},
	} {
		if got[i].File != want.file || (got[i].Error == "") != (want.err == "") {
			t.Errorf("line %+v, want %v", got[i], want)
		}
		wants(t, got[i].Error, want.err)
		if want.err != "" {
			allNaN(t, want.file, rowOf(rows, i))
		}
	}
	_, want := goldenTensor(t, filepath.Join(nets, "tiny", "io_32x32_b2.safetensors"), "logits.f64")
	near(t, "logits of the pair", rows.Data[:20], want)
	_, want = goldenTensor(t, filepath.Join(nets, "tiny", "io_75x101.safetensors"), "logits.f64")
	near(t, "logits of 75x101", rowOf(rows, 3), want)
}

// TestTensorFeatures has maps of two sizes, which do not fit into one array.
func TestTensorFeatures(t *testing.T) {
	dir, maps := t.TempDir(), filepath.Join(t.TempDir(), "new", "maps")
	pair, odd := goldenInput(t, dir, "io_32x32_b2.safetensors"), goldenInput(t, dir, "io_75x101.safetensors")
	out := bitgpuRun(t, exitFailed, "features", "--tensor", "--model", filepath.Join(nets, "tiny"), "--precision", "fp32", "--validate",
		"--indices", "0,4", "--out", maps, pair, odd, pair)
	wants(t, out.stderr, odd, "the result is [", "1 of 5 inputs failed")
	onlyFiles(t, maps, "feat0.npy", "feat4.npy")
	for _, name := range []string{"feat0", "feat4"} {
		got := array(t, filepath.Join(maps, name+".npy"))
		shape, want := goldenTensor(t, filepath.Join(nets, "tiny", "io_32x32_b2.safetensors"), name+".f64")
		shape[0] = 5
		if !slices.Equal(got.Shape, shape) {
			t.Fatalf("%s is %v, want %v", name, got.Shape, shape)
		}
		n := len(want)
		near(t, name, got.Data[:n], want)
		allNaN(t, name, rowOf(got, 2))
		near(t, name+" again", got.Data[len(got.Data)-n:], want)
	}
}

// TestTensorDirectory finds the arrays in a directory.
func TestTensorDirectory(t *testing.T) {
	dir := t.TempDir()
	goldenInput(t, dir, "io_64x64.safetensors")
	file := filepath.Join(t.TempDir(), "embeddings.npy")
	bitgpuRun(t, exitOK, "embed", "--tensor", "--model", filepath.Join(nets, "tiny"), "--precision", "fp32", "--validate", "--out", file, dir)
	_, want := goldenTensor(t, filepath.Join(nets, "tiny", "io_64x64.safetensors"), "pre_logits.f64")
	near(t, "embedding", array(t, file).Data, want)
}
