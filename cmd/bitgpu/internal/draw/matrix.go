package draw

import (
	"fmt"
	"image"
	"image/color"

	"github.com/bitgpu/bitgpu"
)

// Sizes of a matrix in pixels.
const (
	matrixSide  = 1400 // about, of a matrix of many cells
	largestCell = 56
	cellOfText  = 14 // smallest cells whose rows and columns have names
	cellOfCount = 30 // smallest cells with a number in them
	longestName = 160
)

// Matrix draws a square table of counts, such as a confusion matrix. The colour of a cell is its share of the row; of a row
// without counts that is 0. row returns the ith row, which is read before the next call. Where there are more cells than
// pixels, one pixel shows the sum of several.
func Matrix(title string, names []string, row func(i int) []int) (image.Image, error) {
	n := len(names)
	cell, merged := min(max(matrixSide/max(n, 1), 1), largestCell), 1
	if n > matrixSide {
		merged = (n + matrixSide - 1) / matrixSide
	}
	cells := (n + merged - 1) / merged
	c, err := newCanvas(1, 1, 12)
	if err != nil {
		return nil, err
	}
	margin := 0
	if cell >= cellOfText {
		for _, name := range names {
			margin = max(margin, min(c.width(name), longestName))
		}
	}
	const border, bar = 16, 90
	left, top := border+c.line+margin+8, border+2*c.line+margin+8
	width := max(left+cells*cell+bar, left+c.width(title)+border)
	if c, err = newCanvas(width, top+max(cells*cell, 120)+border, 12); err != nil {
		return nil, err
	}
	c.text(left, border+c.line/2, title, black)
	c.text(left, border+c.line+c.line/2, "answer", grey)
	c.upward(border+c.line/2, top+min(cells*cell, 60), "true", grey)
	m := &matrix{c, cell, left, top, margin}
	sum := make([]int, cells)
	total := 0
	for i := range n {
		for j, count := range row(i) {
			sum[j/merged] += count
			total += count
		}
		if (i+1)%merged == 0 || i == n-1 {
			m.row(i/merged, sum, total)
			clear(sum)
			total = 0
		}
		if cell >= cellOfText {
			m.name(i, names[i])
		}
	}
	m.bar(left + cells*cell + 24)
	return c, nil
}

// matrix is one that is being drawn.
type matrix struct {
	*canvas
	cell, left, top int
	margin          int // pixels for names
}

func (m *matrix) row(i int, counts []int, total int) {
	gap := 0
	if m.cell >= 8 {
		gap = 1
	}
	for j, count := range counts {
		share := float64(count) / float64(max(total, 1))
		x, y := m.left+j*m.cell, m.top+i*m.cell
		with := bitgpu.Viridis.At(share)
		m.fill(image.Rect(x, y, x+m.cell-gap, y+m.cell-gap), with)
		if text := fmt.Sprint(count); count > 0 && m.cell >= cellOfCount && m.width(text) < m.cell-4 {
			m.centred(x+m.cell/2, y+m.cell/2, text, contrast(with))
		}
	}
}

// contrast is black or white, whichever is easier to read on a colour.
func contrast(c color.RGBA) color.Color {
	if 299*int(c.R)+587*int(c.G)+114*int(c.B) > 140*1000 {
		return black
	}
	return white
}

func (m *matrix) name(i int, name string) {
	name = m.shorten(name, m.margin)
	at := i*m.cell + m.cell/2
	m.text(m.left-6-m.width(name), m.top+at, name, black)
	m.upward(m.left+at, m.top-4, name, black)
}

// bar draws the scale of the colours.
func (m *matrix) bar(x int) {
	const width, height = 14, 100
	for y := range height {
		m.fill(image.Rect(x, m.top+y, x+width, m.top+y+1), bitgpu.Viridis.At(1-float64(y)/(height-1)))
	}
	m.text(x+width+6, m.top+6, "100 %", black)
	m.text(x+width+6, m.top+height-6, "0", black)
}
