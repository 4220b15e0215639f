package gputest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
)

func TestOpen(t *testing.T) {
	d := Open(t)
	if d.Info().Name == "" {
		t.Error("a device without a name")
	}
}

// recorder is a test that only takes notes.
type recorder struct {
	testing.TB
	cleanup []func()
	log     strings.Builder
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(f string, a ...any) { fmt.Fprintf(&r.log, f, a...) }
func (r *recorder) Fatalf(f string, a ...any) {
	fmt.Fprintf(&r.log, f, a...)
	panic(r)
}

func TestOpenSaysWhatToInstall(t *testing.T) {
	t.Setenv("BITGPU_VULKAN", "/nonexistent")
	r := &recorder{TB: t}
	defer func() {
		if recover() != r || !strings.Contains(r.log.String(), "vulkan-validationlayers") {
			t.Errorf("log %q", r.log.String())
		}
	}()
	OpenOptions(r, gpu.Options{})
}

func TestCloseIsChecked(t *testing.T) {
	r := &recorder{TB: t}
	d := OpenOptions(r, gpu.Options{})
	if len(r.cleanup) != 1 {
		t.Fatalf("%d cleanups", len(r.cleanup))
	}
	r.cleanup[0]()
	if r.log.Len() != 0 {
		t.Errorf("log %q", r.log.String())
	}
	if _, err := d.NewBuffer(64, gpu.Upload); err == nil {
		t.Error("the device is still open")
	}
}
