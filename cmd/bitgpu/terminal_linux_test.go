package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudoterminal with so many columns: what is written to its tty can be read from
// the other end, text, once done is called.
func terminal(t *testing.T, columns uint16) (tty *os.File, done func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudoterminals here:", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip("no pseudoterminals here:", err)
	}
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(master) // ends with EIO when the last tty is closed
		text <- string(all)
	}()
	return tty, func() string {
		tty.Close()
		return <-text
	}
}

// TestProgressBar is shown for more than a few inputs, if the answers do not go to the terminal too.
func TestProgressBar(t *testing.T) {
	many := slices.Repeat([]string{cat}, fewInputs+2)
	for _, test := range []struct {
		name   string
		inputs []string
		stdout bool // is the terminal too
		want   bool
	}{
		{"many", many, false, true},
		{"few", many[:fewInputs], false, false},
		{"answers on the terminal", many, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			tty, done := terminal(t, 100)
			cmd := exec.CommandContext(t.Context(), program, append([]string{"run", "--model", "demo", "--format", "json"}, test.inputs...)...)
			cmd.Env, cmd.Stderr = environment(), tty
			if test.stdout {
				cmd.Stdout = tty
			}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			// Loading may have a bar too, if it takes long.
			if text := done(); strings.Contains(text, "images") != test.want {
				t.Errorf("terminal: %q", text)
			}
		})
	}
}

// TestTableWidth cuts names to what the terminal is wide.
func TestTableWidth(t *testing.T) {
	const width = 22
	tty, done := terminal(t, width)
	cmd := exec.CommandContext(t.Context(), program, "run", "--model", "demo", cat, coffee)
	cmd.Env, cmd.Stdout = environment("NO_COLOR=1"), tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	text := done()
	wants(t, text, "…cs/photos/chelsea.png\r\n", "automobile\r\n")
	for l := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimRight(l, "\r\n")) > width {
			t.Errorf("%q is wider than %d", l, width)
		}
	}
}

// TestFetchBar shows rate and time left where there is room, never breaks a line, and leaves one that says that the
// model is here.
func TestFetchBar(t *testing.T) {
	for _, columns := range []uint16{120, 80, 60, 40} {
		s, _, env := newHub(t)
		name := bigFile(s, 4<<20)
		s.Fault = func(hubtest.Kind, string, int) hubtest.Fault { return hubtest.Fault{Slow: 25 * time.Millisecond} }
		tty, done := terminal(t, columns)
		cmd := exec.CommandContext(t.Context(), program, "pull", name)
		cmd.Env, cmd.Stderr = environment(env...), tty
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		text := done()
		want := ` \d+% .*\[\d+s:[1-9]\d*s\]`
		if columns >= 80 {
			want = ` \d+% .*\(\d.* [KM]iB/4.0 MiB, \d.* [KM]iB/s\) \[\d+s:[1-9]\d*s\]`
		}
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%d columns: no %s in %q", columns, want, text)
		}
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if n := utf8.RuneCountInString(line); n > int(columns) && strings.Contains(line, "%") {
				t.Errorf("%d columns: %d characters in %q", columns, n, line)
			}
		}
		wants(t, text, "fetching me/big, 4 MiB\r\n", "me/big is here, 4 MiB in ")
	}
}
