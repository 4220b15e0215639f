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

// committed is spv/MANIFEST: the compiler's version, and the text.
func committed(t *testing.T) (version, text string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("spv", "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ = strings.Cut(string(b), "\n")
	return version, string(b)
}

// TestManifest compares the sources with those that the committed SPIR-V was compiled from.
func TestManifest(t *testing.T) {
	version, text := committed(t)
	now, err := glsl.Manifest(".", version)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Split(text, "\n")
	for i, line := range strings.Split(now, "\n") {
		if i >= len(old) || line != old[i] {
			t.Errorf("spv/MANIFEST does not have %q: run `make shaders`", line)
		}
	}
	if !t.Failed() && now != text {
		t.Error("spv/MANIFEST has more kernels than the registry: run `make shaders`")
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

// TestSPIRVBytes compiles every kernel again where the compiler of the manifest is installed.
func TestSPIRVBytes(t *testing.T) {
	want, _ := committed(t)
	if have, err := glsl.Version(); err != nil || have != want {
		t.Skipf("needs %s, %q; here: %q, %v", glsl.Compiler, want, have, err)
	}
	for _, k := range shaders.All() {
		code, err := glsl.Compile(".", k)
		if err != nil {
			t.Error(err)
			continue
		}
		file, err := os.ReadFile(filepath.Join("spv", k.Name+".spv"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(code, file) {
			t.Errorf("spv/%s.spv is not what its source compiles to: run `make shaders`", k.Name)
		}
	}
}

// TestManifestNoticesChanges changes one source at a time and looks whose SPIR-V is then out of date.
func TestManifestNoticesChanges(t *testing.T) {
	for file, affected := range map[string]func(*shaders.Kernel) bool{
		"":             func(*shaders.Kernel) bool { return false },
		"maxpool.comp": func(k *shaders.Kernel) bool { return k.Source == "maxpool.comp" },
		"conv.glsl":    func(k *shaders.Kernel) bool { return strings.HasPrefix(k.Source, "conv_") },
		"block.glsl":   func(k *shaders.Kernel) bool { return k.Source != "gn_finalize.comp" },
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
