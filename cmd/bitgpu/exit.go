package main

// This file owns how a run ends: exit codes and the one message on stderr.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // an input failed, or the results could not be written
	exitUsage       = 2   // wrong usage
	exitOpen        = 3   // no device or model could be opened
	exitInterrupted = 130 // by SIGINT or SIGTERM
)

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is an error about flags or arguments.
func usage(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

// cannotOpen marks an error of opening a device or a model.
func cannotOpen(err error) error { return &failure{exitOpen, err} }

// errInputs says how many inputs failed; what was wrong with them has been said already.
type errInputs struct{ failed, total int }

func (e errInputs) Error() string {
	return fmt.Sprintf("%d of %d inputs failed", e.failed, e.total)
}

// command makes a subcommand's function tell its own errors from cobra's, which are all about usage.
func command(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		var f *failure
		if err == nil || errors.As(err, &f) {
			return err
		}
		return &failure{exitFailed, err}
	}
}

// execute runs the command line and returns the exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	a.stdout = &console{Writer: plain(a.stdout), color: hasColor("auto", a.stdout)} // until the flags are read
	a.stderr = &console{Writer: plain(a.stderr), color: hasColor("auto", a.stderr)}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var f *failure
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		complain(a.stderr, errors.New("interrupted"))
		return exitInterrupted
	case !errors.As(err, &f):
		err = commandError(cmd, err)
		f = &failure{exitUsage, err} // cobra's own
	case errors.Is(err, syscall.EPIPE):
		return f.code // whoever read the results has had enough
	}
	complain(a.stderr, a.sourced(f.code, err))
	if f.code == exitUsage {
		fmt.Fprintf(a.stderr, "Try '%s --help'.\n", cmd.CommandPath())
	}
	return f.code
}

// result is a file that is written: complete after Close.
type result interface{ Close() error }

// finish completes the files of a run that came to its end, be it that inputs failed.
func finish(err error, results ...result) error {
	var some errInputs
	if err != nil && !errors.As(err, &some) {
		return err
	}
	for _, r := range results {
		if failed := r.Close(); failed != nil {
			return failed
		}
	}
	return err
}

// sourced adds to an error of usage, which begins with a flag's name, where the value came from, if not from
// the command line.
func (a *app) sourced(code int, err error) error {
	flag, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "--"), ":")
	if from := a.origins[flag]; code == exitUsage && from != "" && strings.HasPrefix(err.Error(), "--") {
		return fmt.Errorf("%w (from %s)", err, from)
	}
	return err
}
