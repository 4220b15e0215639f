package main

// This file owns the formats of bitgpu run's answers: JSON lines, CSV and a table to read.

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu"
)

// record is the answer to one picture: its best classes, or an error.
type record struct {
	file string
	top  []bitgpu.Prediction
	err  error
}

// recorder writes records in one format. The text is written to the file at once.
type recorder interface{ record(r record) error }

// checkFormat checks the value of --format.
func checkFormat(format string) error {
	if !slices.Contains([]string{"table", "json", "csv"}, format) {
		return usage("--format: %q is none of table, json and csv", format)
	}
	return nil
}

// newRecorder returns the recorder of a format. width is the terminal's, 0 if there is none.
func newRecorder(format string, w *textFile, width int) recorder {
	switch format {
	case "json":
		return jsonRecorder{w}
	case "csv":
		return newCSVRecorder(w)
	}
	return tableRecorder{w, width}
}

// jsonLine writes a value as one line.
func jsonLine(w *textFile, v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(line.Bytes()) // Flush has the error
	return w.Flush()
}

// jsonError is the line of an input that failed.
type jsonError struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

type jsonRecorder struct{ w *textFile }

func (j jsonRecorder) record(r record) error {
	if r.err != nil {
		return jsonLine(j.w, jsonError{r.file, r.err.Error()})
	}
	type class struct {
		Index int     `json:"index"`
		Label string  `json:"label"`
		Prob  float32 `json:"prob"`
	}
	top := make([]class, len(r.top))
	for i, p := range r.top {
		top[i] = class(p)
	}
	return jsonLine(j.w, struct {
		File string  `json:"file"`
		Top  []class `json:"top"`
	}{r.file, top})
}

// csvRecorder writes a line for every class, the best first, after a header.
type csvRecorder struct {
	w   *textFile
	csv *csv.Writer
}

func newCSVRecorder(w *textFile) csvRecorder {
	c := csvRecorder{w, csv.NewWriter(w)}
	c.line("file", "rank", "index", "label", "prob", "error")
	c.csv.Flush()
	return c
}

// line writes fields; Flush has the error.
func (c csvRecorder) line(fields ...string) { _ = c.csv.Write(fields) }

func (c csvRecorder) record(r record) error {
	if r.err != nil {
		c.line(r.file, "", "", "", "", r.err.Error())
	}
	for i, p := range r.top {
		prob := strconv.FormatFloat(float64(p.Prob), 'g', -1, 32)
		c.line(r.file, strconv.Itoa(i+1), strconv.Itoa(p.Index), p.Label, prob, "")
	}
	c.csv.Flush()
	if err := c.csv.Error(); err != nil {
		return err
	}
	return c.w.Flush()
}

// tableRecorder writes a block for every picture. What is wrong with one is said on stderr.
type tableRecorder struct {
	w     *textFile
	width int
}

func (t tableRecorder) record(r record) error {
	var b strings.Builder
	b.WriteString(styled(t.w.shown, bold, shortenFront(printable(r.file), t.width)) + "\n")
	if r.err != nil {
		b.WriteString("        -  failed\n")
	}
	const before = len("  100.00%  ")
	for _, p := range r.top {
		label := printable(p.Label)
		if t.width > before {
			label = shorten(label, t.width-before)
		}
		fmt.Fprintf(&b, "  %6.2f%%  %s\n", 100*p.Prob, label)
	}
	_, _ = t.w.WriteString(b.String()) // Flush has the error
	return t.w.Flush()
}
