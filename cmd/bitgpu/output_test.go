package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
)

func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[31m\n\u202eb é犬\xff"), "a\ufffd[31m\ufffd\ufffdb é犬\ufffd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		s           string
		width       int
		end, before string
	}{
		{"grüße", 5, "grüße", "grüße"}, {"grüße", 4, "grü…", "…üße"}, {"grüße", 1, "…", "…"}, {"grüße", 0, "grüße", "grüße"},
		{"犬猫鳥", 6, "犬猫鳥", "犬猫鳥"}, {"犬猫鳥", 5, "犬猫…", "…猫鳥"}, {"犬猫鳥", 4, "犬…", "…鳥"}, {"e\u0301e\u0301e", 2, "e\u0301…", "…e"},
	} {
		if got := shorten(test.s, test.width); got != test.end {
			t.Errorf("%d: %q, want %q", test.width, got, test.end)
		}
		if got := shortenFront(test.s, test.width); got != test.before {
			t.Errorf("%d: %q, want %q", test.width, got, test.before)
		}
	}
}

// TestTable has a label that is too long, and names that would steer the terminal.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	w := (&app{stdout: &b}).text()
	r := &record{file: "x\ty.png", top: []bitgpu.Prediction{{Index: 1, Label: "great grey owl\a", Prob: 1}, {Index: 2, Label: "hen", Prob: 0.0004}}}
	if err := newRecorder(output{format: formatTable}, w, 20).write(r); err != nil {
		t.Fatal(err)
	}
	if want := "x\ufffdy.png\n  100.00%  great gr…\n    0.04%  hen\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// TestTextFile writes to a new file, through a link, and to what is no regular file.
func TestTextFile(t *testing.T) {
	dir := t.TempDir()
	a, target, link := &app{}, filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(path string) *textFile {
		t.Helper()
		w, err := a.createText(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("new"); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := write(link)
	w.Discard()
	if text, _ := os.ReadFile(target); string(text) != "old" {
		t.Errorf("after Discard: %q", text)
	}
	w = write(link)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	if text, _ := os.ReadFile(target); string(text) != "new" {
		t.Errorf("after Close: %q", text)
	}
	if err := write(os.DevNull).Close(); err != nil {
		t.Error(err)
	}
	write(os.DevNull).Discard()
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Error(err)
	}
	onlyFiles(t, dir, "link", "target")
}

// numbers counts to n.
func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
}

func TestOrdered(t *testing.T) {
	var running, most atomic.Int32
	square := func(i int) int {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		time.Sleep(time.Duration(5-i%5) * time.Millisecond) // later ones are done sooner
		return i * i
	}
	got := slices.Collect(ordered(context.Background(), numbers(30), 4, square))
	if len(got) != 30 || !slices.IsSorted(got) || got[29] != 29*29 {
		t.Error(got)
	}
	if most.Load() > 4 {
		t.Errorf("%d at once, want at most 4", most.Load())
	}
}

// TestOrderedEnds with its context, though the items do not.
func TestOrderedEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	blocked := func(yield func(int) bool) {
		yield(1)
		<-t.Context().Done()
	}
	n := 0
	for range ordered(ctx, blocked, 1, func(i int) int { return i }) {
		n++
		cancel()
	}
	if n != 1 {
		t.Errorf("%d items", n)
	}
}

func TestCheckOutput(t *testing.T) {
	inf := float32(1)
	for range 200 {
		inf *= 2
	}
	tensor := func(v ...float32) *bitgpu.Tensor { return &bitgpu.Tensor{Shape: []int{1, len(v)}, Data: v} }
	for _, bad := range []float32{inf, -inf, inf - inf} {
		for _, o := range []*bitgpu.Output{
			{Logits: tensor(1, bad)}, {Embedding: tensor(bad)}, {Unpooled: tensor(bad, 2)}, {Maps: []*bitgpu.Tensor{nil, tensor(bad)}},
		} {
			if checkOutput(o) == nil {
				t.Errorf("%v is taken for finite", bad)
			}
		}
	}
	if err := checkOutput(&bitgpu.Output{Logits: tensor(1, 2), Maps: []*bitgpu.Tensor{nil}}); err != nil {
		t.Error(err)
	}
}

// TestClosing tells what the validation layer says from what is merely a pity.
func TestClosing(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{stderr: &stderr}
	closer := func(err error) func() error { return func() error { return err } }
	if err := a.closing(nil, closer(errors.New("no room for a cache"))); err != nil {
		t.Error(err)
	}
	if stderr.String() != "bitgpu: warning: no room for a cache\n" {
		t.Errorf("%q", stderr.String())
	}
	invalid := &gpu.ValidationError{Messages: []string{"m"}}
	if err := a.closing(io.EOF, closer(invalid)); !errors.Is(err, io.EOF) || !errors.Is(err, invalid) {
		t.Error(err)
	}
}
