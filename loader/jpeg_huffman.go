// This file owns the entropy-coded bits of a JPEG: Huffman tables and the bit
// reader, T.81 annexes C and F.

package loader

import (
	"encoding/binary"
	"errors"
	"io"
)

// fastBits is the longest code that one lookup decodes.
const fastBits = 9

// huffmanTable decodes one set of codes.
type huffmanTable struct {
	// fast is indexed by the next fastBits bits: length<<8 | value, or 0 for
	// codes that are longer.
	fast [1 << fastBits]uint16
	// quick is indexed likewise: a quickCode where the code, taken to be one of
	// an AC coefficient, and the value after it fit; or 0.
	quick [1 << fastBits]int32
	// For codes of n bits: limit[n] is one more than the largest, left-aligned
	// to 16 bits; offset[n] added to a code gives its index in values.
	limit  [17]uint32
	offset [17]int32
	values [256]uint8
}

// newHuffmanTable reads a table from the front of spec: 16 counts of the codes
// of each length, then their values. It returns the bytes used.
func newHuffmanTable(spec []byte) (*huffmanTable, int, error) {
	if len(spec) < 16 {
		return nil, 0, errors.New("short Huffman table")
	}
	total := 0
	for _, n := range spec[:16] {
		total += int(n)
	}
	if total > 256 || len(spec) < 16+total {
		return nil, 0, errors.New("bad Huffman table")
	}
	t := &huffmanTable{}
	copy(t.values[:], spec[16:16+total])
	code, index := 0, 0
	for length := 1; length <= 16; length++ {
		t.offset[length] = int32(index - code)
		for range spec[length-1] {
			if code >= 1<<length {
				return nil, 0, errors.New("bad Huffman table: too many codes")
			}
			if length <= fastBits {
				entry := uint16(length)<<8 | uint16(t.values[index])
				first := code << (fastBits - length)
				for i := range 1 << (fastBits - length) {
					t.fast[first+i] = entry
				}
			}
			code++
			index++
		}
		t.limit[length] = uint32(code) << (16 - length)
		code <<= 1
	}
	for next := range t.quick {
		length, symbol := int(t.fast[next]>>8), int(t.fast[next]&0xff)
		if size := symbol & 15; size > 0 && length > 0 && length+size <= fastBits {
			b := bitReader{bits: uint64(next) << (64 - fastBits + length)}
			t.quick[next] = quickCode(b.extend(size), symbol>>4, length+size)
		}
	}
	return t, 16 + total, nil
}

// quickCode joins a coefficient, the zeros before it and the bits of both: less
// than 16.
func quickCode(value int32, run, bits int) int32 { return value<<8 | int32(run<<4|bits) }

// bitReader reads the bits of one scan. At a marker, and at the end of the
// data, it goes on with zeros; overrun tells whether they were used. It never
// moves beyond a marker.
type bitReader struct {
	data []byte
	pos  int
	bits uint64 // the next bits, from the top
	n    int    // how many of them count
	zero int    // how many of those, the last ones, are made up
	bad  bool   // a code that the table lacks was met
}

// fill brings n to at least 56.
func (b *bitReader) fill() {
	if b.pos+8 <= len(b.data) {
		word := binary.BigEndian.Uint64(b.data[b.pos:])
		// No byte is 0xff, which would start a marker or a stuffed byte?
		if inv := ^word; (inv-0x0101010101010101)&^inv&0x8080808080808080 == 0 {
			b.bits |= word >> b.n
			b.pos += (63 - b.n) >> 3
			b.n |= 56
			return
		}
	}
	for b.n <= 56 {
		v := uint64(0)
		switch {
		case b.pos < len(b.data) && b.data[b.pos] != 0xff:
			v = uint64(b.data[b.pos])
			b.pos++
		case b.pos+1 < len(b.data) && b.data[b.pos+1] == 0:
			v = 0xff
			b.pos += 2
		default:
			b.zero += 8
		}
		b.bits |= v << (56 - b.n)
		b.n += 8
	}
}

// overrun says why the bits read so far are not all from the scan, if so.
func (b *bitReader) overrun() error {
	switch {
	case b.bad:
		return errors.New("bad Huffman code")
	case b.n >= b.zero:
		return nil
	case b.pos+1 >= len(b.data):
		return io.ErrUnexpectedEOF
	}
	return errors.New("scan ends early")
}

// symbol decodes one code. The caller has made sure of 16 bits.
func (b *bitReader) symbol(t *huffmanTable) int {
	if e := t.fast[b.bits>>(64-fastBits)]; e != 0 {
		length := int(e >> 8)
		b.bits <<= length
		b.n -= length
		return int(e & 0xff)
	}
	top := uint32(b.bits >> 48)
	for length := fastBits + 1; length <= 16; length++ {
		if top < t.limit[length] {
			code := int32(top >> (16 - length))
			b.bits <<= length
			b.n -= length
			return int(t.values[(code+t.offset[length])&0xff])
		}
	}
	b.bad = true
	return 0
}

// receive reads n bits, 0 to 16, as a number. The caller has made sure of them.
func (b *bitReader) receive(n int) int32 {
	v := int32(b.bits >> 1 >> (63 - n))
	b.bits <<= n
	b.n -= n
	return v
}

// extend reads the n bits, 0 to 16, of a signed value: F.2.2.1.
func (b *bitReader) extend(n int) int32 {
	v := b.receive(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

// restart passes the restart marker that must come next, skipping what is left
// before it.
func (b *bitReader) restart(number int) error {
	for ; b.pos+1 < len(b.data); b.pos++ {
		if m := b.data[b.pos+1]; b.data[b.pos] == 0xff && m != 0 && m != 0xff {
			if m != uint8(jpegRST0+number%8) {
				return errors.New("missing restart marker")
			}
			*b = bitReader{data: b.data, pos: b.pos + 2}
			return nil
		}
	}
	return io.ErrUnexpectedEOF
}
