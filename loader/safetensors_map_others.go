//go:build !unix

package loader

// dropPages does nothing: this system has no madvise. Windows trims the clean
// pages of a file map from the working set by itself when memory is short.
func dropPages([]byte) {}
