package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"
	"github.com/bitgpu/bitgpu"
)

// photo is a picture whose answer is known.
func photo(t *testing.T, name string) fyne.URI {
	t.Helper()
	path, err := filepath.Abs("../../docs/photos/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return storage.NewFileURI(path)
}

// opened makes a picker in a window that nobody sees, and waits for the network. Answers come from the channel.
func opened(t *testing.T, model string) (*picker, chan string) {
	t.Helper()
	test.NewTempApp(t)
	p := newPicker(t.Context(), test.NewTempWindow(t, nil), model)
	t.Cleanup(p.close)
	ready, answers := make(chan struct{}), make(chan string, 1)
	fyne.DoAndWait(func() {
		p.answered = func(text string) { answers <- text }
		p.opened = func() { close(ready) }
		if !p.open.Disabled() {
			close(ready)
		}
	})
	if model == bitgpu.Demo {
		<-ready
	}
	return p, answers
}

// The button opens a dialog; what is chosen there is answered with bars.
func TestPick(t *testing.T) {
	p, answers := opened(t, bitgpu.Demo)
	if p.open.Disabled() || p.loading.Visible() {
		t.Error("the network is there, and cannot be used")
	}
	test.Tap(p.open)
	if p.window.Canvas().Overlays().Top() == nil {
		t.Fatal("the button opens no dialog")
	}
	p.picked(nil, nil) // left
	file, err := storage.Reader(photo(t, "chelsea.png"))
	if err != nil {
		t.Fatal(err)
	}
	p.picked(file, nil)
	if text := <-answers; !strings.HasPrefix(text, "cat, ") {
		t.Errorf("%q", text)
	}
	if p.labels[0].Text != "cat" || p.probs[0].Value < 0.5 || p.probs[0].Value < p.probs[1].Value || p.picture.Image == nil {
		t.Errorf("%s %.2f, %s %.2f", p.labels[0].Text, p.probs[0].Value, p.labels[1].Text, p.probs[1].Value)
	}
	p.show(photo(t, "CREDITS.txt"))
	if text := <-answers; !strings.Contains(text, "CREDITS.txt") || p.labels[0].Text != "cat" {
		t.Errorf("no picture: %q, and %s is left", text, p.labels[0].Text)
	}
}

// A network that is not there is an error that the user sees.
func TestNoModel(t *testing.T) {
	t.Setenv("HF_HUB_OFFLINE", "1")
	p, answers := opened(t, "/nonexistent/model")
	if text := <-answers; !strings.Contains(text, "/nonexistent/model") || !p.open.Disabled() {
		t.Errorf("%q, the button is disabled: %v", text, p.open.Disabled())
	}
}

// TestCommand is the program on a display.
func TestCommand(t *testing.T) {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" {
		t.Skip("no display; make examples has a virtual one")
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "-tags", "gles", ".", "-once", photo(t, "chelsea.png").Path()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "cat, ") {
		t.Errorf("%v\n%s", err, out)
	}
}
