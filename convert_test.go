package bitgpu_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

const (
	tiny  = "tests/testdata/nets/tiny/"
	forms = "tests/testdata/checkpoints/"
)

// TestConvertForms converts every form; the golden files in half precision were rounded by PyTorch.
func TestConvertForms(t *testing.T) {
	for _, tt := range []struct{ in, dtype, want string }{
		{tiny + "model.safetensors", "", "model"},
		{tiny + "model.safetensors", "f16", "model_fp16"},
		{forms + "google.npz", "f32", "model"},
		{forms + "google.npz", "bf16", "model_bf16"},
		{forms + "google_fortran_f16.npz", "", "model_fp16"},
		{forms + "zip_f16.pth", "f16", "model_fp16"},
		{forms + "legacy_nested_bf16.pth", "", "model_bf16"},
		{forms + "transformers", "", "model_fp16"},
	} {
		dir := filepath.Join(t.TempDir(), "a", "b")
		var done, total int64
		c, err := bitgpu.Convert(t.Context(), tt.in, dir, bitgpu.ConvertOptions{DType: tt.dtype, Progress: func(d, all int64) { done, total = d, all }})
		if err != nil {
			t.Fatal(tt.in, err)
		}
		f := loadertest.Open(t, dir)
		loadertest.Same(t, f, loadertest.Open(t, tiny+tt.want+".safetensors"))
		if f.Metadata()["format"] != "pt" || f.Form.String() != "safetensors, timm names" {
			t.Errorf("%s: metadata %v, form %v", tt.in, f.Metadata(), f.Form)
		}
		if c.Weights != filepath.Join(dir, "model.safetensors") || c.Config != filepath.Join(dir, "config.json") || c.Parameters != 389322 || c.Tensors != 63 ||
			done != c.Bytes || total != c.Bytes || c.Architecture != "" {
			t.Errorf("%s: %+v; %d of %d done", tt.in, c, done, total)
		}
		if a := f.Config.ModelArgs; !slices.Equal(a.Layers, []int{2, 1, 2, 1}) || !slices.Equal(a.Channels, []int{128, 128, 256, 256}) || a.StemChs != 64 || f.Config.NumClasses != 10 {
			t.Errorf("%s: config %+v", tt.in, f.Config)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 2 {
			t.Errorf("%s: files %v, %v", tt.in, files, err)
		}
	}
}

// TestConvertConfig keeps what transformers' files and bitgpu's own say of pictures and classes.
func TestConvertConfig(t *testing.T) {
	for _, in := range []string{forms + "transformers", bitgpu.Demo} {
		file := filepath.Join(t.TempDir(), "x.safetensors")
		if _, err := bitgpu.Convert(t.Context(), in, file, bitgpu.ConvertOptions{}); err != nil {
			t.Fatal(err)
		}
		was, err := bitgpu.FindPreprocess(in)
		if err != nil {
			t.Fatal(err)
		}
		is, err := bitgpu.FindPreprocess(file)
		if err != nil || is != was {
			t.Errorf("%s: pictures %+v, want %+v, %v", in, is, was, err)
		}
		f := loadertest.Open(t, file)
		if f.Config == nil || len(f.Config.LabelNames) != 10 {
			t.Errorf("%s: config %+v", in, f.Config)
		}
	}
}

// TestConvertPublished writes what timm calls a published network.
func TestConvertPublished(t *testing.T) {
	dir := t.TempDir()
	c, err := bitgpu.Convert(t.Context(), "resnetv2_50x1_bit.goog_in21k_ft_in1k", dir, bitgpu.ConvertOptions{Weights: bitgpu.RandomGolden, DType: "bf16"})
	if err != nil || c.Architecture != "resnetv2_50x1_bit" {
		t.Fatal(c, err)
	}
	config, err := loader.ReadConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	p := config.Pretrained
	if config.Architecture != "resnetv2_50x1_bit" || config.ModelArgs.Layers != nil || config.NumFeatures != 2048 || p.Tag != "goog_in21k_ft_in1k" || p.TestInputSize[2] != 448 ||
		p.Interpolation != "bilinear" || p.CropPct != 1 {
		t.Errorf("%+v", config)
	}
}

func TestConvertFails(t *testing.T) {
	sound := func(change func(name string, values []float32)) string {
		f := loadertest.Open(t, tiny+"model.safetensors")
		var all []loadertest.Tensor
		for _, info := range f.Tensors() {
			values, err := loader.ReadFloat32(f, info.Name)
			if err != nil {
				t.Fatal(err)
			}
			change(info.Name, values)
			all = append(all, loadertest.Floats(info.Name, info.DType, info.Shape, values...))
		}
		return loadertest.File(t, "in.safetensors", loadertest.Safetensors(nil, all...))
	}
	large := sound(func(name string, v []float32) {
		if name == "norm.weight" {
			v[3] = 65520
		}
	})
	nan := sound(func(name string, v []float32) {
		if name == "norm.bias" {
			v[7] = float32(math.NaN())
		}
	})
	occupied := loadertest.File(t, "occupied", nil)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, in, out, dtype string
		ctx                  context.Context
		want                 string
		is                   error
	}{
		{"too large for f16", large, "", "f16", nil, `"norm.weight": element 3 is 65520, too large for F16`, nil},
		{"NaN", nan, "", "", nil, `"norm.bias": element 7 is NaN`, nil},
		{"no such model", "no/such", "", "", nil, "no/such", bitgpu.ErrNoModel},
		{"other tensors", "loader/testdata/torch/tensors.pth", "", "", nil, "stem.conv.weight", nil},
		{"an object", "loader/testdata/torch/object.pth", "", "", nil, "__main__.Plain", loader.ErrCorrupt},
		{"type", large, "", "f64", nil, `"f64"`, nil},
		{"onto itself", large, large, "bf16", nil, "is the input", nil},
		{"a file in the way", large, filepath.Join(occupied, "x"), "", nil, "occupied", nil},
		{"canceled", large, "", "", canceled, "canceled", context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, out := tt.ctx, tt.out
			if ctx == nil {
				ctx = t.Context()
			}
			dir := t.TempDir()
			if out == "" {
				out = filepath.Join(dir, "out")
			}
			_, err := bitgpu.Convert(ctx, tt.in, out, bitgpu.ConvertOptions{DType: tt.dtype})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("left %v", files)
			}
		})
	}
	if _, err := loader.Open(large); err != nil {
		t.Errorf("the input after it was to be converted onto itself: %v", err)
	}
	if _, err := bitgpu.Convert(t.Context(), large, filepath.Join(t.TempDir(), "x"), bitgpu.ConvertOptions{DType: "bf16"}); err != nil {
		t.Errorf("what f16 cannot hold as bf16: %v", err)
	}
}

func TestInspect(t *testing.T) {
	i, err := bitgpu.Inspect(forms+"transformers", 96)
	if err != nil || i.NoBiT != nil {
		t.Fatal(err, i.NoBiT)
	}
	if i.Form.Names != loader.NamesTransformers || i.Parameters != 389322 || len(i.Tensors) != 63 || i.Size != 96 || i.Config.Classes != 10 || i.Preprocess.Size != 64 {
		t.Errorf("%+v", i)
	}
	// By hand: the stem puts out 64x48x48; each block 32 or 64 channels twice and 128 or 256 twice or once.
	want := int64(64*48*48 + // stem
		24*24*(128+32+32+128) + 24*24*(32+32+128) + // stage 0
		24*24*32 + 12*12*(128+32+128) + // stage 1
		12*12*64 + 6*6*(256+64+256) + 6*6*(64+64+256) + // stage 2
		6*6*64 + 3*3*(256+64+256) + 10) // stage 3, head
	if i.Activations != want {
		t.Errorf("%d activations, want %d", i.Activations, want)
	}
	if i, err := bitgpu.Inspect(bitgpu.Demo, 0); err != nil || i.NoBiT != nil || i.Size != 64 || i.Path != "" {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err := bitgpu.Inspect("loader/testdata/torch/tensors.pth", 0); err != nil || i.NoBiT == nil || len(i.Tensors) != 19 || i.Parameters != 0 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := bitgpu.Inspect("loader/testdata/torch/object.pth", 0); !errors.Is(err, loader.ErrCorrupt) {
		t.Error(err)
	}
	if _, err := bitgpu.Inspect("no/such", 0); !errors.Is(err, bitgpu.ErrNoModel) {
		t.Error(err)
	}
	if _, err := bitgpu.Inspect(bitgpu.Demo, 1<<30); err == nil {
		t.Error("a picture of 2^30 pixels a side")
	}
}

// TestGoogleNames takes the preprocessing from the names of Google's files.
func TestGoogleNames(t *testing.T) {
	data, err := os.ReadFile(forms + "google.npz")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"BiT-M-R50x1-ILSVRC2012.npz": 448, "BiT-M-R152x4-ILSVRC2012.npz": 480, "BiT-M-R101x1.npz": 224, "x.npz": 224} {
		p, err := bitgpu.FindPreprocess(loadertest.File(t, name, data))
		bilinear := strings.HasPrefix(name, "BiT")
		if err != nil || p.Size != want || (p.Interpolation == loader.Bilinear) != bilinear {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
