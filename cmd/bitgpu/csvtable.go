package main

// This file owns reading CSV tables whose columns are known by several names: lists of labels, and other runs' answers.

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Names of columns, in lower case.
var (
	fileColumns  = []string{"file", "filename", "path", "image", "name"}
	classColumns = []string{"target", "label", "class", "index"}
)

// csvTable is a CSV file that is read row by row. Without a header its columns are known by their places.
type csvTable struct {
	path   string
	file   *os.File
	csv    *csv.Reader
	header []string // in lower case; nil if the first row is data
	first  []string // that row
}

// openCSV opens a table. The first row is a header if one of its fields is a name of a column of files.
func openCSV(path string) (*csvTable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	t := &csvTable{path: path, file: f, csv: csv.NewReader(f)}
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	row, err := t.read()
	if err != nil {
		f.Close()
		if err == io.EOF {
			err = fmt.Errorf("%s: the file is empty", path)
		}
		return nil, err
	}
	row[0] = strings.TrimPrefix(row[0], "\ufeff")
	lower := make([]string, len(row))
	for i, field := range row {
		lower[i] = strings.ToLower(strings.TrimSpace(field))
	}
	if slices.ContainsFunc(lower, func(field string) bool { return slices.Contains(fileColumns, field) }) {
		t.header = lower
	} else {
		t.first = slices.Clone(row)
	}
	return t, nil
}

// column finds the column of the first of several names that there is; without a header it is the one at place.
// It is the number of columns, which no row has, if there is none.
func (t *csvTable) column(names []string, place int) int {
	if t.header == nil {
		return place
	}
	for _, name := range names {
		if i := slices.Index(t.header, name); i >= 0 {
			return i
		}
	}
	return len(t.header)
}

// read returns the next row, valid until the next call, or io.EOF.
func (t *csvTable) read() ([]string, error) {
	if row := t.first; row != nil {
		t.first = nil
		return row, nil
	}
	row, err := t.csv.Read()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", t.path, err)
	}
	return row, err
}

// line is where the row that was read last begins.
func (t *csvTable) line() int {
	line, _ := t.csv.FieldPos(0)
	return line
}

func (t *csvTable) close() { t.file.Close() }
