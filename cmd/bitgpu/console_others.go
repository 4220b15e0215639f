//go:build !windows

package main

import "os"

// enableColor is for Windows; terminals elsewhere obey escape sequences as they are.
func enableColor(*os.File) bool { return true }
