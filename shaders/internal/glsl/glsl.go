// Package glsl compiles the kernels of package shaders with glslangValidator and tells whether the
// SPIR-V that is committed still belongs to its sources.
package glsl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/bitgpu/bitgpu/shaders"
)

var include = regexp.MustCompile(`(?m)^#include "([^"]+)"`)

// SourceHash returns the SHA-256 of all that decides a kernel's SPIR-V but the compiler: its GLSL
// file in dir, the files that it includes, and its definitions.
func SourceHash(dir string, k *shaders.Kernel) (string, error) {
	h := sha256.New()
	if err := hashFile(h, dir, k.Source, map[string]bool{}); err != nil {
		return "", fmt.Errorf("glsl: kernel %q: %w", k.Name, err)
	}
	fmt.Fprintf(h, "%q", k.Defines)
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashFile(w io.Writer, dir, name string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %d\n%s", name, len(text), text)
	for _, m := range include.FindAllStringSubmatch(string(text), -1) {
		if err := hashFile(w, dir, m[1], seen); err != nil {
			return err
		}
	}
	return nil
}

// Compile returns the SPIR-V of a kernel whose sources are in dir.
func (c Compiler) Compile(dir string, k *shaders.Kernel) ([]byte, error) {
	out, err := os.CreateTemp("", "*.spv")
	if err != nil {
		return nil, fmt.Errorf("glsl: kernel %q: %w", k.Name, err)
	}
	out.Close()
	defer os.Remove(out.Name())
	target := "vulkan1.1"
	if k.Flexible {
		target = "vulkan1.3" // the compiler knows GL_NV_cooperative_matrix2 from SPIR-V 1.6 on
	}
	args := []string{"-V", "--quiet", "--target-env", target, "-I" + dir, "-o", out.Name()}
	for _, d := range k.Defines {
		args = append(args, "-D"+d)
	}
	cmd := exec.Command(c.Path, append(args, filepath.Join(dir, k.Source))...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("glsl: kernel %q: %w\n%s", k.Name, err, msg)
	}
	return os.ReadFile(out.Name())
}
