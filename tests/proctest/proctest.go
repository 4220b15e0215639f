// Package proctest tells tests what their process holds, on Linux.
package proctest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"
)

// alone is in the environment of a process that Alone has made. With one malloc arena for each of the threads that drivers
// start and end, glibc's memory takes hundreds of cycles to settle.
const alone = "MALLOC_ARENA_MAX"

// Alone returns true in a process that runs no other test than the caller. Elsewhere it runs such a process, fails
// the test if that fails, logs what it says, and returns false.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) == "1" {
		return true
	}
	self := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v", "-test.timeout=30m")
	self.Env = append(os.Environ(), alone+"=1")
	out, err := self.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	return false
}

// Usage is what a process holds.
type Usage struct {
	Memory     int // resident, in KiB
	Threads    int
	Files      int // open, with all other kinds of file descriptors
	Goroutines int
}

func (u Usage) String() string {
	return fmt.Sprintf("%.1f MiB, %d threads, %d files, %d goroutines", float64(u.Memory)/1024, u.Threads, u.Files, u.Goroutines)
}

// Now returns the usage when the garbage is collected.
func Now(t testing.TB) Usage {
	t.Helper()
	debug.FreeOSMemory()
	time.Sleep(20 * time.Millisecond) // for what is on its way out
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return Usage{Status(t, "VmRSS", 10), Status(t, "Threads", 10), len(files), runtime.NumGoroutine()}
}

// Status reads a number of /proc/self/status, such as VmRSS, in KiB.
func Status(t testing.TB, key string, base int) int {
	t.Helper()
	all, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(all) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == key+":" {
			n, err := strconv.ParseInt(string(f[1]), base, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("no %s", key)
	return 0
}
