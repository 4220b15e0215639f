package gpu

import (
	"bytes"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"testing"
)

// status reads a number of /proc/self/status: VmRSS in KiB, Threads.
func status(t *testing.T, key string) int {
	t.Helper()
	all, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(all) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == key+":" {
			n, err := strconv.Atoi(string(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", key)
	return 0
}

// TestOpenCloseCyclesLeakNothing runs itself in a process with one malloc arena: with one for each of the threads
// that drivers start and end, glibc's memory takes hundreds of cycles to settle.
func TestOpenCloseCyclesLeakNothing(t *testing.T) {
	const arenas = "MALLOC_ARENA_MAX"
	if os.Getenv(arenas) != "1" {
		self := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		self.Env = append(os.Environ(), arenas+"=1")
		if out, err := self.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	cycle := func() {
		d, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		works(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		cycle()
	}
	debug.FreeOSMemory()
	rss, threads := status(t, "VmRSS"), status(t, "Threads")
	for range 50 {
		cycle()
	}
	debug.FreeOSMemory()
	if grown := status(t, "VmRSS") - rss; grown > 8<<10 {
		t.Errorf("resident memory grew by %d KiB in 50 cycles", grown)
	}
	if grown := status(t, "Threads") - threads; grown > 4 {
		t.Errorf("%d more threads after 50 cycles", grown)
	}
}
