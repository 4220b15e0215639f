package shaders_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
	"github.com/bitgpu/bitgpu/shaders/internal/glsl"
)

// TestManifest compares the sources with those that the committed SPIR-V was compiled from.
func TestManifest(t *testing.T) {
	path := filepath.Join("spv", "MANIFEST")
	m, err := glsl.ReadManifest(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range shaders.All() {
		hash, err := glsl.SourceHash(".", k)
		if err != nil {
			t.Fatal(err)
		}
		if e := m[k.Name]; e.Hash != hash || e.Version == "" {
			t.Errorf("spv/%s.spv was not made from its source (%+v, the source is %s): run `make shaders`", k.Name, e, hash)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if m.String() != string(text) {
		t.Error("spv/MANIFEST is not as it is written, or has more kernels than the registry: run `make shaders`")
	}
}

// TestSPIRVFiles checks that spv holds the kernels of the registry and nothing else.
func TestSPIRVFiles(t *testing.T) {
	want := []string{"MANIFEST"}
	for _, k := range shaders.All() {
		want = append(want, k.Name+".spv")
	}
	entries, err := os.ReadDir("spv")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("spv holds %v, want %v", got, want)
	}
}

// TestSPIRVBytes compiles every kernel again whose compiler, in the manifest's version, is installed.
func TestSPIRVBytes(t *testing.T) {
	m, err := glsl.ReadManifest(filepath.Join("spv", "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range shaders.All() {
		t.Run(k.Name, func(t *testing.T) {
			c, err := glsl.CompilerFor(k)
			if want := m[k.Name].Version; err != nil || c.Version != want {
				t.Skipf("needs %q; here: %q, %v", want, c.Version, err)
			}
			code, err := c.Compile(".", k)
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(filepath.Join("spv", k.Name+".spv"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(code, file) {
				t.Errorf("spv/%s.spv is not what its source compiles to: run `make shaders`", k.Name)
			}
		})
	}
}

// TestManifestNoticesChanges changes one source at a time and looks whose SPIR-V is then out of date.
func TestManifestNoticesChanges(t *testing.T) {
	for file, affected := range map[string]func(*shaders.Kernel) bool{
		"":             func(*shaders.Kernel) bool { return false },
		"maxpool.comp": func(k *shaders.Kernel) bool { return k.Source == "maxpool.comp" },
		"conv.glsl": func(k *shaders.Kernel) bool {
			return strings.HasPrefix(k.Source, "conv_") && k.Source != "conv_panel.comp"
		},
		"block.glsl": func(k *shaders.Kernel) bool {
			return k.Source != "gn_finalize.comp" && !strings.HasPrefix(k.Source, "peak_") && !strings.HasPrefix(k.Source, "resize_")
		},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
			t.Fatal(err)
		}
		if file != "" {
			appendSpace(t, filepath.Join(dir, file))
		}
		for _, k := range shaders.All() {
			before, err1 := glsl.SourceHash(".", k)
			after, err2 := glsl.SourceHash(dir, k)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if changed := before != after; changed != affected(k) {
				t.Errorf("after a change of %q: %s is out of date: %v", file, k.Name, changed)
			}
		}
	}
}

func appendSpace(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, ' '), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSourceHashNoticesDefines: the variants of one source are told apart.
func TestSourceHashNoticesDefines(t *testing.T) {
	a, err1 := glsl.SourceHash(".", shaders.For(shaders.F32).MaxPool)
	b, err2 := glsl.SourceHash(".", shaders.For(shaders.F16).MaxPool)
	if err1 != nil || err2 != nil || a == b {
		t.Errorf("%q and %q; %v, %v", a, b, err1, err2)
	}
	if _, err := glsl.SourceHash(t.TempDir(), shaders.For(shaders.F32).MaxPool); err == nil {
		t.Error("the hash of a source that is not there")
	}
}
