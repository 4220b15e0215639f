package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestCommand is the program on a display, under the validation layer, which prints what it has to say.
func TestCommand(t *testing.T) {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" {
		t.Skip("no display; make examples has a virtual one")
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-once", "../../docs/photos/chelsea.png")
	cmd.Env = append(os.Environ(), "VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "cat, ") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}
