package loader_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// renamedTiny is the golden network as a safetensors file under other names.
func renamedTiny(t *testing.T, rename func(string) string) []byte {
	t.Helper()
	f := loadertest.Open(t, tiny+"model.safetensors")
	var all []loadertest.Tensor
	for _, info := range f.Tensors() {
		x := loadertest.Tensor{Name: rename(info.Name), DType: info.DType, Shape: info.Shape, Data: make([]byte, info.Bytes())}
		if err := f.ReadTensor(info.Name, x.Data, 0); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(x.Name, "classifier.1.weight") {
			x.Shape = x.Shape[:2]
		}
		all = append(all, x)
	}
	return loadertest.Safetensors(nil, all...)
}

// transformersName is what convert_bit_to_pytorch.py of transformers makes of a name.
func transformersName(name string) string {
	name = strings.NewReplacer("stem.conv", "bit.embedder.convolution", "blocks", "layers", "head.fc", "classifier.1").Replace(name)
	switch {
	case strings.HasPrefix(name, "norm"):
		return "bit." + name
	case strings.HasPrefix(name, "stages"):
		return "bit.encoder." + name
	}
	return name
}

func TestNames(t *testing.T) {
	want := loadertest.Open(t, tiny+"model.safetensors")
	for _, tt := range []struct {
		name, names string
		rename      func(string) string
	}{
		{"transformers", loader.NamesTransformers, transformersName},
		{"transformers without a head model", loader.NamesTransformers, func(n string) string { return strings.TrimPrefix(transformersName(n), "bit.") }},
		{"DataParallel", loader.NamesTimm, func(n string) string { return "module." + n }},
		{"compiled, in DataParallel", loader.NamesTimm, func(n string) string { return "module._orig_mod." + n }},
		{"transformers, compiled", loader.NamesTransformers, func(n string) string { return "_orig_mod." + transformersName(n) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := loadertest.Open(t, loadertest.File(t, "m", renamedTiny(t, tt.rename)))
			if f.Form.Names != tt.names {
				t.Errorf("names %q", f.Form.Names)
			}
			loadertest.Same(t, f, want)
		})
	}
}

// TestNamesThatMeet has two tensors that timm calls alike.
func TestNamesThatMeet(t *testing.T) {
	one := loadertest.Bytes("x", []byte{1})
	file := func(names ...string) string {
		var all []loadertest.Tensor
		for _, name := range names {
			one.Name = name
			all = append(all, one)
		}
		return loadertest.File(t, "m", loadertest.Safetensors(nil, all...))
	}
	_, err := loader.Open(file("bit.embedder.convolution.weight", "bit.norm.weight", "norm.weight"))
	if !errors.Is(err, loader.ErrCorrupt) || !strings.Contains(err.Error(), `both "norm.weight"`) {
		t.Error(err)
	}
	f := loadertest.Open(t, file("module.a", "b"))
	if f.Form.Names != loader.NamesOther || f.Tensors()[1].Name != "module.a" {
		t.Errorf("%v %v", f.Form, f.Tensors())
	}
}

// TestTorchShards opens an index of shards that torch.save wrote.
func TestTorchShards(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"tensors.pth", "tensors_legacy.pth"} {
		data, err := os.ReadFile(torchDir + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		var entries []string
		for _, info := range loadertest.Open(t, torchDir+name).Tensors() {
			entries = append(entries, fmt.Sprintf("%q:%q", info.Name, name))
		}
		touch(t, filepath.Join(dir, "pytorch_model.bin.index.json"), `{"weight_map":{`+strings.Join(entries, ",")+`}}`)
		f := loadertest.Open(t, dir)
		if !f.Form.Sharded || f.Form.Container == loader.ContainerSafetensors || len(f.Tensors()) != 19 {
			t.Errorf("%s: %v, %d tensors", name, f.Form, len(f.Tensors()))
		}
		if got := loadertest.Read(t, f, "scalar"); got[0] != 2.5 {
			t.Errorf("%s: %v", name, got)
		}
	}
	touch(t, filepath.Join(dir, "pytorch_model.bin.index.json"), `{"weight_map":{"a":"none.bin"}}`)
	if _, err := loader.Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestRecast rounds to nearest even, in pieces; the expected values are by hand.
func TestRecast(t *testing.T) {
	values := []float32{1, 1 + 1./2048, 1 + 3./2048, 65519, -65504, 5.9604645e-08, 2.9802322e-08, 1e-10, 257, 259}
	file := loadertest.File(t, "m", loadertest.Safetensors(nil,
		loadertest.Floats("w", loader.F32, []int{len(values)}, values...), loadertest.Bytes("bytes", []byte{1, 2})))
	for dtype, want := range map[loader.DType][]float64{
		loader.F16:  {1, 1, 1 + 2./1024, 65504, -65504, 5.960464477539063e-08, 0, 0, 257, 259},
		loader.BF16: {1, 1, 1, 65536, -65536, 5.960464477539063e-08, 2.9802322387695312e-08, 1.000444171950221e-10, 256, 260},
	} {
		c := loader.Recast(loadertest.Open(t, file), dtype)
		got := loadertest.Read(t, c, "w")
		for i := range want {
			if d := got[i] - want[i]; d > 1e-17 || d < -1e-17 {
				t.Errorf("%v of %v: %v, want %v", dtype, values[i], got[i], want[i])
			}
		}
		piece := make([]byte, 4)
		if err := c.ReadTensor("w", piece, 6); err != nil {
			t.Error(err)
		}
		if err := c.ReadTensor("w", piece[:3], 6); err == nil || !strings.Contains(err.Error(), "cuts elements") {
			t.Error(err)
		}
		if err := c.ReadTensor("w", piece, 1000); err == nil {
			t.Error("a read past the end succeeds")
		}
		if err := c.ReadTensor("none", piece, 0); err == nil {
			t.Error("a tensor that is not there")
		}
		if err := c.ReadTensor("bytes", piece[:1], 1); err != nil || piece[0] != 2 {
			t.Error(piece, err)
		}
	}
	for dtype, v := range map[loader.DType]float32{loader.F16: 65520, loader.BF16: 3.4e38} {
		c := loader.Recast(loadertest.Open(t, loadertest.File(t, "m", loadertest.Safetensors(nil, loadertest.Floats("w", loader.F32, []int{2}, 1, v)))), dtype)
		if err := c.ReadTensor("w", make([]byte, 4), 0); err == nil || !strings.Contains(err.Error(), "element 1 is") {
			t.Errorf("%v: %v", dtype, err)
		}
	}
}

// TestConfigWrite reads back what it wrote.
func TestConfigWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	for _, in := range []string{forms + "transformers/config.json", "demo/config.json", tiny + "config.json"} {
		c, err := loader.ReadConfig(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := loader.ReadConfig(path)
		if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", c) {
			t.Errorf("%s: read back\n%+v, want\n%+v; %v", in, again, c, err)
		}
	}
	c := loader.Config{}
	if err := c.Write(path); err == nil {
		t.Error("a config without anything")
	}
	if err := c.Write(filepath.Join(path, "x")); err == nil {
		t.Error("a file as a directory")
	}
}
