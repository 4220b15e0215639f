package loader_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// npyOf is a .npy file.
func npyOf(descr string, fortran bool, shape []int, data []byte) []byte {
	order := "False"
	if fortran {
		order = "True"
	}
	dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ","), "[]")
	if len(shape) == 1 {
		dims += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", descr, order, dims)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), data...)
}

func npzOf(t testing.TB, method uint16, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range arrays {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: method})
		if err == nil {
			_, err = m.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ramp is n float32 that count up.
func ramp(n int) []byte { return loadertest.Floats("", loader.F32, []int{n}, rampValues(n)...).Data }

func rampValues(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	return v
}

// TestNPZOrders reads arrays in both orders, stored and deflated, in pieces of any size.
func TestNPZOrders(t *testing.T) {
	shape := []int{4, 3, 5, 7}
	const n = 4 * 3 * 5 * 7
	fortran := make([]float64, n) // element [a,b,c,d] is at a + 4*(b + 3*(c + 5*d))
	for i := range fortran {
		a, b, c, d := i/105, i/35%3, i/7%5, i%7
		fortran[i] = float64(a + 4*(b+3*(c+5*d)))
	}
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		f := loadertest.Open(t, loadertest.File(t, "m", npzOf(t, method, map[string][]byte{
			"c": npyOf("<f4", false, shape, ramp(n)), "f": npyOf("<f4", true, shape, ramp(n)), "scalar": npyOf("<i8", false, nil, make([]byte, 8)),
		})))
		if f.Form.Container != loader.ContainerNPZ || f.Form.Names != loader.NamesOther {
			t.Error(f.Form)
		}
		for i, v := range loadertest.Read(t, f, "c") {
			if v != float64(i) {
				t.Fatalf("C order, element %d is %v", i, v)
			}
		}
		if got := loadertest.Read(t, f, "f"); !slices.Equal(got, fortran) {
			t.Errorf("Fortran order: %v", got)
		}
		whole := make([]byte, 4*n)
		if err := f.ReadTensor("f", whole, 0); err != nil {
			t.Fatal(err)
		}
		for _, step := range []int{1, 3, 4, 100, 419, 420, 421, 4*n - 1} {
			var all []byte
			for off := 0; off < len(whole); off += step {
				p := make([]byte, min(step, len(whole)-off))
				if err := f.ReadTensor("f", p, int64(off)); err != nil {
					t.Fatal(err)
				}
				all = append(all, p...)
			}
			if !bytes.Equal(all, whole) {
				t.Errorf("pieces of %d bytes differ from the whole", step)
			}
		}
	}
}

func TestHostileNPZ(t *testing.T) {
	sound := npzOf(t, zip.Deflate, map[string][]byte{"a": npyOf("<f4", false, []int{1000}, make([]byte, 4000))})
	twice := npzOf(t, zip.Store, map[string][]byte{"a": npyOf("<f4", false, []int{1}, ramp(1)), "b": npyOf("<f4", false, []int{1}, ramp(1))})
	twice = bytes.ReplaceAll(twice, []byte("b.npy"), []byte("a.npy"))
	flip := slices.Clone(sound)
	flip[len("PK..")+40] ^= 0xff // in the deflated data

	// An entry whose directory says that 50 bytes become 16 GB.
	bomb := slices.Clone(sound)
	at := bytes.Index(bomb, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(bomb[at+24:], 0xfffffff0)

	// An entry that is said to be stored and larger than the file.
	large := npzOf(t, zip.Store, map[string][]byte{"a": npyOf("<f4", false, []int{1}, ramp(1))})
	at = bytes.Index(large, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(large[at+20:], 1<<30)
	binary.LittleEndian.PutUint32(large[at+24:], 1<<30)

	one := func(data []byte) []byte { return npzOf(t, zip.Store, map[string][]byte{"a": data}) }
	for _, tt := range []struct {
		name    string
		data    []byte
		want    string
		corrupt bool
	}{
		{"cut short", sound[:len(sound)-9], "zip", true},
		{"bomb", bomb, "cannot come of", true},
		{"stored past the end", large, "past the end", true},
		{"name twice", twice, "comes twice", true},
		{"damaged data", flip, "a.npy", true},
		{"objects", one(npyOf("|O", false, []int{1}, make([]byte, 8))), `elements are "|O"`, false},
		{"big-endian", one(npyOf(">f4", false, []int{1}, make([]byte, 4))), `elements are ">f4"`, false},
		{"shape that is too large", one(npyOf("<f4", false, []int{1 << 40, 1 << 40}, nil)), "too large", true},
		{"data that is missing", one(npyOf("<f4", false, []int{3}, ramp(2))), "has 12 bytes, but 8 follow", true},
		{"no array", one([]byte("hello, world")), "not a sound .npy file", true},
	} {
		f, err := loader.Open(loadertest.File(t, "m", tt.data))
		if err == nil {
			err = f.ReadTensor("a", make([]byte, f.Tensors()[0].Bytes()), 0)
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, loader.ErrCorrupt) != tt.corrupt {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// TestNPZChecksum has deflated data that is sound but for its checksum.
func TestNPZChecksum(t *testing.T) {
	array := npyOf("<f4", false, []int{3}, ramp(3))
	data := npzOf(t, zip.Deflate, map[string][]byte{"a": array})
	sum := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(array))
	data = bytes.ReplaceAll(data, sum, []byte("abcd"))
	f, err := loader.Open(loadertest.File(t, "m", data))
	if err == nil {
		defer f.Close()
		err = f.ReadTensor("a", make([]byte, 12), 0)
	}
	if !errors.Is(err, loader.ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}
