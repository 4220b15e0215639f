package main

// This file owns what is told of weights while they are fetched: a bar with rate and time left on a terminal, a line
// now and then elsewhere.

import (
	"fmt"
	"io"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/schollz/progressbar/v3"
)

// fetching hears of the progress of one model after the other.
type fetching struct {
	w     io.Writer
	quiet bool
	every time.Duration // between lines, where there is no bar

	began, told time.Time     // of the model: since when it is fetched, and when a line last said how far it is
	begun       bool          // whether there was something to fetch, and a line said so
	before      int64         // bytes that were there at the start
	resumed     int64         // those of them that are of files that are fetched now
	bar         *bar          // of the rest; nil where there is none
	took        time.Duration // all of it together
}

func newFetching(w io.Writer) *fetching {
	return &fetching{w: w, quiet: isQuiet(w), every: 10 * time.Second}
}

// set is for hub's progress functions.
func (f *fetching) set(p hub.Progress) {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	switch {
	case p.Err != nil:
		f.bar.pause()
		warn(f.w, fmt.Errorf("%v: %w; trying again in %v", p.Ref, p.Err, p.Wait.Round(100*time.Millisecond)))
	case p.File == "":
		f.end(p)
	case f.quiet:
	default:
		f.show(p)
	}
}

// show tells how far it is.
func (f *fetching) show(p hub.Progress) {
	if !f.begun {
		f.begun, f.told, f.before, f.resumed = true, time.Now(), p.Done, 0
		if p.Waiting {
			f.say("%v: another process fetches it", p.Ref)
		} else {
			f.say("fetching %v, %s", p.Ref, total(p))
		}
		f.bar = newFetchBar(f.w, p.Total-f.before)
	}
	if p.Resumed != f.resumed {
		// The rate is that of the rest.
		f.stop()
		f.before, f.resumed = p.Resumed, p.Resumed
		if p.Resumed > 0 {
			f.say("%v: %s are here already", p.Ref, size(p.Resumed))
		}
		f.bar = newFetchBar(f.w, p.Total-f.before)
	}
	if f.bar != nil {
		_ = f.bar.Set64(max(p.Done-f.before, 0)) // nothing is to be done if a terminal goes away
	}
	if f.bar == nil && time.Since(f.told) >= f.every {
		f.told = time.Now()
		f.say("%v: %s", p.Ref, f.line(p, time.Since(f.began)))
	}
}

// line says how far it is after so long, how fast it goes, and how long it will take.
func (f *fetching) line(p hub.Progress, after time.Duration) string {
	rate := float64(max(p.Done-f.before, 0)) / after.Seconds()
	if p.Total <= 0 || p.Done > p.Total {
		return fmt.Sprintf("%s, %s/s", size(p.Done), size(int64(rate)))
	}
	text := fmt.Sprintf("%d %%, %s of %s, %s/s", 100*p.Done/p.Total, size(p.Done), size(p.Total), size(int64(rate)))
	if rate > 0 {
		left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}

// end is when a model is here.
func (f *fetching) end(p hub.Progress) {
	f.stop()
	took := time.Since(f.began)
	f.took += took
	if f.begun {
		f.say("%v is here, %s in %v", p.Ref, size(p.Done), took.Round(100*time.Millisecond))
	}
	f.began, f.begun = time.Time{}, false
}

// stop takes the bar off the screen.
func (f *fetching) stop() {
	f.bar.end()
	f.bar = nil
}

func (f *fetching) say(format string, args ...any) {
	if !f.quiet {
		f.bar.pause()
		fmt.Fprintln(f.w, "bitgpu:", printable(fmt.Sprintf(format, args...)))
	}
}

func total(p hub.Progress) string {
	if p.Total < 0 {
		return "of unknown size"
	}
	return size(p.Total)
}

// newFetchBar counts bytes; there are none to count if rest is 0, and an unknown number if it is negative.
func newFetchBar(w io.Writer, rest int64) *bar {
	if rest == 0 {
		return nil
	}
	return newBar(w, max(rest, -1), "fetching",
		progressbar.OptionShowCount(), progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
}
