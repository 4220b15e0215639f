// Package loadertest helps tests that need checkpoints: it builds safetensors
// files, sound and broken ones, opens and compares checkpoints, and decodes whole
// tensors. Only tests import it.
package loadertest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/x448/float16"
)

// Tensor is one tensor of a file to be built. Data is raw, little-endian, and
// need not agree with DType and Shape.
type Tensor struct {
	Name  string
	DType loader.DType
	Shape []int
	Data  []byte
}

// Floats makes a tensor of the values, rounded to nearest even in F16 and
// BF16. It panics on a type that is not F32, F16, BF16 or F64.
func Floats(name string, dtype loader.DType, shape []int, values ...float32) Tensor {
	var b []byte
	for _, v := range values {
		switch dtype {
		case loader.F32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		case loader.F16:
			b = binary.LittleEndian.AppendUint16(b, float16.Fromfloat32(v).Bits())
		case loader.BF16:
			b = binary.LittleEndian.AppendUint16(b, bfloat16(v))
		case loader.F64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)))
		default:
			panic(fmt.Sprintf("loadertest: Floats of %v", dtype))
		}
	}
	return Tensor{name, dtype, shape, b}
}

// Bytes makes a one-dimensional U8 tensor.
func Bytes(name string, data []byte) Tensor {
	return Tensor{name, loader.U8, []int{len(data)}, data}
}

// bfloat16 rounds to nearest even; a NaN keeps being one.
func bfloat16(v float32) uint16 {
	u := math.Float32bits(v)
	if v != v {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7FFF + u>>16&1) >> 16)
}

// Safetensors returns a file of the tensors, in their order.
func Safetensors(metadata map[string]string, tensors ...Tensor) []byte {
	header := map[string]any{}
	if metadata != nil {
		header["__metadata__"] = metadata
	}
	var data []byte
	for _, t := range tensors {
		begin := len(data)
		data = append(data, t.Data...)
		header[t.Name] = map[string]any{
			"dtype": t.DType.String(), "shape": append([]int{}, t.Shape...), "data_offsets": []int{begin, len(data)},
		}
	}
	h, err := json.Marshal(header)
	if err != nil {
		panic(err) // strings and numbers only: cannot happen
	}
	for len(h)%8 != 0 {
		h = append(h, ' ')
	}
	return Raw(string(h), data)
}

// Raw returns a file with exactly this header and data.
func Raw(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// File writes data to a new file called name in a directory of the test's own
// and returns its path.
func File(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Read returns all elements of an F32, F16, BF16, F64 or I64 tensor as
// float64, in flat row-major order.
func Read(t testing.TB, c loader.Checkpoint, name string) []float64 {
	t.Helper()
	var info *loader.TensorInfo
	for _, have := range c.Tensors() {
		if have.Name == name {
			info = &have
		}
	}
	if info == nil {
		t.Fatalf("no tensor %q", name)
	}
	b := make([]byte, info.Bytes())
	if err := c.ReadTensor(name, b, 0); err != nil {
		t.Fatal(err)
	}
	values := make([]float64, info.Len())
	le := binary.LittleEndian
	for i := range values {
		switch info.DType {
		case loader.F32:
			values[i] = float64(math.Float32frombits(le.Uint32(b[4*i:])))
		case loader.F16:
			values[i] = float64(float16.Frombits(le.Uint16(b[2*i:])).Float32())
		case loader.BF16:
			values[i] = float64(math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16))
		case loader.F64:
			values[i] = math.Float64frombits(le.Uint64(b[8*i:]))
		case loader.I64:
			values[i] = float64(int64(le.Uint64(b[8*i:])))
		default:
			t.Fatalf("tensor %q: no floats in %v", name, info.DType)
		}
	}
	return values
}

// Open opens a checkpoint until the test ends.
func Open(t testing.TB, path string) *loader.File {
	t.Helper()
	f, err := loader.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Same makes sure that two checkpoints have the same tensors, byte for byte, read whole and
// in pieces that end anywhere.
func Same(t testing.TB, got, want loader.Checkpoint) {
	t.Helper()
	if err := loader.CheckTensors(got.Tensors(), want.Tensors()); err != nil {
		t.Fatal(err)
	}
	for i, info := range want.Tensors() {
		if d := got.Tensors()[i].DType; d != info.DType {
			t.Errorf("%s: %v, want %v", info.Name, d, info.DType)
			continue
		}
		whole, pieces, wanted := make([]byte, info.Bytes()), make([]byte, info.Bytes()), make([]byte, info.Bytes())
		err := errors.Join(got.ReadTensor(info.Name, whole, 0), want.ReadTensor(info.Name, wanted, 0))
		for step, off := 1+len(pieces)/3, 0; off < len(pieces); off += step {
			err = errors.Join(err, got.ReadTensor(info.Name, pieces[off:min(off+step, len(pieces))], int64(off)))
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(whole, wanted) || !bytes.Equal(pieces, wanted) {
			t.Errorf("%s differs: whole equal %v, pieces equal %v", info.Name, bytes.Equal(whole, wanted), bytes.Equal(pieces, wanted))
		}
	}
}
