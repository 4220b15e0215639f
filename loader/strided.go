package loader

// This file owns checkpoints whose tensors lie anywhere in a file, in any order
// of their dimensions: PyTorch's storages and the arrays of .npz files. A piece
// of a tensor is gathered as it is read, so that nothing is held but what the
// order of the elements asks for: a run of one element for each row, or a row.

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
)

// stridedTensor is a tensor with its place. strides has the distance between
// neighbours along each dimension, in elements; nil is row-major order.
type stridedTensor struct {
	TensorInfo
	src     io.ReaderAt // holds the elements; its errors need not name the file
	begin   int64       // bytes of src before the first element
	strides []int
}

// newStrided checks that the tensor lies within count elements of src, from
// begin on, and that its order is one that can be read in pieces. strides may
// be nil.
func newStrided(t stridedTensor, count int) (stridedTensor, error) {
	n, ok := elements(t.Shape)
	if !ok {
		return t, fmt.Errorf("shape %v is too large: %w", t.Shape, ErrCorrupt)
	}
	if t.strides == nil || n == 0 {
		t.strides = rowMajor(t.Shape)
	}
	last := 0
	for i, d := range t.Shape {
		s := t.strides[i]
		if n == 0 {
			break
		}
		if s < 0 || d > 1 && s > (math.MaxInt-last)/(d-1) {
			return t, fmt.Errorf("strides %v of shape %v are out of range: %w", t.strides, t.Shape, ErrCorrupt)
		}
		last += (d - 1) * s
	}
	if n > 0 && last >= count {
		return t, fmt.Errorf("shape %v with strides %v ends past the %d elements that are there: %w", t.Shape, t.strides, count, ErrCorrupt)
	}
	if n > count || !t.contiguous() && !t.byColumns() && !t.byRows() {
		return t, fmt.Errorf("strides %v of shape %v leave gaps or overlap; save the tensor contiguous", t.strides, t.Shape)
	}
	return t, nil
}

func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= max(shape[i], 1)
	}
	return strides
}

func (t *stridedTensor) contiguous() bool {
	for i, s := range rowMajor(t.Shape) {
		if t.Shape[i] > 1 && t.strides[i] != s {
			return false
		}
	}
	return true
}

// byColumns says whether the elements of the first dimension are neighbours, as
// those of the last dimension of HWIO kernels are, seen as OIHW.
func (t *stridedTensor) byColumns() bool { return t.strides[0] == 1 && t.Len() > 0 }

// byRows says whether each index of the first dimension has its elements close
// together, whatever their order.
func (t *stridedTensor) byRows() bool { return t.Len() > 0 && t.span() <= 2*t.rowLen() }

func (t *stridedTensor) rowLen() int {
	n, _ := elements(t.Shape[1:])
	return n
}

// span is the distance from the first to the last element of a row, in elements, with both.
func (t *stridedTensor) span() int {
	n := 1
	for i, d := range t.Shape[1:] {
		n += (d - 1) * t.strides[1+i]
	}
	return n
}

// read fills p from byte off of the tensor on. The range has been checked.
func (t *stridedTensor) read(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	if t.contiguous() {
		return readFull(t.src, p, t.begin+off)
	}
	row := t.rowLen() * t.DType.Size()
	for len(p) > 0 {
		first, skip := int(off/int64(row)), int(off%int64(row))
		n := len(p) / row
		piece := p[:n*row]
		if skip > 0 || n == 0 { // a row that the range's ends cut
			piece, n = make([]byte, row), 1
		}
		if err := t.readRows(piece, first, n); err != nil {
			return err
		}
		done := len(piece)
		if skip > 0 || len(p) < row {
			done = copy(p, piece[skip:])
		}
		p, off = p[done:], off+int64(done)
	}
	return nil
}

// readRows fills p with n whole rows. The other dimensions are walked in the
// order of the file, so that a read finds its bytes beside those of the one before.
func (t *stridedTensor) readRows(p []byte, first, n int) error {
	size := t.DType.Size()
	row := t.rowLen()
	walk, step := t.innerWalk()
	src := t.src
	if !t.byRows() {
		if step <= worthWindow*n {
			src = &readAhead{src: src, end: t.end()}
		}
		run := make([]byte, n*size)
		return walk(func(from, to int) error {
			if err := readFull(src, run, t.begin+int64(first+from)*int64(size)); err != nil {
				return err
			}
			for i := range n {
				copy(p[(i*row+to)*size:][:size], run[i*size:])
			}
			return nil
		})
	}
	span := make([]byte, t.span()*size)
	if t.strides[0] <= worthWindow*t.span() {
		src = &readAhead{src: src, end: t.end()}
	}
	for i := range n {
		if err := readFull(src, span, t.begin+int64(first+i)*int64(t.strides[0])*int64(size)); err != nil {
			return err
		}
		dst := p[i*row*size:][:row*size]
		_ = walk(func(from, to int) error { // never fails
			copy(dst[to*size:][:size], span[from*size:])
			return nil
		})
	}
	return nil
}

// worthWindow is up to which part of a window's bytes it pays to read all of them:
// a call, and giving the pages of a map back, cost as much as some kilobytes.
const worthWindow = 16

// readAhead reads more than is asked for: small reads in the order of the file become few large ones.
type readAhead struct {
	src   io.ReaderAt
	end   int64 // nothing from here on is wanted
	buf   []byte
	begin int64 // of buf in src
}

const windowSize = 1 << 20

func (w *readAhead) ReadAt(p []byte, off int64) (int, error) {
	if off < w.begin || off+int64(len(p)) > w.begin+int64(len(w.buf)) {
		n := max(min(windowSize, w.end-off), int64(len(p)))
		if int64(cap(w.buf)) < n {
			w.buf = make([]byte, n)
		}
		w.buf, w.begin = w.buf[:n], off
		if err := readFull(w.src, w.buf, off); err != nil {
			w.buf = nil
			return 0, err
		}
	}
	return copy(p, w.buf[off-w.begin:]), nil
}

// end is the place after the last element, in bytes.
func (t *stridedTensor) end() int64 {
	n := int64(1)
	for i, d := range t.Shape {
		n += int64(d-1) * int64(t.strides[i])
	}
	return t.begin + n*int64(t.DType.Size())
}

// innerWalk returns a walk over the elements of a row: for each, its place in
// the file and in row-major order, counted from the row's first. step is the
// distance in the file from one to the next, in elements.
func (t *stridedTensor) innerWalk() (walkAll func(visit func(from, to int) error) error, step int) {
	type axis struct{ length, from, to int }
	var axes []axis
	to := rowMajor(t.Shape[1:])
	for i, d := range t.Shape[1:] {
		axes = append(axes, axis{d, t.strides[1+i], to[i]})
	}
	slices.SortStableFunc(axes, func(a, b axis) int { return b.from - a.from })
	var walk func(axes []axis, from, to int, visit func(from, to int) error) error
	walk = func(axes []axis, from, to int, visit func(from, to int) error) error {
		if len(axes) == 0 {
			return visit(from, to)
		}
		for i := range axes[0].length {
			if err := walk(axes[1:], from+i*axes[0].from, to+i*axes[0].to, visit); err != nil {
				return err
			}
		}
		return nil
	}
	for _, a := range axes {
		if a.length > 1 {
			step = a.from
		}
	}
	return func(visit func(from, to int) error) error { return walk(axes, 0, 0, visit) }, step
}

// strided is a Checkpoint of such tensors in one file. It is immutable; the file
// does its own locking.
type strided struct {
	*checkpointFile
	tensors []TensorInfo    // sorted by name
	places  []stridedTensor // of the same index
}

// newStridedCheckpoint sorts the tensors. Two of one name are an error.
func newStridedCheckpoint(f *checkpointFile, tensors []stridedTensor) (*strided, error) {
	if len(tensors) == 0 {
		return nil, errors.New("holds no tensor")
	}
	sort.SliceStable(tensors, func(i, j int) bool { return tensors[i].Name < tensors[j].Name })
	c := &strided{checkpointFile: f, places: tensors}
	for i, t := range tensors {
		if i > 0 && tensors[i-1].Name == t.Name {
			return nil, fmt.Errorf("tensor %q comes twice: %w", t.Name, ErrCorrupt)
		}
		c.tensors = append(c.tensors, t.TensorInfo)
	}
	return c, nil
}

func (c *strided) Tensors() []TensorInfo       { return c.tensors }
func (c *strided) Metadata() map[string]string { return nil }

func (c *strided) ReadTensor(name string, p []byte, off int64) error {
	i, ok := findTensor(c.tensors, name)
	if !ok {
		return fmt.Errorf("loader: %s: no tensor %q", c.name, name)
	}
	err := checkRange(name, c.tensors[i].Bytes(), off, len(p))
	if err == nil {
		if err = c.places[i].read(p, off); err != nil {
			err = fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	if err != nil {
		return fmt.Errorf("loader: %s: %w", c.name, err)
	}
	return nil
}

// findTensor looks a name up in a sorted list.
func findTensor(tensors []TensorInfo, name string) (int, bool) {
	i := sort.Search(len(tensors), func(i int) bool { return tensors[i].Name >= name })
	return i, i < len(tensors) && tensors[i].Name == name
}
