package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hundred makes a directory of a hundred pictures, of which three are broken: the first, one in the middle, and the
// last. files are their paths in order.
func hundred(t *testing.T) (dir string, files []string, bad map[int]bool) {
	t.Helper()
	dir = t.TempDir()
	picture, err := os.ReadFile(rocket)
	if err != nil {
		t.Fatal(err)
	}
	bad = map[int]bool{0: true, 41: true, 99: true}
	for i := range 100 {
		content := picture
		if bad[i] {
			content = picture[:len(picture)/3]
		}
		files = append(files, filepath.Join(dir, fmt.Sprintf("%02d.jpg", i)))
		if err := os.WriteFile(files[i], content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir, files, bad
}

// TestThreeBadOfHundred wants the others answered, in every format, and one message for each of the three.
func TestThreeBadOfHundred(t *testing.T) {
	dir, files, bad := hundred(t)
	complaints := func(t *testing.T, stderr string) {
		t.Helper()
		if !strings.HasSuffix(stderr, "bitgpu: 3 of 100 inputs failed\n") {
			t.Errorf("stderr %q", stderr)
		}
	}
	told := func(t *testing.T, stderr string) {
		t.Helper()
		complaints(t, stderr)
		if strings.Count(stderr, "\n") != 4 {
			t.Errorf("stderr %q, want four lines", stderr)
		}
		for i := range bad {
			wants(t, stderr, "bitgpu: "+files[i]+": ")
		}
	}
	t.Run("table", func(t *testing.T) {
		out := bitgpuRun(t, exitFailed, demoArgs("run", "--topk", "1", dir)...)
		told(t, out.stderr)
		if n, failed := strings.Count(out.stdout, "\n"), strings.Count(out.stdout, "-  failed\n"); n != 200 || failed != 3 {
			t.Errorf("%d lines, %d of them failed", n, failed)
		}
	})
	t.Run("json", func(t *testing.T) {
		out := bitgpuRun(t, exitFailed, demoArgs("run", "--format", "json", dir)...)
		complaints(t, out.stderr)
		got := lines(t, out.stdout)
		if len(got) != 100 {
			t.Fatalf("%d lines", len(got))
		}
		for i, l := range got {
			if l.File != files[i] || (l.Error != "") != bad[i] || (len(l.Top) == 5) == bad[i] {
				t.Errorf("line %d: %+v", i, l)
			}
		}
	})
	t.Run("csv", func(t *testing.T) {
		out := bitgpuRun(t, exitFailed, demoArgs("run", "--format", "csv", "--topk", "1", dir)...)
		complaints(t, out.stderr)
		got, err := csv.NewReader(strings.NewReader(out.stdout)).ReadAll()
		if err != nil || len(got) != 101 {
			t.Fatalf("%v, %d lines", err, len(got))
		}
		for i, l := range got[1:] {
			if l[0] != files[i] || (l[5] != "") != bad[i] || (l[4] == "") != bad[i] {
				t.Errorf("line %d: %q", i, l)
			}
		}
	})
	t.Run("archive", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "e.npz")
		told(t, bitgpuRun(t, exitFailed, demoArgs("embed", "--out", file, dir)...).stderr)
		got := readArchive(t, file)
		if !slices.Equal(got.files, files) {
			t.Errorf("names %q", got.files)
		}
		for i := range files {
			if row := rowOf(got.arrays["embedding"], i); finite(row) == bad[i] {
				t.Errorf("row %d: finite %v", i, finite(row))
			}
		}
	})
	t.Run("quiet", func(t *testing.T) {
		told(t, bitgpuRun(t, exitFailed, demoArgs("run", "--quiet", dir)...).stderr)
	})
}
