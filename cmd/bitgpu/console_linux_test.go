package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// onTerminal runs the command with all its output on a terminal of so many columns.
func onTerminal(t *testing.T, columns uint16, env []string, args ...string) string {
	t.Helper()
	tty, done := terminal(t, columns)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(env...), tty, tty
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return done()
}

// TestColor is on a terminal only, unless the flag says otherwise; NO_COLOR and dumb terminals have none.
func TestColor(t *testing.T) {
	failed := []string{"run", "--model", "demo", "missing.png", cat}
	for _, test := range []struct {
		env, args []string
		terminal  bool
		want      bool
	}{
		{nil, nil, true, true},
		{nil, nil, false, false},
		{[]string{"NO_COLOR=1"}, nil, true, false},
		{[]string{"NO_COLOR="}, nil, true, true},
		{[]string{"TERM=dumb"}, nil, true, false},
		{[]string{"NO_COLOR=1"}, []string{"--color", "always"}, true, true},
		{nil, []string{"--color", "always"}, false, true},
		{nil, []string{"--color", "never"}, true, false},
		{[]string{"BITGPU_COLOR=never"}, nil, true, false},
		{[]string{"NO_COLOR=1", "BITGPU_COLOR=always"}, nil, false, true},
	} {
		args := slices.Concat(failed, test.args)
		var text string
		if test.terminal {
			text = onTerminal(t, 80, test.env, args...)
		} else {
			out := run{args: args, env: test.env}.do(t)
			text = out.stdout + out.stderr
		}
		wants(t, text, "missing.png: no such file", "cat")
		if got := strings.Contains(text, string(failing)) && strings.Contains(text, string(bold)); got != test.want {
			t.Errorf("%v %v, on a terminal %v: colours %v, want %v in %q", test.env, test.args, test.terminal, got, test.want, text)
		}
		if !test.want && strings.Contains(text, "\x1b[") && !test.terminal {
			t.Errorf("%v %v: %q", test.env, test.args, text)
		}
	}
}

// TestQuiet leaves the bar out, but no error; TestVerbose is its opposite.
func TestQuiet(t *testing.T) {
	args := append([]string{"run", "--model", "demo", "--format", "json", "--out", os.DevNull, "missing.png"}, slices.Repeat([]string{cat}, fewInputs+2)...)
	loud, quiet := onTerminal(t, 100, nil, args...), onTerminal(t, 100, nil, append(args, "--quiet")...)
	wants(t, loud, "images", "1 of 7 inputs failed")
	wants(t, quiet, "1 of 7 inputs failed")
	if strings.Contains(quiet, "images") || strings.Contains(quiet, "loading") {
		t.Errorf("%q", quiet)
	}
}

func TestVerbose(t *testing.T) {
	out := bitgpuRun(t, exitFailed, demoArgs("run", "--verbose", cat, "missing.png")...)
	wants(t, out.stderr, "model demo, 2.0 M parameters, 10 classes, fp32, opened in ", "64x64", "device 0: ", "driver ", "1 of 2 inputs worked, in ")
	if strings.Count(out.stdout, "\n") != 8 {
		t.Error(out.stdout)
	}
	wants(t, bitgpuRun(t, exitUsage, "devices", "--quiet", "--verbose").stderr, "--quiet and --verbose exclude each other")
}

// TestNarrowHelp fits a terminal of few columns, but for lines that cannot be broken.
func TestNarrowHelp(t *testing.T) {
	const columns = 44
	text := onTerminal(t, columns, []string{"NO_COLOR=1"}, "--help")
	wants(t, text, "Usage:", "Examples:", "Classify", "--verbose")
	for l := range strings.Lines(text) {
		if l = strings.TrimRight(l, "\r\n"); utf8.RuneCountInString(l) > columns && !strings.Contains(l, "  bitgpu ") {
			t.Errorf("%q is wider than %d", l, columns)
		}
	}
}

// TestNarrowTables cuts the lines of tables, and in a pipe leaves them whole.
func TestNarrowTables(t *testing.T) {
	const columns = 50
	for _, args := range [][]string{{"models"}, {"plan", "demo"}, {"bench", "--model", "demo", "--runs", "1", "--peak=false"}} {
		text, widest := onTerminal(t, columns, []string{"NO_COLOR=1"}, append(args, "--quiet")...), 0
		for l := range strings.Lines(text) {
			widest = max(widest, utf8.RuneCountInString(strings.TrimRight(l, "\r\n")))
		}
		if widest != columns || !strings.Contains(text, "…") {
			t.Errorf("%v: lines of up to %d columns on a terminal of %d:\n%s", args, widest, columns, text)
		}
		if out := bitgpuRun(t, exitOK, args...).stdout; strings.Contains(out, "…") {
			t.Errorf("%v in a pipe:\n%s", args, out)
		}
	}
}

// TestNarrowBar fits its terminal.
func TestNarrowBar(t *testing.T) {
	const columns = 40
	args := append([]string{"run", "--model", "demo", "--out", os.DevNull}, slices.Repeat([]string{cat}, fewInputs+2)...)
	text := onTerminal(t, columns, []string{"NO_COLOR=1"}, args...)
	wants(t, text, "images")
	for l := range strings.SplitSeq(text, "\r") {
		if n := utf8.RuneCountInString(strings.TrimRight(l, " \n")); n > columns {
			t.Errorf("%d columns: %q", n, l)
		}
	}
}
