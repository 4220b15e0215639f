package loader_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

const (
	forms = "../tests/testdata/checkpoints/"
	tiny  = "../tests/testdata/nets/tiny/"
)

// TestOpenForms opens the golden network in every form, under a name that tells nothing.
func TestOpenForms(t *testing.T) {
	for _, tt := range []struct{ file, as, form string }{
		{tiny + "model.safetensors", "model", "safetensors, timm names"},
		{forms + "google.npz", "model", "npz, Google names"},
		{forms + "google_fortran_f16.npz", "model_fp16", "npz, Google names"},
		{forms + "zip_f16.pth", "model_fp16", "PyTorch, timm names"},
		{forms + "legacy_nested_bf16.pth", "model_bf16", "PyTorch legacy, timm names"},
		{forms + "transformers/pytorch_model.bin", "model_fp16", "PyTorch, transformers names"},
	} {
		t.Run(filepath.Base(tt.file), func(t *testing.T) {
			data, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			f := loadertest.Open(t, loadertest.File(t, "weights", data))
			if f.Form.String() != tt.form || f.Config != nil {
				t.Errorf("form %q, want %q; config %v", f.Form, tt.form, f.Config)
			}
			loadertest.Same(t, f, loadertest.Open(t, tiny+tt.as+".safetensors"))
			if err := f.ReadTensor("none", nil, 0); err == nil || !strings.Contains(err.Error(), `no tensor "none"`) {
				t.Errorf("error %v", err)
			}
			if err := f.ReadTensor("norm.weight", make([]byte, 8), 1<<40); err == nil {
				t.Error("a read past the end succeeds")
			}
			if err := errors.Join(f.Close(), f.Close()); err != nil {
				t.Error(err)
			}
			if err := f.ReadTensor("stem.conv.weight", make([]byte, 8), 0); !errors.Is(err, os.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		name, data, want string
	}{
		{"gzip", "\x1f\x8b\x08" + strings.Repeat("x", 600), "gzip"},
		{"HDF5", "\x89HDF\r\n\x1a\n" + strings.Repeat("x", 600), "HDF5"},
		{"text", strings.Repeat("x", 600), "no safetensors, PyTorch or .npz checkpoint"},
		{"nothing", "", "too few"},
		{"zip of nothing", "PK\x05\x06" + strings.Repeat("\x00", 18), "neither PyTorch nor NumPy"},
		{"half a zip", "PK\x03\x04" + strings.Repeat("x", 600), "zip"},
	} {
		file := loadertest.File(t, "model.safetensors", []byte(tt.data))
		if _, err := loader.Open(file); !errors.Is(err, loader.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "loader: "+file) {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
	for _, path := range []string{empty, filepath.Join(empty, "none")} {
		if _, err := loader.Open(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestOpenSafetensorsLengths opens files whose first bytes, the length of the header, are those of other forms.
func TestOpenSafetensorsLengths(t *testing.T) {
	for _, length := range []int{0x80, 0x280, 0x8b1f} {
		header := `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`
		header += strings.Repeat(" ", length-len(header))
		f := loadertest.Open(t, loadertest.File(t, "m", loadertest.Raw(header, []byte("abc"))))
		if f.Form.Container != loader.ContainerSafetensors || len(f.Tensors()) != 1 {
			t.Errorf("length %#x: %v", length, f.Form)
		}
	}
}
