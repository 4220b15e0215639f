package vk

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const bindingPath = `"github.com/vulkan-go/vulkan"`

// The binding's functions are not safe (see the package's comment): only its types and constants may be used.
func TestBindingIsNotCalled(t *testing.T) {
	fset := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "vulkan" {
					t.Errorf("%s calls vulkan.%s", fset.Position(call.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
}

// No other package may import the binding or C, but for a decoder that is built on request, and the
// examples, which are programs with a module of their own.
func TestNoOtherPackageImportsC(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(here, "..", "..", "..")
	fset := token.NewFileSet()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (path == here || path == filepath.Join(root, "examples") || path != root && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || path == filepath.Join(root, "loader", "jpeg_turbo.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			if v := i.Path.Value; v == bindingPath || v == `"C"` {
				t.Errorf("%s imports %s", path, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestResults(t *testing.T) {
	err := check("vkQueueSubmit", DeviceLost)
	if !errors.Is(err, DeviceLost) || errors.Is(err, OutOfDeviceMemory) || err.Error() != "vkQueueSubmit: VK_ERROR_DEVICE_LOST" {
		t.Errorf("%v", err)
	}
	if check("vkQueueSubmit", Success) != nil {
		t.Error("success is an error")
	}
	for r, want := range map[Result]string{OutOfHostMemory: "VK_ERROR_OUT_OF_HOST_MEMORY", -12345: "VkResult -12345"} {
		if r.Error() != want {
			t.Errorf("%d: %q, want %q", int32(r), r.Error(), want)
		}
	}
}
