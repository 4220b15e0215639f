package background

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func niceness(t *testing.T) int {
	t.Helper()
	is, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	return 20 - is
}

// TestRun: the work runs with less priority, never on the main thread, and its threads end; nothing else changes.
func TestRun(t *testing.T) {
	before := threadsOf(t)
	for range 10 {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				Run(func() {
					if n := niceness(t); n < nice {
						t.Errorf("nice %d, want %d", n, nice)
					}
					if syscall.Gettid() == syscall.Getpid() {
						t.Error("on the main thread")
					}
					time.Sleep(time.Millisecond)
				})
			})
		}
		all.Wait()
	}
	main, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Getpid())
	if err != nil || 20-main >= nice {
		t.Errorf("the main thread has nice %d, %v", 20-main, err)
	}
	for range 100 {
		var all sync.WaitGroup
		for range 4 * runtime.GOMAXPROCS(0) {
			all.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				if n := niceness(t); n >= nice {
					t.Errorf("nice %d of a thread that does other work", n)
				}
			})
		}
		all.Wait()
	}
	for deadline := time.Now().Add(10 * time.Second); threadsOf(t) > before+8; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads, %d before", threadsOf(t), before)
		}
	}
}

func threadsOf(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
