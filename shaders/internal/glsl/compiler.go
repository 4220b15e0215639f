package glsl

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu/shaders"
)

// Compiler is a glslangValidator that is installed here.
type Compiler struct {
	Path    string
	Version string // its own first line about itself
}

const (
	program   = "glslangValidator"
	newer     = "BITGPU_GLSLANG" // environment variable: a newer one than that on $PATH
	forMatrix = 15               // knows GL_KHR_cooperative_matrix and GL_NV_cooperative_matrix2
)

var major = regexp.MustCompile(`(\d+)\.\d+\.\d+`)

// CompilerFor returns the compiler for a kernel: glslangValidator on $PATH, which any version from Debian 12's
// on will do for, or for cooperative matrices the one that $BITGPU_GLSLANG names, if it is set. An error
// says what to install.
func CompilerFor(k *shaders.Kernel) (Compiler, error) {
	if !k.Matrix {
		return compiler(program)
	}
	path := os.Getenv(newer)
	if path == "" {
		path = program
	}
	c, err := compiler(path)
	if err != nil {
		return c, err
	}
	if m := major.FindStringSubmatch(c.Version); m != nil {
		if v, err := strconv.Atoi(m[1]); err == nil && v >= forMatrix {
			return c, nil
		}
	}
	return c, fmt.Errorf("glsl: %s is %q, cooperative matrices need version %d: set %s to a newer one (tests/drivers.sh glslang unpacks one)",
		c.Path, c.Version, forMatrix, newer)
}

func compiler(path string) (Compiler, error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return Compiler{}, fmt.Errorf("glsl: %s: %w (Debian: apt-get install glslang-tools)", path, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return Compiler{path, strings.TrimSpace(line)}, nil
}
