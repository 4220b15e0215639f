package gpu

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// fillCache opens a device with a cache folder, makes a pipeline, and returns the only file in the folder.
func fillCache(t *testing.T, dir string) (file string, content []byte) {
	t.Helper()
	d, err := Open(Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	newPipeline(t, d, affineKernel())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	content, err = os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return files[0], content
}

func TestPipelineCacheOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b") // is made
	file, first := fillCache(t, dir)
	if _, ok := unpackCache(first); !ok {
		t.Fatal("the file is not whole")
	}
	d := open(t, Options{CacheDir: dir})
	if len(d.pipelines.stored) == 0 {
		t.Error("the second start does not read what the first one wrote")
	}
	if filepath.Base(d.cacheFile()) != filepath.Base(file) {
		t.Errorf("file %s, want %s", d.cacheFile(), file)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	newPipeline(t, d, affineKernel())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written again although nothing in it is new (%v)", err)
	}
}

func TestBadPipelineCacheIsReplaced(t *testing.T) {
	dir := t.TempDir()
	file, good := fillCache(t, dir)
	data, _ := unpackCache(good)
	flip := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	foreign := bytes.Clone(data)
	foreign[20] ^= 1 // in the driver's cache UUID
	for name, bad := range map[string][]byte{
		"empty":          {},
		"text":           []byte("hello"),
		"truncated":      good[:len(good)-1],
		"only magic":     []byte(cacheMagic),
		"flipped data":   flip(len(good) - 1),
		"flipped sum":    flip(len(cacheMagic)),
		"flipped magic":  flip(0),
		"another driver": packCache(foreign),
		"no header":      packCache([]byte("short")),
	} {
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		d := open(t, Options{CacheDir: dir})
		if d.pipelines.stored != nil {
			t.Errorf("%s: given to the driver", name)
		}
		newPipeline(t, d, affineKernel())
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := unpackCache(got); !ok {
			t.Errorf("%s: not replaced", name)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("files left behind: %v", files)
	}
}
