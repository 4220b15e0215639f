package loader

// This file owns the one way to open a checkpoint, whatever its form. A form is
// recognised by content alone: how the file begins, and how its tensors are called.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Form says how a checkpoint is stored and how its tensors are called there.
type Form struct {
	Container string // one of the containers below
	Sharded   bool   // split over several files
	Names     string // one of the names below
}

// Containers, and names of tensors.
const (
	ContainerSafetensors   = "safetensors"
	ContainerPyTorch       = "PyTorch"        // a zip archive, PyTorch 1.6 and later
	ContainerPyTorchLegacy = "PyTorch legacy" // before
	ContainerNPZ           = "npz"

	NamesTimm         = "timm"
	NamesTransformers = "transformers"
	NamesGoogle       = "Google"
	NamesOther        = "unknown"
)

// String returns a text such as "safetensors, timm names".
func (f Form) String() string {
	text := f.Container
	if f.Sharded {
		text += " in shards"
	}
	return text + ", " + f.Names + " names"
}

// File is an open checkpoint of any form. Its tensors have timm's names and
// shapes; if they are no BiT network's, the file's own.
type File struct {
	Checkpoint
	Path   string // of the file, or of the index of several
	Form   Form
	Config *Config // what lies beside the file; nil if nothing does
}

// Open opens a checkpoint: a file, or a directory that holds one (CheckpointIn).
// It may be
//
//   - safetensors, or the .index.json of shards;
//   - a file that torch.save wrote, in the zip form or the one before. Its state
//     dict may be nested under "state_dict", "model" or timm's other keys (the
//     averaged weights of "state_dict_ema" come first). Pickles are read by a
//     reader that runs no code: anything but tensors and plain containers is
//     refused. Tensors that are not contiguous are put in order as they are read;
//   - an .npz of NumPy arrays, stored or deflated.
//
// Tensors may be called as in timm, in transformers' BitForImageClassification,
// BitModel and BitBackbone, or in Google's own files, where kernels are HWIO.
// "module." and "_orig_mod.", which PyTorch's wrappers put in front, are taken off.
//
// Nothing but names and places is held in memory; a deflated member of an archive is
// inflated whole when one of its bytes is read, and the last two of these are kept.
//
// The error wraps ErrCorrupt if the file breaks its format or is of none of these
// forms, and fs.ErrNotExist if nothing is there.
func Open(path string) (*File, error) {
	if stat, err := os.Stat(path); err == nil && stat.IsDir() {
		file, ok := CheckpointIn(path)
		if !ok {
			return nil, fmt.Errorf("loader: %s: no checkpoint in this directory, or several: %w", path, fs.ErrNotExist)
		}
		path = file
	}
	config, err := ReadConfigFor(path)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, Config: config}
	if f.Checkpoint, f.Form, err = openAny(path); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadConfigFor reads the config that lies beside a checkpoint (ConfigFor); nil
// if there is none.
func ReadConfigFor(checkpoint string) (*Config, error) {
	if path, ok := ConfigFor(checkpoint); ok {
		return ReadConfig(path)
	}
	return nil, nil
}

// OpenReader is Open for a single file of size bytes that r holds; name stands for
// it in errors. r must allow concurrent use, as io.ReaderAt says; it stays the
// caller's, Close does not close it. There is no config.
func OpenReader(r io.ReaderAt, size int64, name string) (*File, error) {
	c, form, err := named(openContainer(&checkpointFile{name: name, size: size, src: r}))
	if err != nil {
		return nil, err
	}
	return &File{Checkpoint: c, Path: name, Form: form}, nil
}

// openAny opens a file or an index and gives the tensors timm's names.
func openAny(path string) (Checkpoint, Form, error) {
	if strings.HasSuffix(path, ".index.json") {
		s, err := openSharded(path)
		if err != nil {
			return nil, Form{}, err
		}
		c, form, err := named(s, path, s.container, nil)
		form.Sharded = true
		return c, form, err
	}
	f, err := openCheckpointFile(path)
	if err != nil {
		return nil, Form{}, err
	}
	return named(openContainer(f))
}

// named gives the tensors of an open checkpoint timm's names.
func named(raw Checkpoint, path, container string, err error) (Checkpoint, Form, error) {
	if err != nil {
		return nil, Form{}, err
	}
	c, names, err := timmNames(raw)
	if err != nil {
		return nil, Form{}, fmt.Errorf("loader: %s: %w", path, errors.Join(err, raw.Close()))
	}
	return c, Form{Container: container, Names: names}, nil
}

// openContainer opens a single file, closing it on errors, and leaves the names as they are.
func openContainer(f *checkpointFile) (c Checkpoint, name, container string, err error) {
	c, container, err = newContainer(f)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "loader: ") {
			err = fmt.Errorf("loader: %s: %w", f.name, err)
		}
		return nil, "", "", errors.Join(err, f.Close())
	}
	return c, f.name, container, nil
}

// newContainer looks at how the file begins.
func newContainer(f *checkpointFile) (Checkpoint, string, error) {
	head, err := f.prefix(512)
	if err != nil {
		return nil, "", err
	}
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	refuse := func(what string) (Checkpoint, string, error) {
		return nil, "", fmt.Errorf("%s: %w", what, ErrCorrupt)
	}
	// The length that a safetensors file begins with may look like any of the others.
	if len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= maxHeader {
		c, err := newSafetensors(f)
		return c, ContainerSafetensors, err
	}
	switch {
	case begins("PK\x03\x04"), begins("PK\x05\x06"):
		a, err := newZipArchive(f)
		if err != nil {
			return nil, "", err
		}
		return a.container()
	case begins("\x80"):
		c, err := openTorchLegacy(f)
		return c, ContainerPyTorchLegacy, err
	case begins("\x89HDF"):
		return refuse("an HDF5 file, want safetensors, PyTorch or .npz")
	case begins("\x1f\x8b"):
		return refuse("compressed with gzip; unpack it first")
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return refuse("a tar archive, as PyTorch before 0.1.10 wrote; load and save it with a newer one")
	case len(head) > 8 && head[8] != '{':
		return refuse("no safetensors, PyTorch or .npz checkpoint")
	}
	c, err := newSafetensors(f)
	return c, ContainerSafetensors, err
}

// container tells PyTorch's archives from NumPy's.
func (a *zipArchive) container() (Checkpoint, string, error) {
	arrays := false
	for _, name := range a.names {
		if name == "data.pkl" || strings.HasSuffix(name, "/data.pkl") {
			c, err := openTorchZip(a, name)
			return c, ContainerPyTorch, err
		}
		arrays = arrays || strings.HasSuffix(name, ".npy")
	}
	if !arrays {
		return nil, "", fmt.Errorf("a zip archive that neither PyTorch nor NumPy has written: %w", ErrCorrupt)
	}
	c, err := openNPZ(a)
	return c, ContainerNPZ, err
}
