package loader

// This file owns the check of a pickle before it is read. The reader
// (github.com/nlpodyssey/gopickle) runs no code, but it allocates what a length
// in the stream says before it reads, and panics on a few malformed streams. So
// a scan walks over the opcodes first, as Python's pickletools.genops does: every
// argument lies within the file, and there are no more of them than a checkpoint
// of any size has. It also tells where the pickle ends, which PyTorch's older
// format needs.

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxPickle bounds a pickle in bytes. PyTorch writes about 150 for each
	// tensor; their data are elsewhere.
	maxPickle = 16 << 20
	// maxOpcodes bounds the memory that a pickle can make the reader take:
	// some hundred bytes for each. PyTorch writes about 40 for each tensor.
	maxOpcodes = 1 << 20
	// maxPickleLine and maxPickleLong bound the arguments whose decoding takes
	// time that grows with the square of their length.
	maxPickleLine = 1 << 12
	maxPickleLong = 64
)

// Kinds of argument that an opcode has, beside a fixed number of bytes.
const (
	argLine   = -1 - iota // up to a newline
	argLines              // two lines
	argCount1             // a length of 1, 4 or 8 bytes and as many bytes
	argCount4
	argCount8
	argLong1 // the same for an integer
	argLong4
	argNone // the opcode does not exist
)

// pickleArgs has the kind of argument for every opcode of the protocols 0 to 5
// (Python's pickletools.py).
func pickleArgs(opcode byte) int {
	switch opcode {
	case 'F', 'I', 'L', 'P', 'S', 'V', 'g', 'p':
		return argLine
	case 'c', 'i':
		return argLines
	case 'U', 'C', 0x8c:
		return argCount1
	case 'T', 'X', 'B':
		return argCount4
	case 0x8d, 0x8e, 0x96:
		return argCount8
	case 0x8a:
		return argLong1
	case 0x8b:
		return argLong4
	case 'K', 'h', 'q', 0x80, 0x82:
		return 1
	case 'M', 0x83:
		return 2
	case 'J', 'j', 'r', 0x84:
		return 4
	case 'G', 0x95:
		return 8
	case '(', '.', '0', '1', '2', 'N', 'Q', 'R', 'a', 'b', 'd', '}', 'e', 'l', ']', 'o', 's', 't', ')', 'u',
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x97, 0x98:
		return 0
	}
	return argNone
}

// scanPickle returns the length of the pickle that begins at begin and ends
// before end.
func scanPickle(src io.ReaderAt, begin, end int64) (int64, error) {
	s := pickleScanner{left: min(end-begin, maxPickle)}
	s.r = bufio.NewReader(io.NewSectionReader(src, begin, s.left))
	all := s.left
	for n := 0; ; n++ {
		opcode, err := s.byte()
		if err == nil {
			err = s.argument(opcode)
		}
		if err == nil && n >= maxOpcodes {
			err = errors.New("has too many opcodes")
		}
		switch {
		case err == io.EOF && all == maxPickle:
			return 0, fmt.Errorf("pickle: has more than %d bytes: %w", maxPickle, ErrCorrupt)
		case err == io.EOF:
			return 0, fmt.Errorf("pickle: is cut short: %w", ErrCorrupt)
		case err != nil:
			return 0, fmt.Errorf("pickle: %w: %w", err, ErrCorrupt)
		case opcode == '.':
			return all - s.left, nil
		}
	}
}

type pickleScanner struct {
	r    *bufio.Reader
	left int64 // bytes that have not been read
}

func (s *pickleScanner) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.left--
	}
	return b, err
}

// argument skips the argument of an opcode.
func (s *pickleScanner) argument(opcode byte) error {
	kind := pickleArgs(opcode)
	switch kind {
	case argNone:
		return fmt.Errorf("opcode 0x%02x does not exist", opcode)
	case argLine:
		_, err := s.line()
		return err
	case argLines:
		return s.global()
	case argCount1, argLong1:
		return s.counted(1, s.left)
	case argLong4:
		return s.counted(4, maxPickleLong)
	case argCount4:
		return s.counted(4, s.left)
	case argCount8:
		return s.counted(8, s.left)
	}
	if opcode == 0x95 { // a frame: its length, and then opcodes
		n, err := s.length(8)
		if err == nil && n > uint64(s.left) {
			err = io.EOF
		}
		return err
	}
	return s.skip(int64(kind))
}

// global refuses the names that the reader has classes of its own for, which
// findTorchClass is not asked about: they would do no harm, and no good.
func (s *pickleScanner) global() error {
	module, err := s.line()
	if err != nil {
		return err
	}
	name, err := s.line()
	if err == nil && (module == "copy_reg" || module == "__builtin__") {
		err = errGlobal(module, name)
	}
	return err
}

func (s *pickleScanner) line() (string, error) {
	var line []byte
	for range maxPickleLine {
		b, err := s.byte()
		if err != nil || b == '\n' {
			return string(line), err
		}
		line = append(line, b)
	}
	return "", errors.New("a line does not end")
}

func (s *pickleScanner) length(size int) (uint64, error) {
	var b [8]byte
	for i := range size {
		var err error
		if b[i], err = s.byte(); err != nil {
			return 0, err
		}
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (s *pickleScanner) counted(size int, most int64) error {
	n, err := s.length(size)
	switch {
	case err != nil:
		return err
	case n > uint64(s.left):
		return io.EOF
	case n > uint64(most):
		return fmt.Errorf("an integer of %d bytes", n)
	}
	return s.skip(int64(n))
}

func (s *pickleScanner) skip(n int64) error {
	k, err := s.r.Discard(int(n))
	s.left -= int64(k)
	return err
}
