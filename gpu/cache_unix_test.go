//go:build unix

package gpu

import (
	"os"
	"path/filepath"
	"testing"
)

// A file in place of a folder is another error on Windows.
func TestUnwritablePipelineCache(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Open(Options{CacheDir: blocked})
	if err != nil {
		t.Fatalf("a cache that cannot be used keeps the device from opening: %v", err)
	}
	newPipeline(t, d, affineKernel())
	if err := d.Close(); err == nil {
		t.Error("Close does not tell that the cache could not be written")
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
