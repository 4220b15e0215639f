package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/spf13/cobra"
)

const searchHelp = `Search finds the pictures of an index that are nearest to others, by the cosine of the angle between their
embeddings: 1 is the same direction.

A QUERY is a picture, or several as PATH in the other commands. One that is in the index, unchanged, is not
embedded again, and no model is opened if all are; then it may even have been deleted. It is not its own
neighbour, but for --self. Without --model the index says which model is opened, and how pictures are
prepared; embeddings of another model are refused.

The table is for reading; json gives one line a query,
  {"file":"q.jpg","nearest":[{"file":"a.jpg","similarity":0.98}]} or {"file":"b.jpg","error":"..."}
and csv one line a neighbour. Of equally near ones the first in the index comes first. --html writes a page
with all pictures in it, which needs no other file.`

// searchOptions are the flags of bitgpu search.
type searchOptions struct {
	model  modelFlags
	inputs inputFlags
	k      int
	self   bool
	format formatFlag
	out    string
	html   string
}

func (a *app) searchCommand() *cobra.Command {
	var o searchOptions
	cmd := &cobra.Command{
		Use:     "search [flags] INDEX QUERY...",
		Short:   "Find the nearest pictures of an index",
		Long:    searchHelp,
		Example: "  bitgpu search photos.idx beach.jpg\n  bitgpu search -k 30 --html found.html photos.idx beach.jpg 'more/*.png'",
		Args:    cobra.MinimumNArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.search(cmd, o, args[0], args[1:])
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.pictures.add(flags)
	flags.Var(&o.inputs.batch, "batch", "pictures that run at once")
	o.model.addTTA(flags)
	flags.IntVarP(&o.k, "topk", "k", 10, "how many pictures to find")
	flags.BoolVar(&o.self, "self", false, "also find the query itself, if it is in the index")
	addFormat(flags, &o.format, formatTable, formatJSON, formatCSV)
	flags.StringVarP(&o.out, "out", "o", "", "write to `FILE` instead of standard output")
	flags.StringVar(&o.html, "html", "", "also write a page to look at, with all pictures in it, to `FILE.html`")
	return cmd
}

// query is a picture whose neighbours are wanted.
type query struct {
	input     input
	row       int // in the index; -1 if it is not there
	embedding []float32
	nearest   []neighbour
	err       error
}

// neighbour is a picture that was found.
type neighbour struct {
	file       string
	similarity float32
}

func (a *app) search(cmd *cobra.Command, o searchOptions, path string, paths []string) error {
	if len(paths)+len(o.inputs.pictures.named) == 0 {
		return usage("no QUERY given; - reads a list of files from standard input, --input - a picture")
	}
	if err := o.inputs.check(cmd.Flags(), paths); err != nil {
		return err
	}
	if o.k < 1 {
		return usage("--topk: %d, want at least 1", o.k)
	}
	format, err := o.format.of("--out", o.out)
	if err != nil {
		return err
	}
	out, err := a.createText(o.out)
	if err != nil {
		return err
	}
	defer out.Discard()
	results := []result{out}
	var page *contactSheet
	if o.html != "" {
		if page, err = a.newContactSheet(o.html); err != nil {
			return err
		}
		defer page.Discard()
		results = append(results, page)
	}
	x, err := index.Open(path)
	if err != nil {
		return cannotOpen(err)
	}
	err = a.searchIn(cmd.Context(), x, o, path, paths, format, out, page)
	return errors.Join(finish(err, results...), x.Close())
}

// widthOf is that of the terminal that a file's text goes to; 0 if it is none.
func (a *app) widthOf(out *textFile) int {
	if out.file != nil {
		return 0
	}
	width, _ := terminalWidth(a.stdout)
	return width
}

// queriesAtOnce are compared with the index in one pass over it.
const queriesAtOnce = 256

func (a *app) searchIn(ctx context.Context, x *index.Index, o searchOptions, path string, paths []string, format format, file *textFile, page *contactSheet) error {
	out := newFindings(format, file, a.widthOf(file))
	queries, err := a.queries(ctx, x, o, paths)
	if err != nil {
		return err
	}
	if page != nil {
		if err := page.begin(path, x, len(queries)); err != nil {
			return err
		}
	}
	count := tally{app: a, tell: format == formatTable, start: time.Now()}
	for part := range slices.Chunk(queries, queriesAtOnce) {
		if err := findNearest(ctx, x, part, o); err != nil {
			return err
		}
		for _, q := range part {
			if err := out.found(q); err != nil {
				return err
			}
			if page != nil {
				if err := page.add(ctx, o.inputs.pictures, q); err != nil {
					return err
				}
			}
			count.add(q.input.file, q.err)
		}
	}
	return count.result(ctx)
}

// queries lists the pictures and takes their embeddings from the index, or else makes them.
func (a *app) queries(ctx context.Context, x *index.Index, o searchOptions, paths []string) ([]*query, error) {
	var all, fresh []*query
	for i := range a.inputs(&o.inputs.pictures, paths).all() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q := newQuery(i, x)
		all = append(all, q)
		if q.row < 0 && q.err == nil {
			fresh = append(fresh, q)
		} else if q.row >= 0 {
			if q.embedding, q.err = x.Embedding(q.row); q.err != nil {
				return nil, q.err
			}
		}
	}
	if len(fresh) == 0 {
		return all, nil
	}
	o.model.prefer(a, x.Space().Model)
	o.inputs.pictures.like(x.Space().Preprocess, o.model.given)
	o.model.flipLike(x.Space().Preprocess)
	err := a.with(ctx, &o.model, &o.inputs, func(m *bitgpu.Model) error {
		if err := m.CheckIndex(x); err != nil {
			return cannotOpen(err)
		}
		next := 0
		j := &job{
			app: a, flags: o.inputs, want: bitgpu.Outputs{Embedding: true},
			source: func(yield func(input) bool) {
				for _, q := range fresh {
					if !yield(q.input) {
						return
					}
				}
			},
			answer: func(x *answer) error {
				q := fresh[next]
				next++
				if q.err = x.err; q.err == nil {
					q.embedding = x.output.Embedding.Data
				}
				return nil
			},
		}
		return j.run(ctx, m)
	})
	if err != nil && !isSome(err) {
		return nil, err
	}
	return all, nil
}

// newQuery looks a picture up in the index. A file that is gone is taken from there, one that has changed is not.
func newQuery(i input, x *index.Index) *query {
	q := &query{input: i, row: -1, err: i.err}
	if i.open != nil {
		return q
	}
	if i.err != nil {
		if _, err := os.Stat(i.file); err == nil {
			return q
		}
		if row, ok := x.Find(i.file); ok {
			q.row, q.err = row, nil
		}
		return q
	}
	if e, err := index.File(i.file); err == nil {
		if row, ok := x.Unchanged(e); ok {
			q.row = row
		}
	}
	return q
}

// findNearest finds the neighbours of some queries.
func findNearest(ctx context.Context, x *index.Index, queries []*query, o searchOptions) error {
	var sound []*query
	var embeddings [][]float32
	for _, q := range queries {
		if q.err == nil && isZero(q.embedding) {
			q.err = fmt.Errorf("%s: the embedding is zero, which is near to nothing", q.input.file)
		}
		if q.err == nil {
			sound, embeddings = append(sound, q), append(embeddings, q.embedding)
		}
	}
	found, err := x.Search(ctx, embeddings, o.k+1)
	if err != nil {
		return err
	}
	for i, q := range sound {
		for _, m := range found[i] {
			if m.Row == q.row && !o.self || len(q.nearest) == o.k {
				continue
			}
			q.nearest = append(q.nearest, neighbour{shownPath(x.Path(m.Row)), m.Similarity})
		}
	}
	return nil
}

func isZero(v []float32) bool { return !slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) }

// shownPath is a path from the current directory on, if it leads down from there.
func shownPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if relative, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}

// findings writes what was found in one format.
type findings interface{ found(q *query) error }

func newFindings(format format, w *textFile, width int) findings {
	switch format {
	case formatJSON:
		return jsonFindings{w}
	case formatCSV:
		f := csvFindings{w, csv.NewWriter(w)}
		_ = f.csv.Write([]string{"file", "rank", "neighbour", "similarity", "error"}) // Flush has the error
		return f
	}
	return tableFindings{w, width}
}

type jsonFindings struct{ w *textFile }

func (f jsonFindings) found(q *query) error {
	if q.err != nil {
		return jsonLine(f.w, jsonError{q.input.file, message(q.err)})
	}
	type near struct {
		File       string  `json:"file"`
		Similarity float32 `json:"similarity"`
	}
	list := []near{}
	for _, n := range q.nearest {
		list = append(list, near{n.file, n.similarity})
	}
	return jsonLine(f.w, struct {
		File    string `json:"file"`
		Nearest []near `json:"nearest"`
	}{q.input.file, list})
}

type csvFindings struct {
	w   *textFile
	csv *csv.Writer
}

func (f csvFindings) found(q *query) error {
	if q.err != nil {
		_ = f.csv.Write([]string{q.input.file, "", "", "", message(q.err)}) // Flush has the error
	}
	for i, n := range q.nearest {
		similarity := strconv.FormatFloat(float64(n.similarity), 'g', -1, 32)
		_ = f.csv.Write([]string{q.input.file, strconv.Itoa(i + 1), n.file, similarity, ""})
	}
	f.csv.Flush()
	return errors.Join(f.csv.Error(), f.w.Flush())
}

// tableFindings writes a block for every query. What is wrong with one is said on stderr.
type tableFindings struct {
	w     *textFile
	width int
}

func (f tableFindings) found(q *query) error {
	var b strings.Builder
	b.WriteString(styled(f.w.shown, bold, shortenFront(printable(q.input.file), f.width)) + "\n")
	if q.err != nil {
		b.WriteString("        -  failed\n")
	}
	const before = len("   0.0000  ")
	for _, n := range q.nearest {
		file := printable(n.file)
		if f.width > before {
			file = shortenFront(file, f.width-before)
		}
		fmt.Fprintf(&b, "  %7.4f  %s\n", n.similarity, file)
	}
	_, _ = f.w.WriteString(b.String()) // Flush has the error
	return f.w.Flush()
}
