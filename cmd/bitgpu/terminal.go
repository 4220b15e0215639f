package main

// This file owns what depends on a terminal: its width, text that is fit for it, progress bars.

import (
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// terminalWidth returns the columns of the terminal that w writes to; ok is false if it is none.
func terminalWidth(w io.Writer) (columns int, ok bool) {
	f, isFile := plain(w).(*os.File)
	if !isFile {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return columns, err == nil && columns > 0
}

// printable replaces what would steer a terminal, or break a line, in names that come from outside.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// shorten cuts s to so many columns; the cut is marked. width 0 is no limit.
func shorten(s string, width int) string {
	if width <= 0 || uniseg.StringWidth(s) <= width {
		return s
	}
	end, columns := 0, 1 // of the mark
	for g := uniseg.NewGraphemes(s); g.Next() && columns+g.Width() <= width; {
		columns += g.Width()
		_, end = g.Positions()
	}
	return s[:end] + "…"
}

// shortenFront is shorten for paths, whose ends say more than their beginnings.
func shortenFront(s string, width int) string {
	if width <= 0 {
		return s
	}
	columns, begin := uniseg.StringWidth(s), 0
	if columns <= width {
		return s
	}
	for g := uniseg.NewGraphemes(s); columns+1 > width && g.Next(); {
		columns -= g.Width()
		_, begin = g.Positions()
	}
	return "…" + s[begin:]
}

// bar is a progress bar; nil shows nothing.
type bar struct {
	*progressbar.ProgressBar
	wide bool // there is room for a longer text in front
}

// fewInputs are done before a bar would tell anything.
const fewInputs = 4

// newInputsBar counts inputs on a terminal; total is negative if it is not known. There is no bar if
// w is no terminal, or for few inputs.
func newInputsBar(w io.Writer, total int) *bar {
	if total >= 0 && total <= fewInputs {
		return nil
	}
	return newBar(w, int64(total), "images", progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"))
}

// newLoadingBar shows how far loading is, once it is clear that it takes longer than a moment.
func newLoadingBar(w io.Writer) *loadingBar {
	_, ok := terminalWidth(w)
	return &loadingBar{w: w, visible: ok && !isQuiet(w), start: time.Now()}
}

type loadingBar struct {
	w       io.Writer
	visible bool
	start   time.Time
	bar     *bar
}

func (l *loadingBar) set(done, total int64) {
	const moment = 300 * time.Millisecond
	if !l.visible || l.bar == nil && time.Since(l.start) < moment {
		return
	}
	if l.bar == nil {
		l.bar = newBar(l.w, total, "loading", progressbar.OptionShowCount())
	}
	_ = l.bar.Set64(done) // nothing is to be done if a terminal goes away
}

func (l *loadingBar) end() { l.bar.end() }

// newBar makes a bar with numbers beside it, the extras, where there is room for them.
func newBar(w io.Writer, total int64, what string, extras ...progressbar.Option) *bar {
	const (
		share  = len(" 100% || [10m10s:10m10s]")
		beside = len(" (10000000/10000000, 10000 images/s)")
		least  = 5
	)
	columns, _ := terminalWidth(w)
	width := columns - 1 - uniseg.StringWidth(what) - share
	wide := width-beside >= least
	switch {
	case wide:
		width -= beside
	case width >= least:
		extras = nil
	default:
		width, extras = 1, []progressbar.Option{progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false)}
	}
	return newBarOf(w, total, what, wide, append(extras, progressbar.OptionSetWidth(min(width, 40)))...)
}

// newBarOf makes a bar as the options say; nil if w is no terminal, or progress is not wanted.
func newBarOf(w io.Writer, total int64, what string, wide bool, options ...progressbar.Option) *bar {
	if _, ok := terminalWidth(w); !ok || isQuiet(w) {
		return nil
	}
	options = append(options, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return &bar{progressbar.NewOptions64(total, options...), wide}
}

func (b *bar) add() {
	if b != nil {
		_ = b.Add(1)
	}
}

// describe puts another text in front of the bar, if it is not too narrow.
func (b *bar) describe(what string) {
	if b != nil && b.wide {
		b.Describe(what)
	}
}

// pause takes the bar off the screen, so that a message can be printed.
func (b *bar) pause() {
	if b != nil {
		_ = b.Clear()
	}
}

func (b *bar) end() {
	if b != nil {
		_ = b.Finish()
		_ = b.Clear()
	}
}
