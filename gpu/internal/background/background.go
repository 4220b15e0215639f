// Package background runs work that makes way for other programs. It changes no thread but such as it has made.
package background

// Run calls f and returns when it is done. On Linux f runs on a thread of its own that has nice 10, or what the process has
// if that is more, and so do the threads that C code makes meanwhile, for as long as they live. Elsewhere it only calls f.
func Run(f func()) { run(f) }

// Threads says whether Run lowers the priority of threads.
const Threads = threads
