package background

import (
	"runtime"
	"syscall"
)

const (
	threads = true
	nice    = 10
)

func run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The goroutine ends without UnlockOSThread, and so does the thread. But the main thread never ends, and
		// what is done to it stays: then it is held here until another thread has done the work.
		runtime.LockOSThread()
		if syscall.Gettid() == syscall.Getpid() {
			run(f)
			runtime.UnlockOSThread()
			return
		}
		// Of the calling thread only. The system call returns 20 - nice.
		if is, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil && 20-is < nice {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice)
		}
		f()
	}()
	<-done
}
