package main

// This file owns .npy, .npz and .safetensors output. Row i of every array belongs to input i: an input that failed
// gets a row of NaN (of zeros in an array of uint8), so that rows and inputs still match. The shape of the rows is
// that of the first input that worked; if none did, there is no file.
//
// An archive needs each array in one piece. So arrays of an archive are files of their own until the end, beside
// it and under temporary names; then they are put together.

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"archive/zip"
	"github.com/bitgpu/bitgpu/loader"
)

// arrays writes one or more arrays. It is a writer.
type arrays struct {
	rows    []*rowFile
	archive *archive // nil if every array is a .npy file for good
}

func (a *app) createArrays(o output) (*arrays, error) {
	if o.format == formatNPY {
		return npyFiles(o.flag, o.dtype, o.path)
	}
	if err := checkTarget(o.flag, o.path); err != nil {
		return nil, err
	}
	w := &arrays{archive: &archive{app: a, output: o, stem: fmt.Sprintf("%s.%016x", o.path, rand.Uint64())}}
	for _, name := range o.names {
		w.rows = append(w.rows, &rowFile{path: w.archive.part(name), shown: o.path, dtype: o.dtype})
	}
	return w, nil
}

// npyFiles writes an array to each of the paths.
func npyFiles(flag string, dtype loader.DType, paths ...string) (*arrays, error) {
	w := &arrays{}
	for _, path := range paths {
		file, err := createRows(flag, path, dtype)
		if err != nil {
			return nil, err
		}
		w.rows = append(w.rows, file)
	}
	return w, nil
}

// write appends a row to each array: all of them, or, for an input that failed, a blank one to each.
func (w *arrays) write(r *record) error {
	if r.err == nil {
		for i, file := range w.rows {
			r.err = errors.Join(r.err, file.fits(r.rows[i].shape))
		}
	}
	for i, file := range w.rows {
		err := error(nil)
		if r.err != nil {
			err = file.skip()
		} else {
			err = file.add(r.rows[i])
		}
		if err != nil {
			return err
		}
	}
	if w.archive != nil {
		return w.archive.name(r.file)
	}
	return nil
}

// Close completes all files.
func (w *arrays) Close() error {
	for _, file := range w.rows {
		if err := file.Close(); err != nil {
			return err
		}
	}
	if w.archive == nil {
		return nil
	}
	return w.archive.close(w.rows)
}

// Discard removes what is unfinished.
func (w *arrays) Discard() {
	for _, file := range w.rows {
		file.Discard()
	}
	if w.archive != nil {
		w.archive.discard()
	}
}

// archive is one file with arrays and the names of their rows in it.
type archive struct {
	*app
	output
	stem  string // of temporary files
	names *nameList
}

// part is where an array, or the names, are kept until the end.
func (z *archive) part(name string) string { return z.stem + "." + name + ".part" }

// filesName is the names' in an archive.
const filesName = "files"

func (z *archive) name(file string) error {
	if z.names == nil {
		var err error
		if z.names, err = createNames(z.part(filesName)); err != nil {
			return err
		}
	}
	return z.names.add(file)
}

// close puts the archive together. rows are closed.
func (z *archive) close(rows []*rowFile) error {
	defer z.discard()
	if len(rows) == 0 || rows[0].writer == nil {
		return nil
	}
	var err error
	if z.format == formatNPZ {
		err = z.writeZip(rows)
	} else {
		err = z.writeSafetensors(rows)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", z.flag, z.path, err)
	}
	return nil
}

// writeZip makes what numpy.savez does: a .npy file for each array, and one of strings with the names.
func (z *archive) writeZip(rows []*rowFile) error {
	out, err := z.createText(z.path)
	if err != nil {
		return err
	}
	defer out.Discard()
	all := zip.NewWriter(out)
	for i, file := range rows {
		entry, err := all.CreateHeader(&zip.FileHeader{Name: z.output.names[i] + ".npy", Method: zip.Store})
		if err == nil {
			err = copyOut(entry, file.path)
		}
		if err != nil {
			return err
		}
	}
	entry, err := all.CreateHeader(&zip.FileHeader{Name: filesName + ".npy", Method: zip.Deflate})
	if err != nil {
		return err
	}
	if err := loader.WriteNPYStrings(entry, z.names.count, z.names.longest, z.names.all()); err != nil {
		return err
	}
	if err := all.Close(); err != nil {
		return err
	}
	return out.Close()
}

// writeSafetensors writes the arrays, and the names as JSON: a list of strings, in a tensor of its bytes, because
// headers are bounded and names are not.
func (z *archive) writeSafetensors(rows []*rowFile) error {
	var tensors []loader.TensorInfo
	for i, file := range rows {
		tensors = append(tensors, loader.TensorInfo{Name: z.output.names[i], DType: file.dtype, Shape: append([]int{-1}, file.shape...)})
	}
	tensors = append(tensors, loader.TensorInfo{Name: filesName, DType: loader.U8, Shape: []int{-1}})
	out, err := loader.CreateSafetensors(z.path, map[string]string{"format": "pt"}, tensors)
	if err != nil {
		return err
	}
	defer out.Discard() // does nothing after Close
	for _, file := range rows {
		if err := out.Next(); err != nil {
			return err
		}
		array, err := loader.OpenNPY(file.path)
		if err != nil {
			return err
		}
		err = copyRows(out, array)
		if err = errors.Join(err, array.Close()); err != nil {
			return err
		}
	}
	if err := out.Next(); err != nil {
		return err
	}
	if err := z.names.writeJSON(out); err != nil {
		return err
	}
	return out.Close()
}

// copyRows writes the data of an array, a few rows at a time.
func copyRows(w io.Writer, r *loader.NPYReader) error {
	const piece = 1 << 20 // bytes, about
	size := r.RowLen() * r.DType().Size()
	most := max(piece/max(size, 1), 1)
	buf := make([]byte, most*size)
	for at := 0; at < r.Rows(); at += most {
		p := buf[:min(most, r.Rows()-at)*size]
		if err := r.ReadRows(p, at); err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// copyOut writes what a file holds.
func copyOut(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// discard removes the temporary files.
func (z *archive) discard() {
	for _, name := range z.output.names {
		_ = os.Remove(z.part(name)) // it is not there if the run ended before
	}
	if z.names != nil {
		z.names.discard()
	}
}
