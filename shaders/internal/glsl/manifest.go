package glsl

import (
	"fmt"
	"os"
	"strings"

	"github.com/bitgpu/bitgpu/shaders"
)

// Entry is what the SPIR-V of one kernel was compiled from and with.
type Entry struct {
	Hash    string // SourceHash
	Version string // Compiler.Version
}

// Manifest is what spv/MANIFEST says of every kernel, by name. Its text has the version of a compiler, and
// after it, until the next version, a line for each kernel: its hash and its name.
type Manifest map[string]Entry

// ReadManifest reads a MANIFEST; an empty one if there is no such file.
func ReadManifest(path string) (Manifest, error) {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("glsl: %w", err)
	}
	m, version := Manifest{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if hash, name, ok := strings.Cut(line, " "); ok && len(hash) == 64 {
			m[name] = Entry{hash, version}
		} else {
			version = line
		}
	}
	return m, nil
}

// String is the text, with the kernels in the order of the registry, those that need matrices last.
func (m Manifest) String() string {
	var b strings.Builder
	version := ""
	for _, matrix := range []bool{false, true} {
		for _, k := range shaders.All() {
			e, ok := m[k.Name]
			if k.Matrix != matrix || !ok {
				continue
			}
			if e.Version != version {
				version = e.Version
				fmt.Fprintln(&b, version)
			}
			fmt.Fprintln(&b, e.Hash, k.Name)
		}
	}
	return b.String()
}
