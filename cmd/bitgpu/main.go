// Command bitgpu runs Google's Big Transfer (BiT) image networks on any Vulkan device; docs/command.md
// describes its use.
//
// This package holds flags, files, printing and progress. All that is computed is computed by package
// bitgpu. There is one file for each subcommand, run.go to devices.go; the others hold what several
// of them share.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// app is one run of the command: the streams that it reads and writes, and what is set for all commands.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	verbose        bool
	config         *config           // what the config file says
	origins        map[string]string // where values of flags come from that the command line did not set
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error of Write, so that files are tidied up
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit((&app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}).execute(ctx, os.Args[1:]))
}
