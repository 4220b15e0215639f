package loader_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// npyFile builds a file of version 1 from a dict and data.
func npyFile(dict string, data []byte) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(dict)), byte(len(dict)>>8))
	return append(append(b, dict...), data...)
}

func openNPY(t *testing.T, path string) *loader.NPYReader {
	t.Helper()
	r, err := loader.OpenNPY(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestNPYReadsNumPysOwnFile(t *testing.T) {
	r := openNPY(t, "testdata/normalize_lut_f32.npy") // (u/255 - 0.5)/0.5 for each byte u, saved by NumPy
	if !reflect.DeepEqual(r.Shape(), []int{256}) || r.DType() != loader.F32 || r.Rows() != 256 || r.RowLen() != 1 {
		t.Fatalf("%v of shape %v, %d rows of %d", r.DType(), r.Shape(), r.Rows(), r.RowLen())
	}
	got := make([]float32, 256)
	if err := r.ReadFloat32(got, 0); err != nil {
		t.Fatal(err)
	}
	for u, v := range got {
		if want := (float32(u)/255 - 0.5) / 0.5; v != want {
			t.Errorf("value %d is %v, want %v", u, v, want)
		}
	}
}

func TestNPYReadsTypesAndHeaders(t *testing.T) {
	values := []float32{0, 1, 2, 3, 4, 250}
	f32 := loadertest.Floats("", loader.F32, nil, values...).Data
	v2 := npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", nil)
	v2 = append([]byte("\x93NUMPY\x02\x00"), append(binary.LittleEndian.AppendUint32(nil, uint32(len(v2)-10)), v2[10:]...)...)
	v3 := append([]byte{}, v2...)
	v3[6] = 3
	for name, file := range map[string][]byte{
		"F32":           npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", f32),
		"F16":           npyFile("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }\n", loadertest.Floats("", loader.F16, nil, values...).Data),
		"F64":           npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n", loadertest.Floats("", loader.F64, nil, values...).Data),
		"U8":            npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", []byte{0, 1, 2, 3, 4, 250}),
		"other order":   npyFile(`{"shape":(2,3,),"descr":"<f4","fortran_order":False}`, f32),
		"Python 2":      npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n", f32),
		"version 2":     append(v2, f32...),
		"version 3":     append(v3, f32...),
		"four elements": npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3, 1), }\n", f32),
	} {
		r, err := loader.NewNPY(bytes.NewReader(file), int64(len(file)), name)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.Rows() != 2 || r.RowLen() != 3 {
			t.Errorf("%s: %d rows of %d", name, r.Rows(), r.RowLen())
		}
		all, last := make([]float32, 6), make([]float32, 3)
		if err := errors.Join(r.ReadFloat32(all, 0), r.ReadFloat32(last, 1)); err != nil {
			t.Error(err)
		}
		if !reflect.DeepEqual(all, values) || !reflect.DeepEqual(last, values[3:]) {
			t.Errorf("%s: %v, last row %v", name, all, last)
		}
		raw := make([]byte, 3*r.DType().Size())
		if err := r.ReadRows(raw, 1); err != nil || !bytes.Equal(raw, file[len(file)-len(raw):]) {
			t.Errorf("%s: raw row %x, error %v", name, raw, err)
		}
	}
}

func TestNPYReadOutsideArray(t *testing.T) {
	file := npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", make([]byte, 24))
	r, err := loader.NewNPY(bytes.NewReader(file), int64(len(file)), "x.npy")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		n, row int
		want   string
	}{
		{3, 2, "1 rows wanted, but there are 2"}, {3, -1, "rows wanted"}, {9, 0, "3 rows wanted"}, {6, 1, "2 rows wanted"},
		{0, 3, "0 rows wanted"}, {3, math.MaxInt, "rows wanted"}, {2, 0, "2 elements are no whole rows of 3"},
	} {
		for _, err := range []error{r.ReadFloat32(make([]float32, q.n), q.row), r.ReadRows(make([]byte, 4*q.n), q.row)} {
			if err == nil || !strings.HasPrefix(err.Error(), "loader: x.npy: ") || !strings.Contains(err.Error(), q.want) {
				t.Errorf("%d elements from row %d: error %v, want %q", q.n, q.row, err, q.want)
			}
		}
	}
	if err := r.ReadRows(make([]byte, 13), 0); err == nil {
		t.Error("13 bytes were read as whole elements")
	}
}

// badNPY are files that cannot be opened; want is what the error says.
var badNPY = []struct {
	name    string
	data    []byte
	want    string
	corrupt bool
}{
	{"empty file", nil, "does not begin", true},
	{"a picture", []byte("\x89PNG\r\n\x1a\n00000000"), "does not begin", true},
	{"cut prefix", []byte("\x93NUMPY\x02\x00\x10\x00"), "version 2.0", true},
	{"version 9", []byte("\x93NUMPY\x09\x00\x10\x00\x00\x00"), "version 9.0", true},
	{"header past the end", []byte("\x93NUMPY\x01\x00\x10\x00{}"), "header of 16 bytes", true},
	{"header of 4 GB", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), "header of 4294967295 bytes", true},
	{"no dict", npyFile("hello", nil), "want a dict", true},
	{"no key", npyFile("{3: 4}", nil), "want a string", true},
	{"open string", npyFile("{'descr", nil), "does not end", true},
	{"no colon", npyFile("{'descr' '<f4'}", nil), "want a colon", true},
	{"no comma", npyFile("{'descr': '<f4' 'shape': ()}", nil), "want a comma", true},
	{"unknown key", npyFile("{'descr': '<f4', 'order': 'C'}", nil), `"order" is unknown`, true},
	{"missing key", npyFile("{'descr': '<f4', 'fortran_order': False}", nil), "not just", true},
	{"text behind", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} x", nil), "not just", true},
	{"order is a number", npyFile("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", nil), "want False or True", true},
	{"shape is a number", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': 3}", nil), "want a tuple", true},
	{"negative size", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", nil), "sizes", true},
	{"size too large", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", nil), "sizes", true},
	{"too many sizes", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 65)+")}", make([]byte, 4)), "at most 64", true},
	{"sizes without comma", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", make([]byte, 4)), "want a comma", true},
	{"shape overflows", npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", nil), "too large", true},
	{"row overflows", npyFile("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}", nil), "too large", true},
	{"cut data", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", make([]byte, 7)), "has 8 bytes, but 7 follow", true},
	{"more data", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", make([]byte, 9)), "has 8 bytes, but 9 follow", true},
	{"structured", npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", make([]byte, 4)), "structured", true},
	{"big-endian", npyFile("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", make([]byte, 4)), `">f4", want`, false},
	{"objects", npyFile("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", make([]byte, 4)), `"|O", want`, false},
	{"Fortran order", npyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", make([]byte, 4)), "Fortran", false},
	{"no dimension", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", make([]byte, 4)), "no dimension", false},
}

func TestNPYBadFiles(t *testing.T) {
	for _, tt := range badNPY {
		t.Run(tt.name, func(t *testing.T) {
			path := loadertest.File(t, "bad.npy", tt.data)
			_, err := loader.OpenNPY(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "loader: "+path+": ") {
				t.Errorf("error %v lacks %q or the path", err, tt.want)
			}
			if errors.Is(err, loader.ErrCorrupt) != tt.corrupt {
				t.Errorf("error %v: is ErrCorrupt = %v", err, !tt.corrupt)
			}
		})
	}
	if _, err := loader.OpenNPY("none.npy"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := loader.OpenNPY(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
}

func TestNPYWriteAndReadBack(t *testing.T) {
	for _, rows := range []int{0, 1, 7} {
		for _, rowShape := range [][]int{nil, {3}, {3, 5, 2}, {30000}} {
			path := filepath.Join(t.TempDir(), "x.npy")
			w, err := loader.CreateNPY(path, loader.F32, rowShape...)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Discard()
			want := []float32{}
			rowLen := loader.TensorInfo{Shape: rowShape}.Len()
			for i := range rows {
				row := make([]float32, rowLen)
				for k := range row {
					row[k] = float32(i) + float32(k)/65536
				}
				want = append(want, row...)
				if err := errors.Join(w.WriteFloat32(row[:1]), w.WriteFloat32(row[1:])); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the file is there before Close")
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r := openNPY(t, path)
			if shape := append([]int{rows}, rowShape...); !reflect.DeepEqual(r.Shape(), shape) {
				t.Errorf("shape %v, want %v", r.Shape(), shape)
			}
			got := make([]float32, len(want))
			if err := r.ReadFloat32(got, 0); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%d rows of %v: values differ, error %v", rows, rowShape, err)
			}
		}
	}
}

// TestNPYWriterHeader pins the bytes: version 1.0, NumPy's spelling, data at a
// multiple of 64.
func TestNPYWriterHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	w, err := loader.CreateNPY(path, loader.U8, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dict := "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }"
	want := "\x93NUMPY\x01\x00\x76\x00" + fmt.Sprintf("%-117s\n", dict) + "\x01\x02\x03\x04"
	if string(got) != want {
		t.Errorf("file %q\nwant %q", got, want)
	}
}

func TestNPYWriterLeavesNothingBehind(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*loader.NPYWriter) error
		err  string
	}{
		{"discarded", (*loader.NPYWriter).Discard, ""},
		{"half a row", func(w *loader.NPYWriter) error {
			if _, err := w.Write(make([]byte, 6)); err != nil {
				return err
			}
			return w.Close()
		}, "6 bytes were written, no whole rows of 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.npy")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			w, err := loader.CreateNPY(path, loader.U8, 4)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.end(w); (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			entries, _ := os.ReadDir(dir)
			old, _ := os.ReadFile(path)
			if len(entries) != 1 || string(old) != "old" {
				t.Errorf("the folder holds %v, the old file %q", entries, old)
			}
			if _, err := w.Write([]byte{1}); err == nil {
				t.Error("a write after the end succeeded")
			}
			if err := errors.Join(w.Close(), w.Discard()); err != nil {
				t.Errorf("ending again: %v", err)
			}
		})
	}
}

func TestNPYWriterReplacesWhatALinkPointsTo(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link.npy"), filepath.Join(dir, "target.npy")
	if err := os.WriteFile(target, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	w, err := loader.CreateNPY(link, loader.F32)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteFloat32([]float32{1}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if openNPY(t, target).Rows() != 1 {
		t.Error("the target was not written")
	}
}

func TestNPYWriterBadUse(t *testing.T) {
	dir := t.TempDir()
	for name, create := range map[string]func() (*loader.NPYWriter, error){
		"type":      func() (*loader.NPYWriter, error) { return loader.CreateNPY(dir+"/x.npy", loader.BF16, 1) },
		"shape":     func() (*loader.NPYWriter, error) { return loader.CreateNPY(dir+"/x.npy", loader.F32, -1) },
		"folder":    func() (*loader.NPYWriter, error) { return loader.CreateNPY(dir+"/none/x.npy", loader.F32, 1) },
		"directory": func() (*loader.NPYWriter, error) { return loader.CreateNPY(dir, loader.F32, 1) },
		"rank": func() (*loader.NPYWriter, error) {
			return loader.CreateNPY(dir+"/x.npy", loader.F32, make([]int, 64)...)
		},
	} {
		if w, err := create(); err == nil {
			w.Discard()
			t.Errorf("%s: no error", name)
		}
	}
	w, err := loader.CreateNPY(dir+"/x.npy", loader.U8, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	if err := w.WriteFloat32([]float32{1}); err == nil {
		t.Error("float32 values went into an array of U8")
	}
}

func FuzzNPY(f *testing.F) {
	for _, tt := range badNPY {
		f.Add(tt.data)
	}
	f.Add(npyFile("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1), }\n", make([]byte, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := loader.NewNPY(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			return
		}
		if err := r.ReadFloat32(make([]float32, r.Rows()*r.RowLen()), 0); err != nil {
			t.Fatal(err)
		}
	})
}
