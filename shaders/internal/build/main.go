// Command build compiles every kernel's GLSL to SPIR-V and writes spv/NAME.spv and spv/MANIFEST.
// Run it in the folder shaders (`make shaders`).
//
// Kernels with cooperative matrices need a newer compiler than Debian 12's. Without one their SPIR-V
// stays as it is, which is said on stderr.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/bitgpu/bitgpu/shaders"
	"github.com/bitgpu/bitgpu/shaders/internal/glsl"
)

func main() {
	if err := build("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(dir string) error {
	spv := func(name string) string { return filepath.Join(dir, "spv", name) }
	old, err := glsl.ReadManifest(spv("MANIFEST"))
	if err != nil {
		return err
	}
	manifest, keep := glsl.Manifest{}, map[string]bool{}
	for _, k := range shaders.All() {
		keep[spv(k.Name+".spv")] = true
		hash, err := glsl.SourceHash(dir, k)
		if err != nil {
			return err
		}
		c, err := glsl.CompilerFor(k)
		if err != nil && k.Matrix {
			state := "up to date"
			if old[k.Name].Hash != hash {
				state = "OUT OF DATE"
			}
			fmt.Fprintf(os.Stderr, "spv/%s.spv is left as it is, %s: %v\n", k.Name, state, err)
			if e, ok := old[k.Name]; ok {
				manifest[k.Name] = e
			}
			continue
		}
		if err != nil {
			return err
		}
		code, err := c.Compile(dir, k)
		if err != nil {
			return err
		}
		if err := os.WriteFile(spv(k.Name+".spv"), code, 0o644); err != nil {
			return err
		}
		manifest[k.Name] = glsl.Entry{Hash: hash, Version: c.Version}
	}
	files, err := filepath.Glob(spv("*.spv"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if !keep[name] {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(spv("MANIFEST"), []byte(manifest.String()), 0o644)
}
