package loader_test

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// residentFiles returns the bytes of file pages that are mapped in.
func residentFiles(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "RssFile:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Skip("no RssFile in /proc/self/status")
	return 0
}

func TestStreamingKeepsResidentSizeSmall(t *testing.T) {
	const size = 64 << 20
	c := open(t, loadertest.File(t, "m.safetensors", loadertest.Safetensors(nil, loadertest.Bytes("a", bytes.Repeat([]byte{1}, size)))))
	before := residentFiles(t)
	piece := make([]byte, 1<<20+1000) // so that pieces end inside pages
	for off := int64(0); off < size; off += int64(len(piece)) {
		if err := c.ReadTensor("a", piece[:min(int64(len(piece)), size-off)], off); err != nil {
			t.Fatal(err)
		}
	}
	if grown := residentFiles(t) - before; grown > 8<<20 {
		t.Errorf("%d MiB stayed resident after streaming %d MiB", grown>>20, size>>20)
	}
}

func TestTruncatedWhileOpenIsAnError(t *testing.T) {
	const size = 1 << 20
	path := loadertest.File(t, "m.safetensors", loadertest.Safetensors(nil, loadertest.Bytes("a", make([]byte, size))))
	c := open(t, path)
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	err := c.ReadTensor("a", make([]byte, 1000), size/2)
	if err == nil || errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "no longer be read") {
		t.Errorf("error %v", err)
	}
	if err := c.ReadTensor("a", make([]byte, 10), 0); err != nil {
		t.Errorf("the part that is left: %v", err)
	}
}
