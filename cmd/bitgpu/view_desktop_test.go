//go:build desktop

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What PATHs lead to is shown, and so is why one leads to nothing.
func TestViewedInputs(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	damaged := filepath.Join(dir, "damaged.png")
	missing := filepath.Join(dir, "missing.jpg")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte("nothing"), 0o666); err != nil {
		t.Fatal(err)
	}
	const good = "../../docs/photos/coffee.png"
	want := []struct {
		name string
		bad  bool
	}{{missing, true}, {empty, true}, {good, false}, {damaged, true}}
	a, n := &app{}, 0
	for v := range a.viewedInputs(&pictureFlags{}, []string{missing, empty, good, damaged}) {
		if n == len(want) {
			t.Fatalf("%s is one too many", v.name)
		}
		_, err := v.decode(t.Context())
		if v.name != want[n].name || (err != nil) != want[n].bad {
			t.Errorf("%s: %v, want %s, an error: %v", v.name, err, want[n].name, want[n].bad)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d inputs, want %d", n, len(want))
	}
}
