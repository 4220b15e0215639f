package loader_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// TestSafetensorsWriter writes tensors of known and unknown length, and reads them back.
func TestSafetensorsWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	meta := map[string]string{"b": "2", "a": "\"<é>\n"}
	w, err := loader.CreateSafetensors(path, meta, []loader.TensorInfo{
		{Name: "rows", DType: loader.F32, Shape: []int{-1, 2}},
		{Name: "a \"name\"", DType: loader.U8, Shape: []int{3}},
		{Name: "scalar", DType: loader.I64, Shape: nil},
		{Name: "none", DType: loader.F16, Shape: []int{-1, 5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{
		loadertest.Floats("", loader.F32, nil, 1, 2, 3, 4, 5, 6).Data, []byte("abc"), binary.LittleEndian.AppendUint64(nil, 7), nil,
	} {
		if err := w.Next(); err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(data, 5) { // which ends in the middle of elements
			if _, err := w.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before Close")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !maps.Equal(c.Metadata(), meta) {
		t.Errorf("metadata %q", c.Metadata())
	}
	shapes := map[string][]int{}
	for _, info := range c.Tensors() {
		shapes[info.Name] = info.Shape
	}
	want := map[string][]int{"rows": {3, 2}, "a \"name\"": {3}, "scalar": {}, "none": {0, 5}}
	if !maps.EqualFunc(shapes, want, slices.Equal) {
		t.Errorf("shapes %v", shapes)
	}
	if got := loadertest.Read(t, c, "rows"); !slices.Equal(got, []float64{1, 2, 3, 4, 5, 6}) {
		t.Error(got)
	}
	if got := loadertest.Read(t, c, "scalar"); got[0] != 7 {
		t.Error(got)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint64(data); n%8 != 0 {
		t.Errorf("the header has %d bytes: the data is not aligned", n)
	}
}

// TestSafetensorsWriterRefuses has data that is not what was announced: no file, and an old one stays.
func TestSafetensorsWriterRefuses(t *testing.T) {
	two := []loader.TensorInfo{{Name: "a", DType: loader.U8, Shape: []int{2}}, {Name: "b", DType: loader.U8, Shape: []int{-1, 2}}}
	for name, test := range map[string]struct {
		write func(w *loader.SafetensorsWriter)
		want  string
	}{
		"nothing":          {func(w *loader.SafetensorsWriter) {}, `tensor "a" has not been written`},
		"one is missing":   {func(w *loader.SafetensorsWriter) { w.Next(); w.Write([]byte{1, 2}) }, `tensor "b" has not been written`},
		"too short":        {func(w *loader.SafetensorsWriter) { w.Next(); w.Write([]byte{1}); w.Next() }, `tensor "a": 1 bytes`},
		"too long":         {func(w *loader.SafetensorsWriter) { w.Next(); w.Write(make([]byte, 3)); w.Next() }, `tensor "a": 3 bytes`},
		"no whole row":     {func(w *loader.SafetensorsWriter) { w.Next(); w.Write(make([]byte, 2)); w.Next(); w.Write([]byte{1}) }, `tensor "b": 1 bytes`},
		"before the first": {func(w *loader.SafetensorsWriter) { w.Write([]byte{1}) }, "no tensor has been begun"},
		"one too many":     {func(w *loader.SafetensorsWriter) { w.Next(); w.Write(make([]byte, 2)); w.Next(); w.Next() }, "only 2 tensors"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.safetensors")
			if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			w, err := loader.CreateSafetensors(path, nil, two)
			if err != nil {
				t.Fatal(err)
			}
			test.write(w)
			if err := w.Close(); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if text, _ := os.ReadFile(path); string(text) != "old" {
				t.Errorf("the file holds %q", text)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("%v is left", entries)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "x")
	for _, bad := range [][]loader.TensorInfo{
		{two[0], two[0]}, {{Name: "__metadata__", Shape: []int{1}}}, {{Name: "a", DType: 99}}, {{Name: "a", Shape: []int{1, -1}}}, {{Name: "a", Shape: []int{-2}}},
	} {
		if _, err := loader.CreateSafetensors(path, nil, bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
