package bitgpu_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// copyFile copies a file to a new name.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWriteIndex follows an index through additions, changes, disappearances and failures.
func TestWriteIndex(t *testing.T) {
	m := demo(t, bitgpu.Options{Precision: bitgpu.FP32})
	dir := t.TempDir()
	path, name := filepath.Join(dir, "idx"), func(s string) string { return filepath.Join(dir, s) }
	copyFile(t, photo, name("a.png"))
	copyFile(t, "docs/photos/coffee.png", name("b.png"))
	copyFile(t, "docs/photos/CREDITS.txt", name("c.png"))

	// update writes the index and tells what became of each input.
	update := func(o bitgpu.IndexOptions, files ...string) (all []string) {
		t.Helper()
		o.Each = func(d bitgpu.Indexed) {
			what := "embedded"
			switch {
			case d.Err != nil:
				what = "failed"
			case d.Reused:
				what = "reused"
			case d.Twice:
				what = "twice"
			}
			all = append(all, filepath.Base(d.Input.Path)+" "+what)
		}
		inputs := func(yield func(bitgpu.Input) bool) {
			for _, f := range files {
				if !yield(bitgpu.Input{Path: name(f)}) {
					return
				}
			}
		}
		if err := m.WriteIndex(t.Context(), path, inputs, o); err != nil {
			t.Fatal(err)
		}
		return all
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// holds checks the index against the model: name and content of each row.
	holds := func(files ...[2]string) {
		t.Helper()
		x, err := index.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if x.Len() != len(files) || m.CheckIndex(x) != nil {
			t.Fatalf("%d pictures of %+v", x.Len(), x.Space())
		}
		for i, f := range files {
			v, err := m.Embed(t.Context(), open(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			found, err := x.Search(t.Context(), [][]float32{v}, 1)
			if err != nil || filepath.Base(x.Name(i)) != f[0] || found[0][0].Row != i || found[0][0].Similarity < 0.9999 {
				t.Errorf("row %d is %q and %v is nearest: %v", i, x.Name(i), found, err)
			}
		}
	}
	coffee, other := "docs/photos/coffee.png", "loader/testdata/preproc/src/gray_LA.png"
	expect(update(bitgpu.IndexOptions{}, "a.png", "b.png", "c.png", "none.png", "a.png"),
		"a.png embedded", "b.png embedded", "c.png failed", "none.png failed", "a.png twice")
	holds([2]string{"a.png", photo}, [2]string{"b.png", coffee})

	copyFile(t, other, name("d.png"))
	expect(update(bitgpu.IndexOptions{DType: loader.F16}, "a.png", "d.png", "b.png", "b.png"),
		"a.png reused", "d.png embedded", "b.png reused", "b.png twice")
	holds([2]string{"a.png", photo}, [2]string{"d.png", other}, [2]string{"b.png", coffee})

	later := time.Now().Add(time.Hour)
	copyFile(t, other, name("a.png"))
	if err := os.Chtimes(name("a.png"), later, later); err != nil {
		t.Fatal(err)
	}
	expect(update(bitgpu.IndexOptions{}, "b.png", "a.png"), "b.png reused", "a.png embedded") // d.png is dropped
	holds([2]string{"b.png", coffee}, [2]string{"a.png", other})
	expect(update(bitgpu.IndexOptions{}, "a.png"), "a.png reused")
	expect(update(bitgpu.IndexOptions{Rebuild: true}, "a.png"), "a.png embedded")
	expect(update(bitgpu.IndexOptions{}))
	holds()
}

// TestWriteIndexRefuses another model's index, and what is none; these stay, also when it is cancelled.
func TestWriteIndexRefuses(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	other := modeltest.Open(t, bitgpu.Demo, bitgpu.Options{Preprocess: bitgpu.Override{Size: 48}})
	dir := t.TempDir()
	path := filepath.Join(dir, "idx")
	pictures := slices.Values([]bitgpu.Input{{Name: "a picture", Image: open(photo)}})
	if err := other.WriteIndex(t.Context(), path, pictures, bitgpu.IndexOptions{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	junk := filepath.Join(dir, "junk")
	copyFile(t, "docs/photos/CREDITS.txt", junk)
	for _, test := range []struct {
		ctx  context.Context
		m    *bitgpu.Model
		path string
		want error
	}{
		{t.Context(), m, path, bitgpu.ErrOtherModel}, {t.Context(), m, junk, loader.ErrCorrupt}, {cancelled, other, path, context.Canceled},
	} {
		if err := test.m.WriteIndex(test.ctx, test.path, pictures, bitgpu.IndexOptions{}); !errors.Is(err, test.want) {
			t.Errorf("error %v, want %v", err, test.want)
		}
	}
	if after, _ := os.ReadFile(path); !slices.Equal(before, after) {
		t.Error("the index has changed")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%v is left", entries)
	}
	if err := m.WriteIndex(t.Context(), path, pictures, bitgpu.IndexOptions{Rebuild: true}); err != nil {
		t.Error(err)
	}
	x, err := index.Open(path)
	if err != nil || x.Len() != 1 || x.Name(0) != "a picture" || m.CheckIndex(x) != nil {
		t.Error(err, fmt.Sprint(x))
	}
	x.Close()
}
