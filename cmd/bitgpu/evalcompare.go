package main

// This file owns bitgpu eval --compare: another run's answers, and how far they agree with ours.

import (
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// otherRun is the answers of another run. All of it is held in memory: a name and a number for each picture.
type otherRun struct {
	path    string
	byBase  map[string][]*otherAnswer // by the last part of the file's name
	answers int
	bad     int   // rows without an answer that can be read
	why     error // the first of them
}

type otherAnswer struct {
	file  string // with slashes
	class int
	used  bool
}

// readOtherRun reads a CSV file of timm's inference.py (filename, index or label, with a column for each rank or without),
// or of bitgpu eval or run (file, rank, index, label). names are those that labels may have.
func readOtherRun(path string, names []*classNames) (*otherRun, error) {
	t, err := openCSV(path)
	if err != nil {
		return nil, fmt.Errorf("--compare: %w", err)
	}
	defer t.close()
	file, rank := t.column(fileColumns, 0), t.column([]string{"rank"}, -1)
	index, label := t.column([]string{"index", "index_0"}, 1), t.column([]string{"label", "label_0"}, 1)
	if t.header == nil || min(index, label) >= len(t.header) {
		return nil, fmt.Errorf("--compare: %s: want a header with the columns filename or file, and index or label", path)
	}
	o := &otherRun{path: path, byBase: map[string][]*otherAnswer{}}
	for {
		row, err := t.read()
		if err == io.EOF {
			return o, nil
		}
		if err != nil {
			return nil, fmt.Errorf("--compare: %w", err)
		}
		field := func(i int) string {
			if i < 0 || i >= len(row) {
				return ""
			}
			return row[i]
		}
		if r := field(rank); r != "" && r != "1" {
			continue // a less probable class
		}
		class, err := otherClass(field(index), field(label), names)
		if name := field(file); name == "" || err != nil {
			if o.bad++; o.why == nil {
				o.why = fmt.Errorf("%s:%d: no answer: %w", path, t.line(), err)
			}
			continue
		}
		o.add(field(file), class)
	}
}

// otherClass reads the best class of a row: an index, a label, or the first of a list of either as NumPy prints it. timm's
// labels of ImageNet have more names of the class behind commas.
func otherClass(index, label string, names []*classNames) (int, error) {
	if first := firstOfList(index); first != "" {
		return strconv.Atoi(first)
	}
	first := firstOfList(label)
	if first == "" {
		return 0, fmt.Errorf("neither index nor label")
	}
	var found error
	for _, text := range []string{first, strings.Split(first, ",")[0]} {
		for _, set := range names {
			class, err := set.find(text)
			if err == nil {
				return class, nil
			}
			if found == nil {
				found = fmt.Errorf("label %w; with timm's --include-index the classes have numbers", err)
			}
		}
	}
	return 0, found
}

// firstOfList is the first element of "[3 5 1]", or of "['a' 'b, c']"; other texts it leaves alone.
func firstOfList(text string) string {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") {
		return text
	}
	text = strings.TrimSpace(text[1:])
	if text == "" {
		return ""
	}
	if quote := text[0]; quote == '\'' || quote == '"' {
		text, _, _ = strings.Cut(text[1:], string(quote))
		return text
	}
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,]\n\t", r) })[0]
}

func (o *otherRun) add(file string, class int) {
	file = path.Clean(filepath.ToSlash(file))
	base := path.Base(file)
	o.byBase[base] = append(o.byBase[base], &otherAnswer{file: file, class: class})
	o.answers++
}

// find returns the other run's answer for a file: of those whose names end alike the one that has most of the path in
// common; nil if there is none, or more than one.
func (o *otherRun) find(file string) *otherAnswer {
	file = path.Clean(filepath.ToSlash(file))
	var best *otherAnswer
	most, alone := 0, false
	for _, a := range o.byBase[path.Base(file)] {
		switch n := commonEnd(a.file, file); {
		case n > most:
			best, most, alone = a, n, true
		case n == most:
			alone = false
		}
	}
	if !alone {
		return nil
	}
	return best
}

// commonEnd counts the parts that two paths have in common at their ends.
func commonEnd(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < min(len(x), len(y)) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// agreement is the result of a comparison. Its JSON is part of bitgpu eval's.
type agreement struct {
	File     string       `json:"file"`
	Compared int          `json:"compared"`
	Same     int          `json:"same"`
	Share    float64      `json:"agreement"` // of Compared, 0 to 1; 0 without any
	Missing  int          `json:"missing"`   // pictures answered here that the file has no, or no single, answer for
	Unused   int          `json:"unused"`    // answers of the file that no picture here has
	Bad      int          `json:"unreadable"`
	Differ   []difference `json:"differ"`
}

type difference struct {
	File  string  `json:"file"`
	Class int     `json:"target"`
	Ours  int     `json:"index"`
	Prob  float32 `json:"prob"`
	Other int     `json:"other_index"`
}

// add compares one answer. The other answer is nil where there is none.
func (g *agreement) add(d difference, other *otherAnswer) {
	if other == nil {
		g.Missing++
		return
	}
	g.Compared++
	if d.Other = other.class; d.Other == d.Ours {
		g.Same++
	} else {
		g.Differ = append(g.Differ, d)
	}
	other.used = true
	g.Share = float64(g.Same) / float64(g.Compared)
}

// finish counts what of the other run was not used.
func (g *agreement) finish(o *otherRun) {
	g.Bad = o.bad
	for _, list := range o.byBase {
		for _, a := range list {
			if !a.used {
				g.Unused++
			}
		}
	}
}
