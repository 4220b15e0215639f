package index_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

var space = index.Space{Model: "m", Trunk: "t", Preprocess: index.Preprocess{Size: 64, CropPct: 0.875, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}}

// vectors makes n embeddings of d values.
func vectors(n, d int) [][]float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	all := make([][]float32, n)
	for i := range all {
		for range d {
			all[i] = append(all[i], float32(r.NormFloat64()*3))
		}
	}
	return all
}

// write makes an index of pictures that are no files.
func write(t *testing.T, dtype loader.DType, all [][]float32) *index.Index {
	t.Helper()
	path := filepath.Join(t.TempDir(), "idx")
	w, err := index.Create(path, space, len(all[0]), dtype)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range all {
		if err := w.Add(index.Entry{Name: string(rune('a' + i)), Size: -1}, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t *testing.T, path string) *index.Index {
	t.Helper()
	x, err := index.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// TestSearch compares with cosines in float64, for pictures that fill several blocks, and not the last one.
func TestSearch(t *testing.T) {
	const n, d, k = 3000, 300, 7
	all := vectors(n, d)
	all[1234] = all[17] // equally near to everything
	all[2999] = all[17]
	cosine := func(a, b []float32) float64 {
		var ab, aa, bb float64
		for i := range a {
			ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
		}
		return ab / math.Sqrt(aa*bb)
	}
	queries := append(vectors(2, d), all[17])
	for dtype, tolerance := range map[loader.DType]float64{loader.F32: 1e-6, loader.F16: 1e-3} {
		x := write(t, dtype, all)
		found, err := x.Search(t.Context(), queries, k)
		if err != nil {
			t.Fatal(err)
		}
		for q, query := range queries {
			got := found[q]
			if len(got) != k {
				t.Fatalf("%d matches", len(got))
			}
			worst := 2.0
			var rows []int
			for _, m := range got {
				c := cosine(query, all[m.Row])
				if math.Abs(c-float64(m.Similarity)) > tolerance {
					t.Errorf("%v: similarity %v, want %v", dtype, m.Similarity, c)
				}
				worst, rows = min(worst, c), append(rows, m.Row)
			}
			for i, v := range all {
				if c := cosine(query, v); c > worst+2*tolerance && !slices.Contains(rows, i) {
					t.Errorf("%v: picture %d with %v is missing, the worst is %v", dtype, i, c, worst)
				}
			}
		}
		if got := found[2]; got[0].Row != 17 || got[1].Row != 1234 || got[2].Row != 2999 || got[0].Similarity != got[2].Similarity {
			t.Errorf("equal pictures come as %v", got[:3])
		}
	}
	few := write(t, loader.F32, all[:3])
	if found, err := few.Search(t.Context(), queries, k); err != nil || len(found[0]) != 3 {
		t.Errorf("%v, %v of three pictures", err, found)
	}
}

func TestSearchRefuses(t *testing.T) {
	x := write(t, loader.F32, vectors(4, 5))
	zero, nan := make([]float32, 5), []float32{1, 2, 3, 4, float32(math.NaN())}
	for _, query := range [][]float32{zero, nan, nil, make([]float32, 4)} {
		if _, err := x.Search(t.Context(), [][]float32{query}, 1); err == nil {
			t.Errorf("query %v was accepted", query)
		}
	}
	if _, err := x.Search(t.Context(), vectors(1, 5), 0); err == nil {
		t.Error("0 nearest were accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, vectors(1, 5), 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestIndexKeepsEmbeddings with their lengths, also when copied from one index to another.
func TestIndexKeepsEmbeddings(t *testing.T) {
	all := append(vectors(3, 40), make([]float32, 40)) // the last is zero
	x := write(t, loader.F32, all)
	path := filepath.Join(t.TempDir(), "copy")
	w, err := index.Create(path, x.Space(), x.Features(), x.DType())
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if err := w.Copy(index.Entry{Name: x.Name(3 - i), Size: -1}, x, 3-i); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, path)
	if c.Len() != 4 || c.Space() != space || c.Name(0) != "d" {
		t.Errorf("%d pictures of %+v, the first %q", c.Len(), c.Space(), c.Name(0))
	}
	for i, want := range all {
		a, err1 := x.Embedding(i)
		b, err2 := c.Embedding(3 - i)
		if err := errors.Join(err1, err2); err != nil || !slices.Equal(a, b) {
			t.Errorf("%v: the copy of %d is another", err, i)
		}
		for j := range want {
			if math.Abs(float64(a[j]-want[j])) > 1e-6*math.Abs(float64(want[j])) {
				t.Errorf("picture %d, value %d: %v, want %v", i, j, a[j], want[j])
			}
		}
	}
	if _, err := x.Embedding(4); err == nil {
		t.Error("picture 4 of 4 was given")
	}
}

// TestFiles finds files by any path, notices changes, and survives being moved together with them.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "before")
	if err := os.MkdirAll(filepath.Join(dir, "pictures"), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	inside, outside := filepath.Join("pictures", "a.png"), filepath.Join(t.TempDir(), "b.png")
	for _, f := range []string{inside, outside} {
		if err := os.WriteFile(f, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join("pictures", "idx")
	w, err := index.Create(path, space, 2, loader.F16)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range []string{inside, outside} {
		e, err := index.File(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(e, []float32{1, float32(i)}); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(e, []float32{1, 1}); err == nil || !strings.Contains(err.Error(), "twice") || !w.Has(e) {
			t.Errorf("a second time: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	x := open(t, path)
	if x.Name(0) != "a.png" || x.Name(1) != filepath.ToSlash(outside) {
		t.Errorf("names %q and %q", x.Name(0), x.Name(1))
	}
	for _, f := range []string{inside, "./" + inside, filepath.Join(dir, inside), "pictures/../pictures/a.png"} {
		if i, ok := x.Find(f); !ok || i != 0 {
			t.Errorf("%s is %d, %v", f, i, ok)
		}
		e, err := index.File(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := x.Unchanged(e); !ok {
			t.Errorf("%s has changed", f)
		}
		e.ModTime++
		if _, ok := x.Unchanged(e); ok {
			t.Errorf("%s has not changed with its time", f)
		}
		e.ModTime--
		e.Size++
		if _, ok := x.Unchanged(e); ok {
			t.Errorf("%s has not changed with its size", f)
		}
	}
	if _, ok := x.Find("b.png"); ok {
		t.Error("another b.png was found")
	}
	after := filepath.Join(filepath.Dir(dir), "after")
	if err := errors.Join(x.Close(), os.Rename(dir, after)); err != nil {
		t.Fatal(err)
	}
	moved := open(t, filepath.Join(after, path))
	if got, want := moved.Path(0), filepath.Join(after, inside); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestCreateRefuses what cannot be kept, and leaves an old file alone.
func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "idx")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := index.Create(path, space, 3, loader.BF16); err == nil {
		t.Error("BF16 was accepted")
	}
	w, err := index.Create(path, space, 3, loader.F32)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range [][]float32{{1, 2}, {1, 2, float32(math.NaN())}, {1, 2, float32(math.Inf(1))}} {
		if err := w.Add(index.Entry{Name: "x"}, v); err == nil {
			t.Errorf("%v was accepted", v)
		}
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("the file holds %q", text)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
}

// TestOpenRefuses files that are no index, or whose parts do not fit together.
func TestOpenRefuses(t *testing.T) {
	meta := map[string]string{"format": "bitgpu index 1", "bitgpu_preprocess": "{}"}
	i64 := func(name string, values ...byte) loadertest.Tensor {
		var data []byte
		for _, v := range values {
			data = append(data, v, 0, 0, 0, 0, 0, 0, 0)
		}
		return loadertest.Tensor{Name: name, DType: loader.I64, Shape: []int{len(values)}, Data: data}
	}
	good := func() []loadertest.Tensor {
		return []loadertest.Tensor{
			loadertest.Floats("embeddings", loader.F32, []int{2, 2}, 1, 0, 0, 1), loadertest.Floats("norms", loader.F32, []int{2}, 1, 2),
			i64("sizes", 1, 2), i64("mtimes", 3, 4), i64("name_ends", 1, 2), loadertest.Bytes("names", []byte("ab")),
		}
	}
	with := func(changed loadertest.Tensor) []loadertest.Tensor {
		all := good()
		for i := range all {
			if all[i].Name == changed.Name {
				all[i] = changed
			}
		}
		return all
	}
	path := func(meta map[string]string, tensors []loadertest.Tensor) string {
		return loadertest.File(t, "idx", loadertest.Safetensors(meta, tensors...))
	}
	open(t, path(meta, good()))
	for name, test := range map[string]string{
		"no metadata":      path(nil, good()),
		"another format":   path(map[string]string{"format": "pt"}, good()),
		"no preprocessing": path(map[string]string{"format": meta["format"]}, good()),
		"no embeddings":    path(meta, good()[1:]),
		"no names":         path(meta, good()[:5]),
		"three sizes":      path(meta, with(i64("sizes", 1, 2, 3))),
		"names backwards":  path(meta, with(i64("name_ends", 2, 1))),
		"names too long":   path(meta, with(i64("name_ends", 1, 9))),
		"names too short":  path(meta, with(i64("name_ends", 1, 1))),
		"equal names":      path(meta, with(loadertest.Bytes("names", []byte("aa")))),
		"bytes":            path(meta, with(loadertest.Tensor{Name: "embeddings", DType: loader.U8, Shape: []int{2, 2}, Data: []byte{1, 2, 3, 4}})),
		"a line":           path(meta, with(loadertest.Floats("embeddings", loader.F32, []int{2}, 1, 2))),
	} {
		if _, err := index.Open(test); !errors.Is(err, loader.ErrCorrupt) || !strings.Contains(err.Error(), test) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	nan := open(t, path(meta, with(loadertest.Floats("embeddings", loader.F32, []int{2, 2}, 1, 0, 0, float32(math.NaN())))))
	if _, err := nan.Search(t.Context(), [][]float32{{1, 1}}, 1); err == nil {
		t.Error("a search among NaN was accepted")
	}
}

func TestSpaceDiffers(t *testing.T) {
	other := space
	if d := space.Differs(other); d != "" {
		t.Error(d)
	}
	other.Model = "copy of m"
	if d := space.Differs(other); d != "" {
		t.Errorf("%s, but the weights are the same", d)
	}
	other.Trunk = "u"
	if d := space.Differs(other); !strings.Contains(d, "copy of m") {
		t.Error(d)
	}
	other = space
	other.Preprocess.Flip = true
	if d := space.Differs(other); !strings.Contains(d, "flip") {
		t.Error(d)
	}
}

// BenchmarkSearch searches 100,000 embeddings of 1024 values: opens the file, and compares one query and 64, the file
// being in the system's cache.
func BenchmarkSearch(b *testing.B) {
	const n, d = 100_000, 1024
	for _, dtype := range []loader.DType{loader.F32, loader.F16} {
		path := filepath.Join(b.TempDir(), "idx")
		w, err := index.Create(path, space, d, dtype)
		if err != nil {
			b.Fatal(err)
		}
		few := vectors(64, d)
		for i := range n {
			if err := w.Add(index.Entry{Name: strconv.Itoa(i), Size: -1}, few[i%64]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(dtype.String()+"/open", func(b *testing.B) {
			for b.Loop() {
				x, err := index.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				x.Close()
			}
		})
		x, err := index.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		for _, queries := range []int{1, 64} {
			b.Run(fmt.Sprintf("%v/%d", dtype, queries), func(b *testing.B) {
				for b.Loop() {
					if _, err := x.Search(b.Context(), few[:queries], 10); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		x.Close()
	}
}
