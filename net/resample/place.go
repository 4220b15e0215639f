package resample

import (
	"encoding/binary"
	"fmt"

	"github.com/bitgpu/bitgpu/shaders"
)

// place is where a picture's data lie: its part of a frame's source, from at on, holds the pixels and then
// the tables of both axes, its part of middle what the first pass makes. The pixels of a resident picture
// are behind that, from pixelsAt on in the part.
type place struct {
	at, size             int64
	middleAt, middleSize int64
	between              int64 // of middle, between the passes
	pixelsAt, pixels     int64
	stride               int // bytes from one row of pixels to the next
	rows                 int // of the picture
	width, height        int // of the crop
	crop                 int64
	columns, lines       table
}

// table is that of an axis: at is its offset in the picture's part of source.
type table struct {
	at, size int64
	quads    int
}

// place checks a picture against the device's limits. at and middleAt are left to be set.
func (r *Resizer) place(p *Picture) (place, error) {
	if err := p.check(); err != nil {
		return place{}, err
	}
	l := place{
		stride: (p.Width*3 + 3) / 4 * 4, rows: p.Height,
		width: len(p.Columns.First), height: len(p.Rows.First), crop: int64(p.crop()),
	}
	l.columns.quads, l.lines.quads = p.Columns.quads(), p.Rows.quads()
	if p.Resident != nil {
		l.stride = p.Resident.stride(p)
	}
	// Behind the last row lies what is read with the weight zero (shaders/resize_rows.comp and
	// resize_columns.comp).
	l.pixels = r.round(int64(l.stride)*int64(l.rows) + int64(4*l.columns.quads+1)*4)
	if p.Resident == nil {
		l.columns.at = l.pixels
	}
	l.columns.size = p.Columns.tableSize()
	l.lines.at = r.round(l.columns.at + l.columns.size)
	l.lines.size = p.Rows.tableSize()
	l.size = r.round(l.lines.at + l.lines.size)
	l.between = r.round(int64(l.rows+4*l.lines.quads) * int64(l.width) * 4)
	l.middleSize = l.between
	if p.Resident != nil {
		l.pixelsAt = l.between
		l.middleSize += l.pixels
	}
	most := r.limits.MaxStorageBufferRange
	switch {
	case max(l.pixels, l.columns.size, l.lines.size, l.between, l.crop+r.align) > most:
		return l, fmt.Errorf("%w: %d x %d pixels for a crop of %d x %d, the device binds at most %d bytes",
			ErrTooLarge, p.Width, p.Height, l.width, l.height, most)
	case max(p.Columns.Taps, p.Rows.Taps) > mostTaps:
		return l, fmt.Errorf("%w: windows of %d samples, at most %d are possible",
			ErrTooLarge, max(p.Columns.Taps, p.Rows.Taps), mostTaps)
	case max(groups(l.rows, shaders.ResizeRows), groups(l.height, 1)) > r.limits.MaxWorkGroupCount[1],
		groups(l.width, localSize) > r.limits.MaxWorkGroupCount[0]:
		return l, fmt.Errorf("%w: %d rows for a crop of %d x %d", ErrTooLarge, l.rows, l.width, l.height)
	}
	return l, nil
}

func (r *Resizer) round(n int64) int64 { return (n + r.align - 1) / r.align * r.align }

// Check says whether the device can resize a picture, but for the memory; ErrTooLarge if not.
func (r *Resizer) Check(p *Picture) error {
	_, err := r.place(p)
	return err
}

// crop is the size of the crop in bytes.
func (p *Picture) crop() int { return len(p.Columns.First) * len(p.Rows.First) * 4 }

func (p *Picture) check() error {
	row := 3 * p.Width
	if p.Resident != nil {
		if err := p.Resident.check(p); err != nil {
			return fmt.Errorf("resample: %w", err)
		}
	} else if p.Width < 1 || p.Height < 1 || p.Stride < row || len(p.Pix) < row || p.Height-1 > (len(p.Pix)-row)/p.Stride {
		return fmt.Errorf("resample: a picture of %d x %d pixels, rows of %d bytes, with %d bytes",
			p.Width, p.Height, p.Stride, len(p.Pix))
	}
	if err := p.Columns.check(p.Width); err != nil {
		return fmt.Errorf("resample: columns: %w", err)
	}
	if err := p.Rows.check(p.Height); err != nil {
		return fmt.Errorf("resample: rows: %w", err)
	}
	return nil
}

func (a *Axis) check(size int) error {
	if a.Taps < 1 || len(a.First) < 1 || len(a.Coeffs)/a.Taps != len(a.First) {
		return fmt.Errorf("%d weights for %d samples of %d", len(a.Coeffs), len(a.First), a.Taps)
	}
	for _, first := range a.First {
		if first < 0 || int(first) >= size {
			return fmt.Errorf("a window at %d of %d", first, size)
		}
	}
	return nil
}

// quads is the weights of a sample in the kernels' table, in fours.
func (a *Axis) quads() int { return (a.Taps + 3) / 4 }

func (a *Axis) tableSize() int64 { return int64(len(a.First)) * int64(1+a.quads()) * 16 }

// write lays an axis out as the kernels read it (shaders/resize.glsl).
func (a *Axis) write(b []byte) {
	size := 16 * (1 + a.quads())
	for i, first := range a.First {
		row := b[i*size : (i+1)*size]
		clear(row)
		binary.LittleEndian.PutUint32(row, uint32(first))
		for j, k := range a.Coeffs[i*a.Taps : (i+1)*a.Taps] {
			binary.LittleEndian.PutUint32(row[16+4*j:], uint32(k))
		}
	}
}

// write lays a picture and its tables out in its part of the source.
func (l *place) write(b []byte, p *Picture) {
	if p.Resident == nil {
		for y := range p.Height {
			copy(b[y*l.stride:], p.Pix[y*p.Stride:y*p.Stride+3*p.Width])
		}
	}
	p.Columns.write(b[l.columns.at:])
	p.Rows.write(b[l.lines.at:])
}
