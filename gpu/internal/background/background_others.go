//go:build !linux

package background

const threads = false

func run(f func()) { f() }
