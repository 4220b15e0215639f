package main

// This file owns what results can be written as, and the choice among that.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/pflag"
)

// format is a way to write results.
type format string

const (
	formatTable       format = "table" // to read
	formatJSON        format = "json"  // an object a line
	formatCSV         format = "csv"
	formatNPY         format = "npy" // an array
	formatNPZ         format = "npz" // arrays, and the names of the inputs
	formatSafetensors format = "safetensors"

	formatAuto format = "auto" // what the ending of the file says
)

// endings are the formats that names of files stand for.
var endings = map[string]format{
	".txt": formatTable, ".json": formatJSON, ".jsonl": formatJSON, ".ndjson": formatJSON, ".csv": formatCSV,
	".npy": formatNPY, ".npz": formatNPZ, ".safetensors": formatSafetensors,
}

// isArray says whether a format is of numbers: it needs a file.
func (f format) isArray() bool { return f == formatNPY || f == formatNPZ || f == formatSafetensors }

// formatFlag is the value of --format: one of several formats, or auto.
type formatFlag struct {
	chosen  format
	allowed []format
}

// addFormat adds --format with the formats that a command has. The first is that of standard output, and of files
// whose ending says nothing.
func addFormat(flags *pflag.FlagSet, f *formatFlag, allowed ...format) {
	*f = formatFlag{formatAuto, allowed}
	flags.Var(f, "format", "of the results; auto goes by the ending of --out")
}

func (f *formatFlag) String() string { return string(f.chosen) }

func (f *formatFlag) names() []string {
	names := []string{string(formatAuto)}
	for _, a := range f.allowed {
		names = append(names, string(a))
	}
	return names
}

func (f *formatFlag) Type() string { return strings.Join(f.names(), "|") }

func (f *formatFlag) Set(s string) error {
	if !slices.Contains(f.names(), s) {
		return fmt.Errorf("%q is none of %s", s, strings.Join(f.names(), ", "))
	}
	f.chosen = format(s)
	return nil
}

// of settles the format of the file that a flag names; "" and "-" are standard output.
func (f *formatFlag) of(flag, path string) (format, error) {
	chosen := f.chosen
	if chosen == formatAuto {
		chosen = f.allowed[0]
		if ending, ok := endings[strings.ToLower(filepath.Ext(path))]; ok {
			if !slices.Contains(f.allowed, ending) {
				return "", usage("%s: %s cannot be %s here, but %s", flag, path, ending, strings.Join(f.names()[1:], ", "))
			}
			chosen = ending
		}
	}
	if chosen.isArray() && (path == "" || path == "-") {
		return "", usage("--format %s needs %s FILE.%s", chosen, flag, chosen)
	}
	return chosen, nil
}

// values are numbers of one input: a row of an array, float32 or uint8.
type values struct {
	shape  []int
	floats []float32
	bytes  []uint8
}

// rowOfTensor is the one row of a tensor [1, shape...].
func rowOfTensor(t *bitgpu.Tensor) values { return values{shape: t.Shape[1:], floats: t.Data} }

// record is the result of one input. A writer uses what its format has room for.
type record struct {
	file string
	err  error               // why there is none; a writer that cannot take the result sets it
	top  []bitgpu.Prediction // the best classes, of bitgpu run
	rows []values            // one for each of the arrays that the writer was made for; nil with err
}

// writer writes results in the order of the inputs, in constant memory. The file appears under its name with Close,
// when it is complete; Discard, for defer, removes one that never came so far.
type writer interface {
	write(r *record) error
	Close() error
	Discard()
}

// output is what a writer is made for.
type output struct {
	flag   string // that named the file, for errors
	path   string // "" and "-" are standard output
	format format
	names  []string     // of the arrays, and of the numbers in text; none for classes
	dtype  loader.DType // of the arrays, F32 or U8
}

// createWriter makes the writer of a format, before any work is done.
func (a *app) createWriter(o output) (writer, error) {
	if o.format.isArray() {
		return a.createArrays(o)
	}
	w, err := a.createText(o.path)
	if err != nil {
		return nil, err
	}
	width := 0
	if w.file == nil {
		width, _ = terminalWidth(a.stdout)
	}
	return newRecorder(o, w, width), nil
}

// answersShow says whether a command's answers appear on the terminal as they come, beside which a progress bar
// would be in the way.
func (a *app) answersShow(o output) bool {
	_, terminal := terminalWidth(a.stdout)
	return terminal && !o.format.isArray() && (o.path == "" || o.path == "-")
}
