package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestResetPeakRSS touches memory, gives it back and wants the peak to be forgotten, which only Linux does.
func TestResetPeakRSS(t *testing.T) {
	const much = 256 << 20
	memory := make([]byte, much)
	for i := 0; i < much; i += 4096 {
		memory[i] = 1
	}
	high := peakRSS()
	runtime.KeepAlive(memory)
	memory = nil
	debug.FreeOSMemory()
	resetPeakRSS()
	if low := peakRSS(); high < much || low > high-much/2 {
		t.Errorf("%d bytes before, %d after", high, low)
	}
}
