// This file owns resampling: Pillow's Image.resize for 8-bit RGB, bit for bit,
// of which only a rectangle of the result is computed. There are two passes,
// the horizontal one first, with a rounding to 8 bits between them. They run
// interleaved: a source row is resampled horizontally when the vertical window
// reaches it, once, into a ring of as many rows as a window is high, so that
// the memory in use does not depend on the picture's height.

package loader

// rect is a part of a picture.
type rect struct{ left, top, width, height int }

// resizeCrop writes the part r of src resized to width x height into dst:
// r.width*r.height*3 bytes, HWC. r lies within the resized picture, and src
// is not empty.
func resizeCrop(dst []uint8, src *Image, width, height int, r rect, filter Interpolation) {
	rows := rowSource{src: src, left: r.left, width: r.width}
	if width != src.Width {
		rows.columns = filter.windows(src.Width, width, r.left, r.width)
	}
	n := r.width * 3
	if height == src.Height {
		for y := range r.height {
			rows.write(dst[y*n:(y+1)*n], r.top+y)
		}
		return
	}
	windows := filter.windows(src.Height, height, r.top, r.height)
	ring := newRowRing(&rows, windows)
	sums := make([]int32, n)
	for y, w := range windows {
		blendRows(dst[y*n:(y+1)*n], ring.rows(w), w.coeffs, sums)
	}
}

// rowSource gives rows of src at their final width.
type rowSource struct {
	src         *Image
	left, width int
	columns     []window // nil: the width stays, the row is cut
}

// cut returns columns left to left+width of row y, unchanged.
func (s *rowSource) cut(y int) []uint8 {
	return s.src.row(y)[s.left*3 : (s.left+s.width)*3]
}

// write writes row y to dst.
func (s *rowSource) write(dst []uint8, y int) {
	if s.columns == nil {
		copy(dst, s.cut(y))
		return
	}
	resampleRow(dst, s.src.row(y), s.columns)
}

// rowRing keeps the rows of the current window.
type rowRing struct {
	source *rowSource
	slots  [][]uint8 // row y is in slot y % len(slots)
	next   int       // first row not yet made
	view   [][]uint8 // result of rows
}

func newRowRing(source *rowSource, windows []window) *rowRing {
	size := 0
	for _, w := range windows {
		size = max(size, len(w.coeffs))
	}
	r := &rowRing{source: source, slots: make([][]uint8, size), next: windows[0].first}
	if source.columns != nil {
		n := source.width * 3
		buf := make([]uint8, size*n)
		for i := range r.slots {
			r.slots[i] = buf[i*n : (i+1)*n]
		}
	}
	return r
}

// rows returns the rows of w, valid until the next call. Windows must come in
// the order of the output.
func (r *rowRing) rows(w window) [][]uint8 {
	for y := max(r.next, w.first); y < w.end(); y++ {
		slot := &r.slots[y%len(r.slots)]
		if r.source.columns == nil {
			*slot = r.source.cut(y)
		} else {
			r.source.write(*slot, y)
		}
	}
	r.next = max(r.next, w.end())
	r.view = r.view[:0]
	for y := w.first; y < w.end(); y++ {
		r.view = append(r.view, r.slots[y%len(r.slots)])
	}
	return r.view
}

// roundHalf starts every sum, so that the shift in toByte rounds.
const roundHalf = 1 << (coeffBits - 1)

// toByte is Pillow's clip8.
func toByte(sum int32) uint8 { return clampByte(sum >> coeffBits) }

// resampleRow makes one row of RGB pixels, each from its window of src. No sum
// overflows: the absolute coefficients of a window add up to less than 1.6.
func resampleRow(dst, src []uint8, columns []window) {
	for x := range columns {
		w := &columns[x]
		p := src[w.first*3:]
		p = p[:len(w.coeffs)*3]
		r, g, b := int32(roundHalf), int32(roundHalf), int32(roundHalf)
		for j, k := range w.coeffs {
			q := p[3*j : 3*j+3 : 3*j+3]
			r += int32(q[0]) * k
			g += int32(q[1]) * k
			b += int32(q[2]) * k
		}
		d := dst[3*x : 3*x+3]
		d[0], d[1], d[2] = toByte(r), toByte(g), toByte(b)
	}
}

// blendRows writes the weighted sum of rows to dst; sums is scratch of the same
// length.
func blendRows(dst []uint8, rows [][]uint8, coeffs []int32, sums []int32) {
	for i := range sums {
		sums[i] = roundHalf
	}
	for len(rows) >= 4 {
		addRows(sums, [4][]uint8(rows), [4]int32(coeffs))
		rows, coeffs = rows[4:], coeffs[4:]
	}
	if len(rows) > 0 {
		last := [4][]uint8{rows[0], rows[0], rows[0], rows[0]}
		var k [4]int32
		copy(last[:], rows)
		copy(k[:], coeffs)
		addRows(sums, last, k)
	}
	for i, s := range sums[:len(dst)] {
		dst[i] = toByte(s)
	}
}

// addRows adds four weighted rows: one pass over sums instead of four.
func addRows(sums []int32, rows [4][]uint8, k [4]int32) {
	n := len(sums)
	r0, r1, r2, r3 := rows[0][:n], rows[1][:n], rows[2][:n], rows[3][:n]
	k0, k1, k2, k3 := k[0], k[1], k[2], k[3]
	for i := range sums {
		sums[i] += int32(r0[i])*k0 + int32(r1[i])*k1 + int32(r2[i])*k2 + int32(r3[i])*k3
	}
}
