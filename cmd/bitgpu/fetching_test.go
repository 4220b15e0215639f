package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
)

// TestFetchingLines is what is told where there is no terminal.
func TestFetchingLines(t *testing.T) {
	const mega = 1 << 20
	ref := hub.Ref{Repo: "a/b"}
	at := func(done, total, resumed int64) hub.Progress {
		return hub.Progress{Ref: ref, File: "model.safetensors", Done: done, Total: total, Resumed: resumed}
	}
	end := func(done int64) hub.Progress { return hub.Progress{Ref: ref, Done: done, Total: done} }
	for name, test := range map[string]struct {
		quiet  bool
		events []hub.Progress
		want   []string // beginnings of the lines
	}{
		"fresh":     {events: []hub.Progress{at(0, 4*mega, 0), at(mega, 4*mega, 0), end(4 * mega)}, want: []string{"bitgpu: fetching a/b, 4 MiB", "bitgpu: a/b: 25 %, 1 MiB of 4 MiB, ", "bitgpu: a/b is here, 4 MiB in "}},
		"resumed":   {events: []hub.Progress{at(0, 4*mega, 0), at(2*mega, 4*mega, 2*mega), end(4 * mega)}, want: []string{"bitgpu: fetching a/b, 4 MiB", "bitgpu: a/b: 2 MiB are here already", "bitgpu: a/b: 50 %, 2 MiB of 4 MiB, 0 B/s", "bitgpu: a/b is here"}},
		"no size":   {events: []hub.Progress{at(0, -1, 0), at(mega, -1, 0), end(mega)}, want: []string{"bitgpu: fetching a/b, of unknown size", "bitgpu: a/b: 1 MiB, ", "bitgpu: a/b is here, 1 MiB in "}},
		"all there": {events: []hub.Progress{end(0)}},
		"waiting":   {events: []hub.Progress{{Ref: ref, File: "x", Total: mega, Waiting: true}, end(mega)}, want: []string{"bitgpu: a/b: another process fetches it", "bitgpu: a/b is here"}},
		"failing": {events: []hub.Progress{{Ref: ref, Total: -1, Err: errors.New("503"), Wait: 1530 * time.Millisecond}, at(0, mega, 0), end(mega)},
			want: []string{"bitgpu: warning: a/b: 503; trying again in 1.5s", "bitgpu: fetching a/b, 1 MiB", "bitgpu: a/b: 0 %", "bitgpu: a/b is here"}},
		"quiet": {quiet: true, events: []hub.Progress{at(0, mega, 0), {Ref: ref, Err: errors.New("503")}, end(mega)}},
	} {
		var text bytes.Buffer
		f := newFetching(&console{Writer: &text, quiet: test.quiet})
		for i, p := range test.events {
			f.every = time.Hour
			if i == 1 {
				f.every = 0 // a line is due
			}
			f.set(p)
		}
		lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		if text.Len() == 0 {
			lines = nil
		}
		ok := len(lines) == len(test.want)
		for i := range test.want {
			ok = ok && strings.HasPrefix(lines[i], test.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", name, lines, test.want)
		}
	}
}

// TestFetchingLine has rate and time left.
func TestFetchingLine(t *testing.T) {
	f := &fetching{before: 100 << 20}
	got := f.line(hub.Progress{Done: 300 << 20, Total: 700 << 20}, 20*time.Second)
	if want := "42 %, 300 MiB of 700 MiB, 10 MiB/s, 40s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
