package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// archived is what an archive holds: arrays of float32 or uint8, and the names of the inputs.
type archived struct {
	arrays map[string]*bitgpu.Tensor
	files  []string
}

func readArchive(t *testing.T, path string) archived {
	t.Helper()
	if filepath.Ext(path) == ".npz" {
		return readZip(t, path)
	}
	c, err := loader.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := archived{arrays: map[string]*bitgpu.Tensor{}}
	for _, info := range c.Tensors() {
		data := make([]byte, info.Bytes())
		if err := c.ReadTensor(info.Name, data, 0); err != nil {
			t.Fatal(err)
		}
		if info.Name == filesName {
			if err := json.Unmarshal(data, &all.files); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			continue
		}
		x := &bitgpu.Tensor{Shape: info.Shape, Data: make([]float32, info.Len())}
		for i := range x.Data {
			if info.DType == loader.U8 {
				x.Data[i] = float32(data[i])
			} else {
				x.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
		}
		all.arrays[info.Name] = x
	}
	return all
}

func readZip(t *testing.T, path string) archived {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := archived{arrays: map[string]*bitgpu.Tensor{}}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(f.Name, ".npy")
		if name == filesName {
			all.files = npyStrings(t, data)
			continue
		}
		a, err := loader.NewNPY(bytes.NewReader(data), int64(len(data)), f.Name)
		if err != nil {
			t.Fatal(err)
		}
		x := &bitgpu.Tensor{Shape: a.Shape(), Data: make([]float32, a.Rows()*a.RowLen())}
		if err := a.ReadFloat32(x.Data, 0); err != nil {
			t.Fatal(err)
		}
		all.arrays[name] = x
	}
	return all
}

// npyStrings reads NumPy's type <U.
func npyStrings(t *testing.T, data []byte) []string {
	t.Helper()
	end := bytes.IndexByte(data, '\n')
	_, length, ok := strings.Cut(string(data[:end]), "'<U")
	length, _, _ = strings.Cut(length, "'")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || (end+1)%64 != 0 {
		t.Fatalf("header %q", data[:end])
	}
	var all []string
	for row := range slices.Chunk(data[end+1:], 4*n) {
		var s []rune
		for c := range slices.Chunk(row, 4) {
			if r := rune(c[0]) | rune(c[1])<<8 | rune(c[2])<<16; r != 0 {
				s = append(s, r)
			}
		}
		all = append(all, string(s))
	}
	return all
}

// TestArchives has all commands with arrays write them as one file, and wants the numbers of the .npy file, with the
// names of the inputs beside: of one that failed too.
func TestArchives(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, `grüße "犬".png`)
	picture, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, picture, 0o666); err != nil {
		t.Fatal(err)
	}
	inputs := []string{"missing.png", odd, rocket}
	for _, test := range []struct {
		command []string
		npy     map[string]string // by array
		model   bool
	}{
		{[]string{"run"}, map[string]string{"logits": ""}, true},
		{[]string{"embed"}, map[string]string{"embedding": ""}, true},
		{[]string{"embed", "--unpooled"}, map[string]string{"features": ""}, true},
		{[]string{"features", "--indices", "4,1"}, map[string]string{"feat1": "feat1.npy", "feat4": "feat4.npy"}, true},
		{[]string{"preprocess", "--model", "demo"}, map[string]string{"images": ""}, false},
		{[]string{"preprocess", "--model", "demo", "--uint8"}, map[string]string{"images": ""}, false},
	} {
		out := t.TempDir()
		args := test.command
		if test.model {
			args = slices.Concat(args[:1], demoFlags, args[1:])
		}
		path := filepath.Join(out, "plain.npy")
		if test.npy["feat1"] != "" {
			path = filepath.Join(out, "plain")
		}
		bitgpuRun(t, exitFailed, slices.Concat(args, []string{"--out", path}, inputs)...)
		for _, name := range []string{"all.npz", "all.safetensors"} {
			file := filepath.Join(out, name)
			result := bitgpuRun(t, exitFailed, slices.Concat(args, []string{"--out", file}, inputs)...)
			wants(t, result.stderr, "missing.png: no such file", "1 of 3 inputs failed")
			got := readArchive(t, file)
			if !slices.Equal(got.files, inputs) {
				t.Errorf("%v %s: names %q, want %q", test.command, name, got.files, inputs)
			}
			if len(got.arrays) != len(test.npy) {
				t.Errorf("%v %s: %d arrays", test.command, name, len(got.arrays))
			}
			for array_, at := range test.npy {
				want, a := array(t, filepath.Join(path, at)), got.arrays[array_]
				if a == nil || !slices.Equal(a.Shape, want.Shape) {
					t.Fatalf("%v %s: array %s is %+v, want shape %v", test.command, name, array_, a, want.Shape)
				}
				same(t, name, rowOf(a, 1), rowOf(want, 1))
				same(t, name, rowOf(a, 2), rowOf(want, 2))
				if slices.Contains(test.command, "--uint8") {
					if slices.Max(rowOf(a, 0)) != 0 {
						t.Errorf("%s: the row of an input that failed is not zero", name)
					}
				} else {
					allNaN(t, name, rowOf(a, 0))
				}
			}
		}
		onlyFiles(t, out, "all.npz", "all.safetensors", filepath.Base(path))
	}
}

// TestArchiveWithoutRows is no file, and leaves none of its parts.
func TestArchiveWithoutRows(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"x.npz", "x.safetensors"} {
		bitgpuRun(t, exitFailed, demoArgs("embed", "--out", filepath.Join(dir, name), "missing.png")...)
	}
	onlyFiles(t, dir)
}

// TestArchiveDiscarded leaves an old file alone.
func TestArchiveDiscarded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "old.npz")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := (&app{}).createWriter(output{flag: "--out", path: path, format: formatNPZ, names: []string{"a", "b"}, dtype: loader.F32})
	if err != nil {
		t.Fatal(err)
	}
	v := values{shape: []int{2}, floats: []float32{1, 2}}
	if err := w.write(&record{file: "x", rows: []values{v, v}}); err != nil {
		t.Fatal(err)
	}
	// A row of another shape is an error of that input, and blank in both arrays.
	other := &record{file: "y", rows: []values{v, {shape: []int{3}, floats: make([]float32, 3)}}}
	if err := w.write(other); err != nil || other.err == nil || !strings.Contains(other.err.Error(), "rows of "+path+" are [2]") {
		t.Errorf("%v, and the record's %v", err, other.err)
	}
	w.Discard()
	onlyFiles(t, dir, "old.npz")
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("%q", text)
	}
}

// TestFormats chooses by the flag, and else by the ending.
func TestFormats(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		file string
		want string // how the file begins
	}{
		{nil, "a.txt", cat + "\n"},
		{nil, "a", cat + "\n"},
		{nil, "a.JSONL", `{"file":`},
		{nil, "a.csv", "file,rank"},
		{[]string{"--format", "csv"}, "b.json", "file,rank"},
		{[]string{"--format", "npy"}, "b", "\x93NUMPY"},
		{nil, "a.npz", "PK"},
	} {
		path := filepath.Join(dir, test.file)
		bitgpuRun(t, exitOK, demoArgs("run", slices.Concat(test.args, []string{"--out", path, cat})...)...)
		if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), test.want) {
			t.Errorf("%v %s: %v, begins with %.20q, want %q", test.args, test.file, err, text, test.want)
		}
	}
}

// TestEmbedCSV has a column for every number, in the lines of inputs that failed too.
func TestEmbedCSV(t *testing.T) {
	m := openModel(t, bitgpu.Demo)
	out := bitgpuRun(t, exitFailed, demoArgs("embed", "--format", "csv", "missing.png", cat)...)
	all, err := csv.NewReader(strings.NewReader(out.stdout)).ReadAll()
	if err != nil || len(all) != 3 || len(all[0]) != 2+m.Info().Config.Features() {
		t.Fatalf("%v, %d lines:\n%.200s", err, len(all), out.stdout)
	}
	if !slices.Equal(all[0][:4], []string{"file", "error", "0", "1"}) || all[1][0] != "missing.png" || all[1][1] == "" || all[2][0] != cat || all[2][1] != "" {
		t.Errorf("%q", [][]string{all[0][:4], all[1][:4], all[2][:4]})
	}
	var got []float32
	for _, field := range all[2][2:] {
		v, err := strconv.ParseFloat(field, 32)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, float32(v))
	}
	same(t, cat, got, outputs(t, m, bitgpu.Outputs{Embedding: true}, cat)[0].Embedding.Data)
}
