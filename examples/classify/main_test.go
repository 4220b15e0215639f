package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestClassify runs the program on a cat and on what is not there.
func TestClassify(t *testing.T) {
	cat := "../../docs/photos/chelsea.png"
	out, err := exec.CommandContext(t.Context(), "go", "run", ".", cat, "missing.png").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], cat+": cat, ") || !strings.Contains(lines[1], "missing.png") {
		t.Errorf("%q", lines)
	}
}
