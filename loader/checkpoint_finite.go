package loader

// This file owns the search for NaN and infinity in weights as they stream by.
// A floating-point value is one of the two exactly when its exponent bits are
// all ones, whatever its type, so the test is one mask and one addition per
// 8-byte word.

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Finite returns c with a ReadTensor that fails when the piece it read holds a
// NaN or an infinity; the error names the tensor and the element's flat index.
// Tensors that are not F32, F16, BF16 or F64 pass unseen. Closing the result
// closes c.
func Finite(c Checkpoint) Checkpoint {
	return finite{c}
}

type finite struct{ Checkpoint }

func (f finite) ReadTensor(name string, p []byte, off int64) error {
	if err := f.Checkpoint.ReadTensor(name, p, off); err != nil {
		return err
	}
	tensors := f.Tensors()
	i := sort.Search(len(tensors), func(i int) bool { return tensors[i].Name >= name })
	size := int64(tensors[i].DType.Size())
	exp, ok := exponentTestFor(tensors[i].DType)
	if !ok || len(p) == 0 {
		return nil
	}
	check := func(p []byte, off int64) error {
		if k := exp.find(p, int(size)); k >= 0 {
			return fmt.Errorf("loader: tensor %q: element %d is NaN or infinite", name, off/size+int64(k))
		}
		return nil
	}
	// The elements that lie wholly in the piece, then the ones that its ends
	// cut, which are read once more for it.
	first, last := (off+size-1)/size*size, (off+int64(len(p)))/size*size
	if first < last {
		if err := check(p[first-off:last-off], first); err != nil {
			return err
		}
	}
	var element [8]byte
	for _, at := range []int64{first - size, last} {
		if at+size <= off || at >= off+int64(len(p)) {
			continue
		}
		if err := f.Checkpoint.ReadTensor(name, element[:size], at); err != nil {
			return err
		}
		if err := check(element[:size], at); err != nil {
			return err
		}
	}
	return nil
}

// exponentTest finds all-ones exponents in the lanes of an 8-byte word: mask
// keeps the exponents, and adding one (the lowest exponent bit of each lane)
// carries into a lane's sign bit exactly when its exponent is all ones. No
// carry leaves a lane.
type exponentTest struct{ mask, one, sign uint64 }

func exponentTestFor(d DType) (exponentTest, bool) {
	switch d {
	case F32:
		return exponentTest{0x7F800000_7F800000, 0x00800000_00800000, 0x80000000_80000000}, true
	case F16:
		return exponentTest{0x7C00_7C00_7C00_7C00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000}, true
	case BF16:
		return exponentTest{0x7F80_7F80_7F80_7F80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000}, true
	case F64:
		return exponentTest{0x7FF0_0000_0000_0000, 0x0010_0000_0000_0000, 0x8000_0000_0000_0000}, true
	}
	return exponentTest{}, false
}

// find returns the index of the first element of p that is not finite, or -1.
// p holds whole elements of size bytes.
func (t exponentTest) find(p []byte, size int) int {
	const block = 4096 // bytes between two looks at the accumulated carries
	for begin := 0; begin < len(p); begin += block {
		piece := p[begin:min(begin+block, len(p))]
		var carries uint64
		words := piece
		for ; len(words) >= 8; words = words[8:] {
			carries |= binary.LittleEndian.Uint64(words)&t.mask + t.one
		}
		var tail [8]byte
		copy(tail[:], words)
		carries |= binary.LittleEndian.Uint64(tail[:])&t.mask + t.one
		if carries&t.sign == 0 {
			continue
		}
		for i := 0; i < len(piece); i += size {
			var element [8]byte
			copy(element[:], piece[i:i+size])
			if (binary.LittleEndian.Uint64(element[:])&t.mask+t.one)&t.sign != 0 {
				return (begin + i) / size
			}
		}
	}
	return -1
}
