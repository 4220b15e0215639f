// Command build compiles every kernel's GLSL to SPIR-V and writes spv/NAME.spv and spv/MANIFEST.
// Run it in the folder shaders (`make shaders`).
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
	version, err := glsl.Version()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "spv", "*.spv"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	for _, k := range shaders.All() {
		code, err := glsl.Compile(dir, k)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "spv", k.Name+".spv"), code, 0o644); err != nil {
			return err
		}
	}
	manifest, err := glsl.Manifest(dir, version)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "spv", "MANIFEST"), []byte(manifest), 0o644)
}
