package loader

// This file owns PyTorch's checkpoint files (torch/serialization.py):
//
//   - since PyTorch 1.6 a zip archive: NAME/data.pkl is a pickle whose tensors
//     refer to storages, which are the members NAME/data/KEY;
//   - before, a sequence of pickles (a magic number, a version, facts of the
//     machine, the object, the list of its storages' keys), and then for each
//     key the number of elements, an int64, and the elements.
//
// Storages stay in the file and are read when a tensor is.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// openTorchZip opens the newer form.
func openTorchZip(a *zipArchive, pkl string) (*strided, error) {
	root := strings.TrimSuffix(pkl, "data.pkl")
	if a.members[root+"constants.pkl"] != nil {
		return nil, errors.New("a TorchScript program; save the state_dict() with torch.save")
	}
	if a.members[root+"byteorder"] != nil {
		order, err := a.read(root+"byteorder", 16)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, fmt.Errorf("byte order %q, want little", order)
		}
	}
	text, err := a.read(pkl, maxPickle)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(text)
	n, err := scanPickle(r, 0, int64(len(text)))
	if err != nil {
		return nil, err
	}
	value, err := unpickle(r, 0, n, map[string]DType{})
	if err != nil {
		return nil, err
	}
	dict, err := stateDict(value)
	if err != nil {
		return nil, err
	}
	return torchTensors(a.file, dict, func(s *torchStorage) (io.ReaderAt, int64, int64, error) {
		name := root + "data/" + s.key
		if a.members[name] == nil {
			return nil, 0, 0, fmt.Errorf("storage %q is missing: %w", name, ErrCorrupt)
		}
		return a.member(name)
	})
}

// read returns a member of at most limit bytes.
func (a *zipArchive) read(name string, limit int64) ([]byte, error) {
	src, begin, size, err := a.member(name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("member %q has %d bytes, at most %d are read: %w", name, size, limit, ErrCorrupt)
	}
	p := make([]byte, size)
	if err := readFull(src, p, begin); err != nil {
		return nil, fmt.Errorf("member %q: %w", name, err)
	}
	return p, nil
}

// torchTensors places tensors in their storages; find returns where a storage's bytes are.
func torchTensors(f *checkpointFile, dict map[string]*torchTensor, find func(*torchStorage) (src io.ReaderAt, begin, size int64, err error)) (*strided, error) {
	var list []stridedTensor
	for _, name := range sortedKeys(dict) {
		t, s := dict[name], dict[name].storage
		src, begin, size, err := find(s)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		width := s.dtype.Size()
		if int64(s.count) > size/int64(width) {
			return nil, fmt.Errorf("tensor %q: storage %q has %d bytes, want %d elements of %v: %w", name, s.key, size, s.count, s.dtype, ErrCorrupt)
		}
		if t.offset > s.count-s.first {
			return nil, fmt.Errorf("tensor %q: begins past its storage: %w", name, ErrCorrupt)
		}
		first := s.first + t.offset
		placed, err := newStrided(stridedTensor{
			TensorInfo: TensorInfo{Name: name, DType: s.dtype, Shape: t.shape},
			src:        src, begin: begin + int64(first)*int64(width), strides: t.strides,
		}, s.count-first)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		list = append(list, placed)
	}
	return newStridedCheckpoint(f, list)
}

// torchMagic is the integer that the older form begins with.
const torchMagic = "1950a86a20f9469cfc6c"

// openTorchLegacy opens the older form.
func openTorchLegacy(f *checkpointFile) (*strided, error) {
	at := int64(0)
	storages := map[string]DType{}
	next := func() (any, error) {
		n, err := scanPickle(f, at, f.size)
		if err != nil {
			return nil, err
		}
		v, err := unpickle(f, at, n, storages)
		at += n
		return v, err
	}
	var parts [5]any // magic number, version, machine, object, keys
	for i := range parts {
		var err error
		if parts[i], err = next(); err != nil {
			return nil, err
		}
		if i == 0 {
			if n, ok := parts[0].(*big.Int); !ok || n.Text(16) != torchMagic {
				return nil, fmt.Errorf("a pickle that torch.save has not written")
			}
		}
	}
	if machine, ok := dictEntries(parts[2]); !ok || machine["little_endian"] == false {
		return nil, errors.New("written on a big-endian machine")
	}
	dict, err := stateDict(parts[3])
	if err != nil {
		return nil, err
	}
	keys, ok := parts[4].(*types.List)
	if !ok {
		return nil, fmt.Errorf("no list of storages: %w", ErrCorrupt)
	}
	places, err := legacyStorages(f, at, *keys, storages)
	if err != nil {
		return nil, err
	}
	return torchTensors(f, dict, func(s *torchStorage) (io.ReaderAt, int64, int64, error) {
		p, ok := places[s.key]
		if !ok {
			return nil, 0, 0, fmt.Errorf("storage %q is missing: %w", s.key, ErrCorrupt)
		}
		return f, p.begin, p.size, nil
	})
}

type bytesRange struct{ begin, size int64 }

// legacyStorages walks over the storages, which begin at at, in the order of keys.
func legacyStorages(f *checkpointFile, at int64, keys types.List, storages map[string]DType) (map[string]bytesRange, error) {
	places := map[string]bytesRange{}
	for _, k := range keys {
		key, _ := k.(string)
		dtype, ok := storages[key]
		if !ok {
			return nil, fmt.Errorf("storage %q belongs to nothing: %w", key, ErrCorrupt)
		}
		width := int64(dtype.Size())
		var head [8]byte
		if err := readFull(f, head[:], at); err != nil {
			return nil, fmt.Errorf("storage %q: %w: %w", key, err, ErrCorrupt)
		}
		n := int64(binary.LittleEndian.Uint64(head[:]))
		at += int64(len(head))
		if n < 0 || n > (f.size-at)/width {
			return nil, fmt.Errorf("storage %q: %d elements end past the end of the file: %w", key, n, ErrCorrupt)
		}
		places[key] = bytesRange{at, n * width}
		at += n * width
	}
	return places, nil
}
