package vk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoaderFailures(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	names := []string{"libvulkan-none.so.1", text, otherLibrary}
	_, err := openFirst(names)
	if err == nil {
		t.Fatal("opened")
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v\ndoes not say that %s was tried", err, name)
		}
	}
}

func TestLoaderVariable(t *testing.T) {
	t.Setenv(LoaderVariable, "/nonexistent/vulkan")
	if _, err := OpenLoader(); err == nil || !strings.Contains(err.Error(), LoaderVariable) {
		t.Errorf("%v, want an error that names $%s", err, LoaderVariable)
	}
	t.Setenv(LoaderVariable, "")
	l, err := OpenLoader()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(LoaderVariable, l.Name)
	if l, err = OpenLoader(); err != nil || l.Version() < 1<<22|1<<12 {
		t.Errorf("%v, version %#x", err, l.Version())
	}
}

func TestLoaderNames(t *testing.T) {
	if len(loaderNames()) == 0 || installLoader == "" {
		t.Error("nothing to try or to install on this system")
	}
}

func TestHasLayer(t *testing.T) {
	l, err := OpenLoader()
	if err != nil {
		t.Fatal(err)
	}
	if l.HasLayer("VK_LAYER_bitgpu_none") {
		t.Error("a layer that is not there")
	}
	if !l.HasLayer(ValidationLayer) {
		t.Error("the validation layer is not found; apt-get install vulkan-validationlayers")
	}
}
