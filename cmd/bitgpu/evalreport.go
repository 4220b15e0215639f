package main

// This file owns what bitgpu eval tells in the end: the table, its JSON, and the confusion matrix.

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/draw"
)

// evalReport is the JSON of an evaluation. Shares are 0 to 1, and null where there is nothing to share.
type evalReport struct {
	Model     string        `json:"model"`
	Precision string        `json:"precision"`
	Device    string        `json:"device"`
	Rule      string        `json:"classes_by"`
	Images    int           `json:"images"`
	Failed    int           `json:"failed"`
	Top1      *float64      `json:"top1"`
	Top5      *float64      `json:"top5"`
	Loss      *float64      `json:"loss"`
	Seconds   float64       `json:"seconds"`
	Rate      float64       `json:"images_per_second"`
	Classes   []classReport `json:"classes"` // that have pictures
	Agreement *agreement    `json:"compare,omitempty"`
}

// classReport is one class of it.
type classReport struct {
	Index     int      `json:"index"`
	Label     string   `json:"label"`
	Images    int      `json:"images"`
	Top1      *float64 `json:"top1"`
	Top5      *float64 `json:"top5"`
	Precision *float64 `json:"precision"` // null if nothing was taken for the class
	Taken     int      `json:"taken_for_it"`
	Mistake   *int     `json:"most_often_taken_for"` // the wrong answer that was given most often; null if there was none
	Mistakes  int      `json:"times"`
}

// number is nil for NaN.
func number(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	return &x
}

func (e *evaluation) report() evalReport {
	r := evalReport{
		Model: e.info.Name, Precision: e.info.Precision.String(), Device: e.info.Device.Name, Rule: e.rule,
		Images: e.Images, Failed: e.Failed, Top1: number(e.Top1()), Top5: number(e.Top5()), Loss: number(e.Loss()),
		Seconds: e.elapsed.Seconds(), Rate: float64(e.Images) / e.elapsed.Seconds(), Classes: e.perClass(),
	}
	if e.other != nil {
		r.Agreement = &e.agrees
	}
	return r
}

// perClass lists the classes that have pictures, by index.
func (e *evaluation) perClass() []classReport {
	list := []classReport{}
	at := map[int]int{}
	for i, c := range e.Classes {
		if c.Images == 0 {
			continue
		}
		at[i] = len(list)
		list = append(list, classReport{
			Index: i, Label: e.info.Labels[i], Images: c.Images, Top1: number(c.Recall()),
			Top5: number(float64(c.Right5) / float64(c.Images)), Precision: number(c.Precision()), Taken: c.Taken,
		})
	}
	for pair, n := range e.Answers {
		if pair[0] == pair[1] {
			continue
		}
		c := &list[at[pair[0]]]
		if n > c.Mistakes || n == c.Mistakes && pair[1] < *c.Mistake {
			c.Mistake, c.Mistakes = &pair[1], n
		}
	}
	return list
}

// How much is printed of long lists; JSON and --out have all.
const (
	mostClasses     = 50
	mostDifferences = 50
)

// print prints the report; errors of the writer are its Flush's. width is the terminal's, 0 for none.
func (e *evaluation) print(out io.Writer, width int) {
	fmt.Fprintf(out, "%s, %v, on %s\n", printable(e.info.Name), e.info.Precision, printable(e.info.Device.Name))
	fmt.Fprintf(out, "classes by %s\n", printable(e.rule))
	failed := ""
	if e.Failed > 0 {
		failed = fmt.Sprintf(", %d more failed", e.Failed)
	}
	fmt.Fprintf(out, "%d images%s, %.1f images/s\n", e.Images, failed, float64(e.Images)/e.elapsed.Seconds())
	if e.Images > 0 {
		fmt.Fprintf(out, "\ntop-1  %6.2f %%  %d of %d\n", 100*e.Top1(), e.Right1, e.Images)
		fmt.Fprintf(out, "top-5  %6.2f %%  %d of %d\n", 100*e.Top5(), e.Right5, e.Images)
		fmt.Fprintf(out, "loss   %8.4f  cross-entropy, mean\n", e.Loss())
		e.printClasses(out, width)
	}
	if e.other != nil {
		e.printAgreement(out)
	}
}

func (e *evaluation) printClasses(out io.Writer, width int) {
	list, title := e.perClass(), "class"
	if len(list) > mostClasses {
		slices.SortStableFunc(list, func(a, b classReport) int { return cmp.Compare(*a.Top1, *b.Top1) })
		title = fmt.Sprintf("the worst %d of %d", mostClasses, len(list))
		list = list[:mostClasses]
	}
	const most = 40
	longest := len(title)
	for _, c := range list {
		longest = max(longest, len([]rune(c.Label)))
	}
	const others = 46 // columns of a line but for the label
	if longest = min(longest, most); width > 0 {
		longest = min(longest, max(width-others, 8))
	}
	fmt.Fprintf(out, "\n%-*s  images   top-1   top-5  precision  taken for\n", longest, shorten(title, longest))
	for _, c := range list {
		precision, mistake := "-", ""
		if c.Precision != nil {
			precision = percentOf(*c.Precision)
		}
		if c.Mistake != nil {
			mistake = fmt.Sprintf("%s (%d)", shorten(printable(e.info.Labels[*c.Mistake]), most), c.Mistakes)
		}
		line := fmt.Sprintf("%-*s  %6d %7s %7s %10s  %s", longest, shorten(printable(c.Label), longest), c.Images,
			percentOf(*c.Top1), percentOf(*c.Top5), precision, mistake)
		fmt.Fprintln(out, shorten(strings.TrimRight(line, " "), width))
	}
}

func percentOf(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func (e *evaluation) printAgreement(out io.Writer) {
	g := &e.agrees
	fmt.Fprintf(out, "\n%s gives the same answer for %d of %d images", printable(g.File), g.Same, g.Compared)
	if g.Compared > 0 {
		fmt.Fprintf(out, ", %.2f %%", 100*g.Share)
	}
	fmt.Fprintln(out)
	for i, d := range g.Differ {
		if i == mostDifferences {
			fmt.Fprintf(out, "  and %d more; --out FILE.csv has them all\n", len(g.Differ)-i)
			break
		}
		fmt.Fprintf(out, "  %s: %s (%.1f %%), there %s\n", printable(d.File), printable(e.info.Labels[d.Ours]), 100*d.Prob, e.label(d.Other))
	}
	if g.Missing > 0 {
		fmt.Fprintf(out, "  for %d images it has no answer, or several whose file names fit equally well (timm's --fullname tells them apart)\n", g.Missing)
	}
	if g.Unused > 0 {
		fmt.Fprintf(out, "  %d of its answers are of other files\n", g.Unused)
	}
	if g.Bad > 0 {
		fmt.Fprintf(out, "  %d of its rows cannot be read, the first is %v\n", g.Bad, e.other.why)
	}
}

// label is the name of another run's class.
func (e *evaluation) label(class int) string {
	if class < 0 || class >= len(e.info.Labels) {
		return fmt.Sprintf("class %d, which the model does not have", class)
	}
	return printable(e.info.Labels[class])
}

// isSome says whether an error is that inputs failed, no more.
func isSome(err error) bool {
	var some errInputs
	return errors.As(err, &some)
}

// confusion is the matrix of the classes that occur, as the class of a picture or as an answer.
type confusion struct {
	labels []string
	rows   [][]cell
}

// cell is how many pictures of a row's class were taken for the class of a column.
type cell struct{ column, count int }

func newConfusion(e *bitgpu.Evaluation, labels []string) confusion {
	var c confusion
	at := make([]int, len(e.Classes))
	for i, s := range e.Classes {
		if s.Images > 0 || s.Taken > 0 {
			at[i] = len(c.labels)
			c.labels = append(c.labels, labels[i])
		}
	}
	c.rows = make([][]cell, len(c.labels))
	for pair, n := range e.Answers {
		row := at[pair[0]]
		c.rows[row] = append(c.rows[row], cell{at[pair[1]], n})
	}
	return c
}

// row returns the counts of a true class.
func (c confusion) row(i int) []int {
	counts := make([]int, len(c.labels))
	for _, x := range c.rows[i] {
		counts[x.column] = x.count
	}
	return counts
}

// writeConfusion writes the matrix to a file that appears when it is complete.
func (a *app) writeConfusion(path string, e *evaluation) error {
	c := newConfusion(e.Evaluation, e.info.Labels)
	if strings.EqualFold(filepath.Ext(path), ".png") {
		img, err := draw.Matrix(fmt.Sprintf("%s: top-1 %.2f %% of %d images", e.info.Name, 100*e.Top1(), e.Images), c.labels, c.row)
		if err != nil {
			return fmt.Errorf("--confusion: %s: %w", path, err)
		}
		return a.writePNG("--confusion", path, img)
	}
	file, err := a.createFile("--confusion", path)
	if err != nil {
		return err
	}
	defer file.Discard()
	if err := c.csv(file); err != nil {
		return fmt.Errorf("--confusion: %s: %w", path, err)
	}
	return file.Close()
}

// csv writes a header of the answers, and a row for each true class.
func (c confusion) csv(w io.Writer) error {
	rows := csv.NewWriter(w)
	_ = rows.Write(append([]string{"true\\answer"}, c.labels...)) // Error has what is wrong
	for i, label := range c.labels {
		row := []string{label}
		for _, n := range c.row(i) {
			row = append(row, strconv.Itoa(n))
		}
		_ = rows.Write(row)
	}
	rows.Flush()
	return rows.Error()
}
