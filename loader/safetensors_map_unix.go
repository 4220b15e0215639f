//go:build unix

package loader

import "golang.org/x/sys/unix"

// dropPages gives the resident pages of a read-only file map back; a later
// read fetches them again. It is advice: a system that refuses it merely keeps
// more resident, so the result does not matter.
func dropPages(b []byte) {
	if len(b) > 0 {
		_ = unix.Madvise(b, unix.MADV_DONTNEED)
	}
}
