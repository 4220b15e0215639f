package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMacOS type-checks all packages, their tests and what they import as macOS sees them, on any system. Debian has no
// cross compiler for macOS, so the functions and types of our C code and of Vulkan are taken as this system's C
// compiler sees them, and whatever GLFW and Go itself take from C counts as right.
func TestMacOS(t *testing.T) {
	work, translated := t.TempDir(), map[string][]string{}
	for _, arch := range []string{"arm64", "amd64"} {
		t.Run(arch, func(t *testing.T) {
			c := &checker{
				env:        append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=1"),
				sizes:      types.SizesFor("gc", arch),
				fset:       token.NewFileSet(),
				packages:   map[string]*types.Package{},
				work:       work,
				translated: translated,
			}
			for _, p := range c.list(t) {
				for _, err := range c.check(t, p) {
					t.Error(err)
				}
			}
			for _, file := range []string{"loader_darwin.go", "driver_darwin.go", "process_darwin.go", "loader_darwin_test.go", "window.go"} {
				if !slices.Contains(c.checked, file) {
					t.Errorf("%s was not checked", file)
				}
			}
		})
	}
}

// listed is a package, or one with its tests, as go list describes it.
type listed struct {
	ImportPath, Dir              string
	GoFiles, CgoFiles, CgoCFLAGS []string
	ImportMap                    map[string]string
	Module                       *struct {
		Path string
		Main bool
	}
	Error *struct{ Err string }
}

// ours says whether errors in the package are.
func (p listed) ours() bool { return p.Module != nil && p.Module.Main }

// portable says whether the package's C is the same everywhere, so that this system's compiler understands it.
func (p listed) portable() bool {
	return p.ours() || p.Module != nil && p.Module.Path == "github.com/vulkan-go/vulkan"
}

// checker type-checks packages for another system, in the order of their imports.
type checker struct {
	env        []string
	sizes      types.Sizes
	fset       *token.FileSet
	packages   map[string]*types.Package
	checked    []string            // names of our files
	work       string              // a folder for what cgo makes
	translated map[string][]string // by folder: the files that cgo made of those with C
}

// list returns all packages of the module with their tests, each after what it imports.
func (c *checker) list(t *testing.T) (all []listed) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-test", "-tags", "desktop",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,CgoCFLAGS,ImportMap,Module,Error", "../...")
	cmd.Env, cmd.Stderr = c.env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Error != nil && p.ours() {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		if !strings.HasSuffix(p.ImportPath, ".test") { // main packages that only go test writes
			all = append(all, p)
		}
	}
	return all
}

// files returns the paths of a package's files; those with C as cgo translates them, where it can.
func (c *checker) files(t *testing.T, p listed) (paths []string) {
	for _, name := range p.GoFiles {
		paths = append(paths, filepath.Join(p.Dir, name))
	}
	if len(p.CgoFiles) == 0 || !p.portable() {
		for _, name := range p.CgoFiles {
			paths = append(paths, filepath.Join(p.Dir, name))
		}
		return paths
	}
	if c.translated[p.Dir] == nil {
		c.translated[p.Dir] = translate(t, c.work, p)
	}
	return append(paths, c.translated[p.Dir]...)
}

// importer finds packages under the names that one package gives them.
type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

// check returns what is wrong with a package, if it is ours. Of others only the declarations count.
func (c *checker) check(t *testing.T, p listed) (wrong []error) {
	var files []*ast.File
	for _, path := range c.files(t, p) {
		f, err := parser.ParseFile(c.fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return []error{err}
		}
		files = append(files, f)
	}
	if p.ours() {
		c.checked = slices.Concat(c.checked, p.GoFiles, p.CgoFiles)
	}
	config := types.Config{
		FakeImportC: true, IgnoreFuncBodies: !p.ours(), Sizes: c.sizes,
		Importer: importer(func(path string) (*types.Package, error) {
			if path == "unsafe" {
				return types.Unsafe, nil
			}
			if actual, ok := p.ImportMap[path]; ok {
				path = actual
			}
			if found := c.packages[path]; found != nil {
				return found, nil
			}
			return nil, fmt.Errorf("no package %s", path)
		}),
		Error: func(err error) {
			if p.ours() {
				wrong = append(wrong, err)
			}
		},
	}
	path, _, _ := strings.Cut(p.ImportPath, " ")
	c.packages[p.ImportPath], _ = config.Check(path, c.fset, files, nil)
	return wrong
}

// translate has cgo make Go of a package's files with C.
func translate(t *testing.T, work string, p listed) (paths []string) {
	dir, err := os.MkdirTemp(work, "cgo")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"tool", "cgo", "-objdir", dir, "--"}, p.CgoCFLAGS, p.CgoFiles)...)
	cmd.Dir = p.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", p.ImportPath, err, out)
	}
	if paths, err = filepath.Glob(filepath.Join(dir, "*.go")); err != nil {
		t.Fatal(err)
	}
	return paths
}
