package main

// This file owns which class a name stands for, and the class of each picture in a tree of class folders, as
// torchvision's ImageFolder and timm's folder reader take them.

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bitgpu/bitgpu"
)

// classNames finds the classes of a model by name.
type classNames struct {
	what    string // the names are, for messages
	classes int
	index   map[string]int // by plainName; -1 for a name that several classes have
}

// plainName makes names equal that differ in case, or in spaces, underscores and hyphens.
func plainName(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return r == '_' || r == '-' || unicode.IsSpace(r)
	}), " ")
}

func newClassNames(what string, names []string) *classNames {
	c := &classNames{what, len(names), map[string]int{}}
	for i, name := range names {
		name = plainName(name)
		if _, twice := c.index[name]; twice {
			i = -1
		}
		c.index[name] = i
	}
	return c
}

// find returns the class of a name.
func (c *classNames) find(name string) (int, error) {
	i, ok := c.index[plainName(name)]
	switch {
	case !ok:
		return 0, fmt.Errorf("%q is not among %s", name, c.what)
	case i < 0:
		return 0, fmt.Errorf("%q stands for several classes among %s", name, c.what)
	}
	return i, nil
}

// missing lists those of the names that are not found.
func (c *classNames) missing(names []string) (list []string) {
	for _, name := range names {
		if _, err := c.find(name); err != nil {
			list = append(list, name)
		}
	}
	return list
}

// classNameSets are the sets of names that the classes of a model have by themselves.
func classNameSets(info bitgpu.Info) []*classNames {
	sets := []*classNames{newClassNames("the model's labels", info.Labels)}
	if info.Synsets != nil {
		sets = append(sets, newClassNames("the model's WordNet ids", info.Synsets))
	}
	return sets
}

// readClassMap reads a class map as timm takes it, a line for each class in the order of their indices, or a JSON object
// of names and indices.
func readClassMap(path string, classes int) (*classNames, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--class-map: %s: %w", path, reason(err))
	}
	fail := func(format string, args ...any) (*classNames, error) {
		return nil, fmt.Errorf("--class-map: %s: %w", path, fmt.Errorf(format, args...))
	}
	what := "the names in " + path
	if strings.EqualFold(filepath.Ext(path), ".pkl") {
		return fail("a Python pickle; write its names to a .txt file, one a line, or as a JSON object of names and indices")
	}
	c := newClassNames(what, nil)
	if strings.EqualFold(filepath.Ext(path), ".json") {
		var index map[string]int
		if err := json.Unmarshal(text, &index); err != nil {
			return fail("want a JSON object of names and indices: %w", err)
		}
		for name, i := range index {
			if _, twice := c.index[plainName(name)]; twice {
				return fail("%q is there twice", name)
			}
			c.index[plainName(name)] = i
		}
	} else {
		var names []string
		for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
			names = append(names, strings.TrimSpace(lines.Text()))
		}
		c = newClassNames(what, names)
		if i := slices.Index(names, ""); i >= 0 {
			return fail("line %d is empty", i+1)
		}
	}
	for name, i := range c.index {
		if i >= classes {
			return fail("class %d (%s), but the model has 0 to %d", i, name, classes-1)
		}
	}
	if len(c.index) == 0 {
		return fail("no names in it")
	}
	return c, nil
}

// Values of --classes.
const (
	classesAuto    = "auto"
	classesNames   = "names"
	classesSorted  = "sorted"
	classesNatural = "natural"
)

// classTree is a directory with a folder for each class.
type classTree struct {
	dir     string
	folders []string // sorted
	class   map[string]int
	wrong   map[string]error // folders without a class
	rule    string           // how classes were found, to be read
}

// newClassTree settles the classes of the folders of dir by one rule for all of them. classMap may be nil.
func newClassTree(dir string, info bitgpu.Info, classMap *classNames, rule string) (*classTree, error) {
	t := &classTree{dir: dir, class: map[string]int{}, wrong: map[string]error{}}
	var err error
	if t.folders, err = classFolders(dir); err != nil {
		return nil, err
	}
	if len(t.folders) == 0 {
		return nil, fmt.Errorf("%s: no folders of classes in this directory; --labels FILE.csv gives the classes of files", dir)
	}
	if classMap != nil {
		t.byName(classMap)
		return t, nil
	}
	sets := classNameSets(info)
	best := slices.MinFunc(sets, func(a, b *classNames) int {
		return cmp.Compare(len(a.missing(t.folders)), len(b.missing(t.folders)))
	})
	missing := best.missing(t.folders)
	switch {
	case rule == classesSorted || rule == classesNatural:
		return t, t.byOrder(rule, info.Config.Classes)
	case rule == classesNames || len(missing) == 0:
		t.byName(best)
		return t, nil
	case len(missing) < len(t.folders):
		return nil, fmt.Errorf("%s: %d of %d folders are not among %s, such as %q; --classes names leaves them out as failed, "+
			"--classes sorted or natural goes by their order, --class-map FILE names them", dir, len(missing), len(t.folders), best.what, missing[0])
	case len(t.folders) != info.Config.Classes:
		return nil, fmt.Errorf("%s: %d folders, such as %q, whose names are not among %s, and the model has %d classes; "+
			"--classes sorted or natural takes them for the first, --class-map FILE names them", dir, len(t.folders), missing[0], best.what, info.Config.Classes)
	}
	return t, t.byOrder(classesNatural, info.Config.Classes)
}

// classFolders lists the folders in a directory, sorted, but for those whose names begin with a dot.
func classFolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, reason(err))
	}
	var folders []string
	for _, e := range entries {
		if isFolder(dir, e) && !strings.HasPrefix(e.Name(), ".") {
			folders = append(folders, e.Name())
		}
	}
	return folders, nil
}

// isFolder follows links.
func isFolder(dir string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	stat, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && stat.IsDir()
}

func (t *classTree) byName(names *classNames) {
	t.rule = "the folders' names, which are " + names.what
	for _, folder := range t.folders {
		if i, err := names.find(folder); err != nil {
			t.wrong[folder] = fmt.Errorf("folder %w", err)
		} else {
			t.class[folder] = i
		}
	}
}

// byOrder numbers the folders, in the order of bytes as torchvision has it, or with numbers in them in the order of
// their values, as timm has it.
func (t *classTree) byOrder(order string, classes int) error {
	if len(t.folders) > classes {
		return fmt.Errorf("%s: %d folders, but the model has %d classes", t.dir, len(t.folders), classes)
	}
	bytewise, natural := slices.Clone(t.folders), slices.Clone(t.folders)
	slices.Sort(bytewise)
	slices.SortFunc(natural, naturalOrder)
	t.folders, t.rule = natural, "the order of the folders' names (natural, as timm's)"
	if order == classesSorted {
		t.folders, t.rule = bytewise, "the order of the folders' names (bytewise, as torchvision's)"
	}
	if slices.Equal(bytewise, natural) {
		t.rule = "the order of the folders' names"
	}
	for i, folder := range t.folders {
		t.class[folder] = i
	}
	return nil
}

// naturalOrder compares names in lower case, and runs of digits in them as numbers: timm's natural_key.
func naturalOrder(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	other := func(r rune) bool { return !digit(r) }
	cut := func(s string, end func(rune) bool) (string, string) {
		if i := strings.IndexFunc(s, end); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	for x != "" || y != "" {
		var p, q string
		p, x = cut(x, digit)
		q, y = cut(y, digit)
		if c := cmp.Compare(p, q); c != 0 {
			return c
		}
		p, x = cut(x, other)
		q, y = cut(y, other)
		p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
		if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a, b)
}

// files yields the pictures, class by class, with what is wrong with some.
func (t *classTree) files(extensions []string) iter.Seq[input] {
	in := inputs{extensions: extensions}
	return func(yield func(input) bool) {
		entries, err := os.ReadDir(t.dir)
		if err != nil && !yield(input{file: t.dir, err: fmt.Errorf("%s: %w", t.dir, reason(err))}) {
			return
		}
		for _, e := range entries {
			path := filepath.Join(t.dir, e.Name())
			if !in.takes(e.Name()) || isFolder(t.dir, e) {
				continue
			}
			if !yield(input{file: path, err: fmt.Errorf("%s: lies in no folder of a class", path)}) {
				return
			}
		}
		for _, folder := range t.folders {
			for i := range in.path(filepath.Join(t.dir, folder)) {
				i.class = t.class[folder]
				if wrong := t.wrong[folder]; wrong != nil && i.err == nil {
					i.err = fmt.Errorf("%s: %w", i.file, wrong)
				}
				if !yield(i) {
					return
				}
			}
		}
	}
}

// labelList is a CSV file of pictures and their classes.
type labelList struct {
	path  string
	dir   string // of relative file names
	names []*classNames
	in    inputs // for URLs
}

// class reads a class: its index, or one of its names.
func (l *labelList) class(text string) (int, error) {
	classes := l.names[0].classes
	if i, err := strconv.Atoi(text); err == nil {
		if i < 0 || i >= classes {
			return 0, fmt.Errorf("class %d, this network has 0 to %d", i, classes-1)
		}
		return i, nil
	}
	var first error
	for _, names := range l.names {
		i, err := names.find(text)
		if err == nil {
			return i, nil
		}
		first = cmp.Or(first, err)
	}
	return 0, fmt.Errorf("class %w", first)
}

// input is the file or the URL of a row.
func (l *labelList) input(file string) input {
	if scheme(file) != "" {
		for i := range l.in.path(file) {
			return i
		}
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	return input{file: file}
}

// files yields the pictures, line by line, with what is wrong with some.
func (l *labelList) files() iter.Seq[input] {
	return func(yield func(input) bool) {
		r, err := openCSV(l.path)
		if err != nil {
			yield(input{file: l.path, err: err})
			return
		}
		defer r.close()
		file, class := r.column(fileColumns, 0), r.column(classColumns, 1)
		for {
			row, err := r.read()
			if err == io.EOF {
				return
			}
			var i input
			switch {
			case err != nil:
				i = input{file: l.path, err: err}
			case file >= len(row) || class >= len(row) || row[file] == "":
				i = input{file: l.path, err: fmt.Errorf("%s:%d: want a file and a class", l.path, r.line())}
			default:
				i = l.input(row[file])
				if i.class, i.err = l.class(row[class]); i.err != nil {
					i.err = fmt.Errorf("%s: %s:%d: %w", i.file, l.path, r.line(), i.err)
				}
			}
			if !yield(i) || err != nil {
				return
			}
		}
	}
}
