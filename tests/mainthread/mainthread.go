// Package mainthread lets tests run code on the thread that their program began on, from which window systems want their
// calls. A package's TestMain calls Run.
package mainthread

import (
	"os"
	"runtime"
	"testing"
)

func init() { runtime.LockOSThread() }

var work = make(chan func())

// Run runs the tests, in other threads, and exits with their code.
func Run(m *testing.M) {
	code := make(chan int)
	go func() { code <- m.Run() }()
	for {
		select {
		case f := <-work:
			f()
		case c := <-code:
			os.Exit(c)
		}
	}
}

// Do has the main thread call f, when it is free, and waits for it.
func Do(f func()) {
	done := make(chan struct{})
	work <- func() {
		defer close(done)
		f()
	}
	<-done
}
