package gpu

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// niced counts the threads of this process that have nice 10, as background.Run gives it.
func niced(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if nice, err := strconv.Atoi(string(fields[16])); err == nil && nice == 10 { // field 19 of proc(5)
			n++
		}
	}
	return n
}

// TestLowPriorityThreads: a CPU driver's threads make way for other programs, and go with the device.
func TestLowPriorityThreads(t *testing.T) {
	if d := open(t, Options{}); d.Info().Type != CPU {
		t.Skip("not a CPU driver")
	}
	before := niced(t)
	d := open(t, Options{LowPriority: true})
	works(t, d)
	if d.slice != 0 {
		t.Errorf("slices of %v", d.slice)
	}
	if niced(t) == before {
		t.Error("no thread has a lower priority")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := niced(t); n > before {
		t.Errorf("%d threads of lower priority are left, %d before", n, before)
	}
	works(t, open(t, Options{}))
	if n := niced(t); n > before {
		t.Errorf("%d threads of another device have a lower priority, %d before", n, before)
	}
}
