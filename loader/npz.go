package loader

// This file owns .npz checkpoints: zip archives of .npy arrays, stored or
// deflated, in C or Fortran order. Google published BiT in this form. The arrays
// stay in the file and are read when a tensor is.

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// npzType returns the element type of an array by NumPy's name.
func npzType(descr string) (DType, bool) {
	switch descr {
	case "<i8":
		return I64, true
	case "<i4":
		return I32, true
	case "|b1":
		return Bool, true
	}
	t, ok := npyTypes[descr]
	return t, ok
}

// openNPZ opens an archive whose members are all .npy files.
func openNPZ(a *zipArchive) (*strided, error) {
	var list []stridedTensor
	for _, name := range a.names {
		array, isArray := strings.CutSuffix(name, ".npy")
		if !isArray {
			return nil, fmt.Errorf("member %q is no .npy array", name)
		}
		src, begin, size, err := a.member(name)
		if err != nil {
			return nil, err
		}
		t, err := placeNPY(array, src, begin, size)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", name, err)
		}
		list = append(list, t)
	}
	return newStridedCheckpoint(a.file, list)
}

// placeNPY reads the header of an array of size bytes, header included, that begins at begin.
func placeNPY(name string, src io.ReaderAt, begin, size int64) (stridedTensor, error) {
	head := io.ReaderAt(io.NewSectionReader(src, begin, size))
	if m, ok := src.(*inflated); ok { // not all of it for its header
		text, err := inflate(m.member, min(size, maxNPYHeader+12))
		if err != nil {
			return stridedTensor{}, err
		}
		head = bytes.NewReader(text)
	}
	dict, data, err := readNPYDict(head, size)
	if err != nil {
		return stridedTensor{}, err
	}
	dtype, ok := npzType(dict.descr)
	if !ok {
		return stridedTensor{}, fmt.Errorf("elements are %q, want little-endian numbers", dict.descr)
	}
	if err := checkNPYSize(dtype, dict.shape, size-data); err != nil {
		return stridedTensor{}, err
	}
	t := stridedTensor{
		TensorInfo: TensorInfo{Name: name, DType: dtype, Shape: dict.shape},
		src:        src, begin: begin + data, strides: rowMajor(dict.shape),
	}
	if dict.fortran == "True" {
		n := 1
		for i, d := range dict.shape {
			t.strides[i] = n
			n *= d
		}
	}
	return t, nil
}
