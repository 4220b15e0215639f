package loader_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

func open(t testing.TB, path string) loader.Checkpoint {
	t.Helper()
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSafetensorsMapAndReaderAgree(t *testing.T) {
	data := loadertest.Safetensors(map[string]string{"format": "pt"},
		loadertest.Floats("b.weight", loader.BF16, []int{3}, 1, -2, 0.5),
		loadertest.Floats("a.weight", loader.F32, []int{2, 2}, 1, 2, 3, 4),
		loadertest.Floats("half", loader.F16, []int{1, 2}, 0.25, -7),
		loadertest.Tensor{Name: "empty", DType: loader.I64, Shape: []int{0, 5}},
		loadertest.Floats("scalar", loader.F64, nil, 1.5),
	)
	mapped := open(t, loadertest.File(t, "m.safetensors", data))
	read, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "memory")
	if err != nil {
		t.Fatal(err)
	}
	want := []loader.TensorInfo{
		{Name: "a.weight", DType: loader.F32, Shape: []int{2, 2}},
		{Name: "b.weight", DType: loader.BF16, Shape: []int{3}},
		{Name: "empty", DType: loader.I64, Shape: []int{0, 5}},
		{Name: "half", DType: loader.F16, Shape: []int{1, 2}},
		{Name: "scalar", DType: loader.F64, Shape: []int{}},
	}
	values := map[string][]float64{
		"a.weight": {1, 2, 3, 4}, "b.weight": {1, -2, 0.5}, "empty": {}, "half": {0.25, -7}, "scalar": {1.5},
	}
	for name, c := range map[string]loader.Checkpoint{"mapped": mapped, "reader": read} {
		if got := c.Tensors(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: tensors %v, want %v", name, got, want)
		}
		if got := c.Metadata(); !reflect.DeepEqual(got, map[string]string{"format": "pt"}) {
			t.Errorf("%s: metadata %v", name, got)
		}
		for tensor, want := range values {
			if got := loadertest.Read(t, c, tensor); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s = %v, want %v", name, tensor, got, want)
			}
		}
		piece := make([]byte, 5)
		if err := c.ReadTensor("a.weight", piece, 3); err != nil {
			t.Fatal(err)
		}
		if want := []byte{0x3F, 0, 0, 0, 0x40}; !bytes.Equal(piece, want) {
			t.Errorf("%s: piece %x, want %x", name, piece, want)
		}
	}
}

func TestSafetensorsReadOutsideTensor(t *testing.T) {
	c := open(t, loadertest.File(t, "m.safetensors", loadertest.Safetensors(nil,
		loadertest.Floats("a", loader.F32, []int{2}, 1, 2), loadertest.Floats("b", loader.F32, []int{2}, 3, 4))))
	for _, r := range []struct {
		name string
		n    int
		off  int64
	}{{"a", 9, 0}, {"a", 1, 8}, {"a", 1, -1}, {"a", 0, 9}, {"c", 1, 0}, {"", 0, 0}, {"a", 1, 1<<63 - 1}} {
		if err := c.ReadTensor(r.name, make([]byte, r.n), r.off); err == nil {
			t.Errorf("read of %d bytes at %d of %q: no error", r.n, r.off, r.name)
		}
	}
	if err := c.ReadTensor("b", nil, 8); err != nil {
		t.Errorf("empty read at the end: %v", err)
	}
}

// corruptHeaders are files that break the format; want is what the error says.
var corruptHeaders = []struct {
	name string
	data []byte
	want string
}{
	{"empty file", nil, "0 bytes are too few"},
	{"cut in the length", []byte{1, 2, 3}, "3 bytes are too few"},
	{"length 2^60", binary.LittleEndian.AppendUint64(nil, 1<<60), "header length 1152921504606846976"},
	{"length 2^64-1", binary.LittleEndian.AppendUint64(nil, 1<<64-1), "header length 18446744073709551615"},
	{"length past the end", loadertest.Raw(`{}`, nil)[:9], "only 1 bytes follow"},
	{"length 0", loadertest.Raw("", nil), "does not begin with '{'"},
	{"a picture", []byte("\x89PNG\r\n\x1a\n0000000000"), "header length"},
	{"array", loadertest.Raw(`[]`, nil), "does not begin"},
	{"leading space", loadertest.Raw(` {}`, nil), "does not begin"},
	{"cut JSON", loadertest.Raw(`{"a":{"dtype":"F32"`, nil), "EOF"},
	{"not UTF-8", loadertest.Raw("{\"\xff\":0}", nil), "UTF-8"},
	{"two objects", loadertest.Raw(`{}{}`, nil), "2 bytes after"},
	{"NUL padding", loadertest.Raw("{}\x00\x00", nil), "2 bytes after"},
	{"not an object", loadertest.Raw(`{"a":1}`, nil), `"a": found 1`},
	{"no dtype", loadertest.Raw(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "no dtype"},
	{"no shape", loadertest.Raw(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, make([]byte, 4)), "no shape"},
	{"no offsets", loadertest.Raw(`{"a":{"dtype":"F32","shape":[1]}}`, make([]byte, 4)), "no data_offsets"},
	{"unknown dtype", loadertest.Raw(`{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `dtype "Q4" is unknown`},
	{"dtype in lower case", loadertest.Raw(`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "is unknown"},
	{"key in capitals", loadertest.Raw(`{"a":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "no dtype"},
	{"dtype is a number", loadertest.Raw(`{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "want a string"},
	{"null shape", loadertest.Raw(`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, make([]byte, 4)), "found <nil>"},
	{"negative dimension", loadertest.Raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, make([]byte, 4)), "found -1"},
	{"fractional dimension", loadertest.Raw(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, make([]byte, 4)), "found 1.0"},
	{"dimension is a string", loadertest.Raw(`{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, make([]byte, 4)), "found 1, want"},
	{"shape overflows", loadertest.Raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil), "too large"},
	{"bytes overflow", loadertest.Raw(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, nil), "too large"},
	{"dimension overflows", loadertest.Raw(`{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}`, make([]byte, 4)), "found 18446744073709551616"},
	{"one offset", loadertest.Raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, make([]byte, 4)), "has 1 numbers"},
	{"backwards", loadertest.Raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, make([]byte, 4)), "backwards"},
	{"span is not the shape's", loadertest.Raw(`{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), "has 2 bytes"},
	{"offset past the end", loadertest.Raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 4)), "end past"},
	{"hole in front", loadertest.Raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, make([]byte, 8)), "bytes 0 to 4"},
	{"hole", loadertest.Raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, make([]byte, 3)), "bytes 1 to 2"},
	{"overlap", loadertest.Raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, make([]byte, 3)), "overlap"},
	{"bytes left over", loadertest.Raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 3)), "last 2 bytes"},
	{"name twice", loadertest.Raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, make([]byte, 2)), `"a" comes twice`},
	{"dtype twice", loadertest.Raw(`{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 1)), `"dtype" comes twice`},
	{"metadata is no string", loadertest.Raw(`{"__metadata__":{"a":1}}`, nil), "want a string"},
	{"metadata is no object", loadertest.Raw(`{"__metadata__":"pt"}`, nil), "__metadata__"},
	{"nested deeply", loadertest.Raw(`{"a":{"x":`+strings.Repeat("[", 20000)+`}}`, nil), "depth"},
}

func TestSafetensorsCorrupt(t *testing.T) {
	for _, tt := range corruptHeaders {
		t.Run(tt.name, func(t *testing.T) {
			path := loadertest.File(t, "bad.safetensors", tt.data)
			_, err := loader.OpenSafetensors(path)
			if !errors.Is(err, loader.ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q lacks %q or the path", err, tt.want)
			}
			if _, err2 := loader.NewSafetensors(bytes.NewReader(tt.data), int64(len(tt.data)), path); err2 == nil || err2.Error() != err.Error() {
				t.Errorf("from a reader %v, from a file %v", err2, err)
			}
		})
	}
}

func TestSafetensorsHugeHeaderLengthAllocatesLittle(t *testing.T) {
	data := append(binary.LittleEndian.AppendUint64(nil, 1<<60), make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "big"); err == nil {
		t.Fatal("no error")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", n, len(data))
	}
}

func TestSafetensorsToleratesUnknownKeysAndPadding(t *testing.T) {
	data := loadertest.Raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":{"x":[1,null]}}}`+" \n ", []byte{7})
	c, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "m")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tensors()) != 1 || c.Metadata() != nil {
		t.Errorf("tensors %v, metadata %v", c.Tensors(), c.Metadata())
	}
}

func TestSafetensorsMissingFileAndDirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := loader.OpenSafetensors(dir + "/none.safetensors"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := loader.OpenSafetensors(dir); err == nil || errors.Is(err, loader.ErrCorrupt) {
		t.Errorf("directory: %v", err)
	}
}

func TestSafetensorsCloseWhileReading(t *testing.T) {
	c := open(t, loadertest.File(t, "m.safetensors", loadertest.Safetensors(nil, loadertest.Bytes("a", make([]byte, 1<<20)))))
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			p := make([]byte, 1<<16)
			for first := true; ; first = false {
				err := c.ReadTensor("a", p, 1<<19)
				if first {
					started <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if len(c.Tensors()) != 1 {
		t.Error("the list is gone after Close")
	}
}

// readerFunc is an io.ReaderAt.
type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestSafetensorsCloseWaitsForReads(t *testing.T) {
	data := loadertest.Safetensors(nil, loadertest.Bytes("a", []byte{1}))
	var c loader.Checkpoint
	closed := make(chan struct{})
	src := readerFunc(func(p []byte, off int64) (int, error) {
		if c != nil {
			go func() {
				c.Close()
				close(closed)
			}()
			select {
			case <-closed:
				t.Error("Close returned while a read was under way")
			case <-time.After(20 * time.Millisecond):
			}
		}
		return bytes.NewReader(data).ReadAt(p, off)
	})
	opened, err := loader.NewSafetensors(src, int64(len(data)), "m")
	if err != nil {
		t.Fatal(err)
	}
	c = opened
	if err := c.ReadTensor("a", make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
	<-closed
}

func TestSafetensorsReaderStaysOpen(t *testing.T) {
	f, err := os.Open(loadertest.File(t, "m.safetensors", loadertest.Safetensors(nil, loadertest.Bytes("a", []byte{1}))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, _ := f.Stat()
	c, err := loader.NewSafetensors(f, fi.Size(), "m")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("Close closed the caller's file: %v", err)
	}
	if err := c.ReadTensor("a", make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

// FuzzSafetensors looks for panics, and for accepted files whose tensors
// cannot be read as their list says.
func FuzzSafetensors(f *testing.F) {
	for _, tt := range corruptHeaders {
		f.Add(tt.data)
	}
	f.Add(loadertest.Safetensors(map[string]string{"k": "v"}, loadertest.Floats("a", loader.F16, []int{2}, 1, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := loader.NewSafetensors(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			if !errors.Is(err, loader.ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			return
		}
		total := int64(0)
		for i, info := range c.Tensors() {
			if i > 0 && c.Tensors()[i-1].Name >= info.Name {
				t.Fatalf("names %q and %q out of order", c.Tensors()[i-1].Name, info.Name)
			}
			p := make([]byte, info.Bytes())
			if err := c.ReadTensor(info.Name, p, 0); err != nil {
				t.Fatal(err)
			}
			total += info.Bytes()
		}
		if total > int64(len(data)) {
			t.Fatal(fmt.Sprint("tensors hold ", total, " bytes, the file has ", len(data)))
		}
	})
}
