package loader

// This file owns the header of .npy files:
//
//	"\x93NUMPY"  major, minor version
//	u16 (version 1) or u32 (2 and 3), little-endian: the length of the rest
//	a Python dict literal: {'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), }
//	spaces, then a newline
//
// and the small part of Python's syntax that such a dict may have.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	npyMagic = "\x93NUMPY"
	// maxNPYHeader bounds the dict in bytes. NumPy's own limit is 10,000.
	maxNPYHeader = 1 << 16
	// maxNPYDims is NumPy's limit of dimensions (NPY_MAXDIMS; 64 since 2.0).
	maxNPYDims = 64
)

// npyTypes are the element types that arrays may have here, by NumPy's name.
var npyTypes = map[string]DType{"<f4": F32, "<f2": F16, "<f8": F64, "|u1": U8}

// npyDescr is the inverse of npyTypes.
func npyDescr(d DType) (string, bool) {
	for descr, t := range npyTypes {
		if t == d {
			return descr, true
		}
	}
	return "", false
}

// npyHeader describes a C-ordered array of at least one dimension.
type npyHeader struct {
	dtype DType
	shape []int
}

// rowLen returns the elements of one row. It is exact: the shape was checked.
func (h npyHeader) rowLen() int {
	n, _ := elements(h.shape[1:])
	return n
}

// readNPYHeader reads and checks the header of a file of size bytes. It
// returns the offset of the data, which the file has exactly.
func readNPYHeader(r io.ReaderAt, size int64) (npyHeader, int64, error) {
	dict, data, err := readNPYDict(r, size)
	if err != nil {
		return npyHeader{}, 0, err
	}
	h, err := dict.header()
	if err != nil {
		return npyHeader{}, 0, err
	}
	if _, ok := elements(h.shape[1:]); !ok {
		return npyHeader{}, 0, badNPY("shape %v is too large", h.shape)
	}
	return h, data, checkNPYSize(h.dtype, h.shape, size-data)
}

// checkNPYSize makes sure that an array has exactly the bytes that follow its header.
func checkNPYSize(dtype DType, shape []int, follow int64) error {
	n, ok := elements(shape)
	if !ok {
		return badNPY("shape %v is too large", shape)
	}
	if want := int64(n) * int64(dtype.Size()); want != follow {
		return badNPY("%s of shape %v has %d bytes, but %d follow the header", dtype, shape, want, follow)
	}
	return nil
}

func badNPY(format string, args ...any) error {
	return fmt.Errorf("not a sound .npy file: %w: %w", fmt.Errorf(format, args...), ErrCorrupt)
}

// readNPYDict reads the dict of a file of size bytes, and the offset of the data.
func readNPYDict(r io.ReaderAt, size int64) (npyDict, int64, error) {
	corrupt := func(format string, args ...any) (npyDict, int64, error) {
		return npyDict{}, 0, badNPY(format, args...)
	}
	var start [12]byte
	prefix := start[:min(size, 12)]
	if err := readFull(r, prefix, 0); err != nil {
		return npyDict{}, 0, err
	}
	if len(prefix) < 10 || string(prefix[:6]) != npyMagic {
		return corrupt("does not begin as one")
	}
	var begin, length int64
	switch version := prefix[6]; {
	case version == 1:
		begin, length = 10, int64(binary.LittleEndian.Uint16(prefix[8:]))
	case (version == 2 || version == 3) && len(prefix) == 12:
		begin, length = 12, int64(binary.LittleEndian.Uint32(prefix[8:]))
	default:
		return corrupt("version %d.%d", version, prefix[7])
	}
	if length > maxNPYHeader || length > size-begin {
		return corrupt("a header of %d bytes, at most %d are possible", length, min(maxNPYHeader, size-begin))
	}
	text := make([]byte, length)
	if err := readFull(r, text, begin); err != nil {
		return npyDict{}, 0, err
	}
	dict, err := parseNPYDict(string(text))
	if err != nil {
		return corrupt("header: %w", err)
	}
	return dict, begin + length, nil
}

// npyDict is the dict as written; shape is nil, or fortran "", when missing.
type npyDict struct {
	descr, fortran string
	shape          []int
}

// header makes sure that the array is one that can be read here.
func (d npyDict) header() (npyHeader, error) {
	t, ok := npyTypes[d.descr]
	switch {
	case !ok:
		return npyHeader{}, fmt.Errorf("elements are %q, want <f4, <f2, <f8 or |u1", d.descr)
	case d.fortran != "False":
		return npyHeader{}, errors.New("the array is in Fortran order, want C order (numpy.ascontiguousarray)")
	case len(d.shape) == 0:
		return npyHeader{}, errors.New("the array has no dimension")
	}
	return npyHeader{t, d.shape}, nil
}

// npyParser walks over a dict literal.
type npyParser struct{ rest string }

// accept skips spaces and then s, and reports whether s was there.
func (p *npyParser) accept(s string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

// quoted reads a string without escapes.
func (p *npyParser) quoted() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if p.accept(quote) {
			s, rest, ok := strings.Cut(p.rest, quote)
			if !ok || strings.Contains(s, `\`) {
				return "", errors.New("a string that does not end")
			}
			p.rest = rest
			return s, nil
		}
	}
	return "", fmt.Errorf("found %.20q, want a string", p.rest)
}

// shape reads a tuple of sizes. Python 2 wrote them with an L.
func (p *npyParser) shape() ([]int, error) {
	if !p.accept("(") {
		return nil, fmt.Errorf("found %.20q, want a tuple", p.rest)
	}
	shape := []int{}
	for !p.accept(")") {
		if len(shape) > 0 && !p.accept(",") {
			return nil, fmt.Errorf("found %.20q, want a comma", p.rest)
		}
		if p.accept(")") {
			break
		}
		digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil || len(shape) == maxNPYDims {
			return nil, fmt.Errorf("found %.20q, want at most %d sizes", p.rest, maxNPYDims)
		}
		p.rest = strings.TrimPrefix(p.rest[len(digits):], "L")
		shape = append(shape, n)
	}
	return shape, nil
}

// parseNPYDict reads the whole text of a header.
func parseNPYDict(text string) (npyDict, error) {
	p := npyParser{text}
	var d npyDict
	if !p.accept("{") {
		return d, fmt.Errorf("found %.20q, want a dict", p.rest)
	}
	for !p.accept("}") {
		key, err := p.quoted()
		if err == nil && !p.accept(":") {
			err = fmt.Errorf("found %.20q, want a colon", p.rest)
		}
		if err != nil {
			return d, err
		}
		switch key {
		case "descr":
			if p.accept("[") {
				return d, errors.New("a structured type, want numbers")
			}
			d.descr, err = p.quoted()
		case "fortran_order":
			switch {
			case p.accept("False"):
				d.fortran = "False"
			case p.accept("True"):
				d.fortran = "True"
			default:
				err = fmt.Errorf("found %.20q, want False or True", p.rest)
			}
		case "shape":
			d.shape, err = p.shape()
		default:
			err = fmt.Errorf("key %q is unknown", key)
		}
		if err != nil {
			return d, err
		}
		if !p.accept(",") {
			if !p.accept("}") {
				return d, fmt.Errorf("found %.20q, want a comma", p.rest)
			}
			break
		}
	}
	p.accept("")
	if p.rest != "" || d.descr == "" || d.fortran == "" || d.shape == nil {
		return d, errors.New("not just descr, fortran_order and shape")
	}
	return d, nil
}
