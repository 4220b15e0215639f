package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableColor makes a Windows console obey escape sequences; older ones cannot.
func enableColor(f *os.File) bool {
	var mode uint32
	handle := windows.Handle(f.Fd())
	if windows.GetConsoleMode(handle, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(handle, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
