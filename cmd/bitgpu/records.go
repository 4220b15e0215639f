package main

// This file owns results as text: JSON lines, CSV and a table to read. What is written reaches the file at once.

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// newRecorder returns the writer of a text format. width is the terminal's, 0 if there is none.
func newRecorder(o output, w *textFile, width int) writer {
	switch o.format {
	case formatJSON:
		return jsonRecorder{w, o.names}
	case formatCSV:
		return newCSVRecorder(o, w)
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

// jsonRecorder writes the best classes, or else the numbers under the names of their arrays.
type jsonRecorder struct {
	*textFile
	names []string
}

// jsonClass is a class of an answer.
type jsonClass struct {
	Index int     `json:"index"`
	Label string  `json:"label"`
	Prob  float32 `json:"prob"`
}

func (j jsonRecorder) write(r *record) error {
	if r.err != nil {
		return jsonLine(j.textFile, jsonError{r.file, message(r.err)})
	}
	if r.top == nil {
		return j.writeNumbers(r)
	}
	top := make([]jsonClass, len(r.top))
	for i, p := range r.top {
		top[i] = jsonClass(p)
	}
	return jsonLine(j.textFile, struct {
		File string      `json:"file"`
		Top  []jsonClass `json:"top"`
	}{r.file, top})
}

// writeNumbers has keys that are known at run time only.
func (j jsonRecorder) writeNumbers(r *record) error {
	line := json.RawMessage(`{"file":`)
	add := func(v any) error {
		text, err := marshal(v)
		line = append(line, text...)
		return err
	}
	if err := add(r.file); err != nil {
		return err
	}
	for i, name := range j.names {
		line = append(line, ',')
		if err := add(name); err != nil {
			return err
		}
		line = append(line, ':')
		if err := add(r.rows[i].floats); err != nil {
			return err
		}
	}
	return jsonLine(j.textFile, append(line, '}'))
}

// marshal is json.Marshal with < and > as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// csvRecorder writes, after a header, a line for every class, the best first; or one line of numbers.
type csvRecorder struct {
	*textFile
	csv     *csv.Writer
	names   []string // of the arrays that the numbers are of; none for classes
	columns int      // of numbers
}

// newCSVRecorder writes the header of classes; that of numbers is for whoever knows how many there are.
func newCSVRecorder(o output, w *textFile) *csvRecorder {
	c := &csvRecorder{textFile: w, csv: csv.NewWriter(w), names: o.names}
	if len(o.names) == 0 {
		c.line("file", "rank", "index", "label", "prob", "error")
		c.csv.Flush()
	}
	return c
}

// numbered writes the header of so many numbers, if w is a CSV file.
func numbered(w writer, n int) {
	c, ok := w.(*csvRecorder)
	if !ok {
		return
	}
	c.columns = n
	header := []string{"file", "error"}
	for i := range n {
		header = append(header, strconv.Itoa(i))
	}
	c.line(header...)
	c.csv.Flush()
}

// line writes fields; Flush has the error.
func (c *csvRecorder) line(fields ...string) { _ = c.csv.Write(fields) }

func (c *csvRecorder) write(r *record) error {
	number := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
	switch {
	case len(c.names) > 0 && r.err != nil:
		c.line(append([]string{r.file, message(r.err)}, make([]string, c.columns)...)...)
	case len(c.names) > 0:
		fields := []string{r.file, ""}
		for _, row := range r.rows {
			for _, v := range row.floats {
				fields = append(fields, number(v))
			}
		}
		c.line(fields...)
	case r.err != nil:
		c.line(r.file, "", "", "", "", message(r.err))
	}
	for i, p := range r.top {
		c.line(r.file, strconv.Itoa(i+1), strconv.Itoa(p.Index), p.Label, number(p.Prob), "")
	}
	c.csv.Flush()
	if err := c.csv.Error(); err != nil {
		return err
	}
	return c.Flush()
}

// tableRecorder writes a block for every picture. What is wrong with one is said on stderr.
type tableRecorder struct {
	*textFile
	width int
}

func (t tableRecorder) write(r *record) error {
	var b strings.Builder
	b.WriteString(styled(t.shown, bold, shortenFront(printable(r.file), t.width)) + "\n")
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
	_, _ = t.WriteString(b.String()) // Flush has the error
	return t.Flush()
}
