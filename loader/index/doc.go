// Package index keeps the embeddings of many pictures in one file, and finds those that are nearest to
// others. It knows no network: what the embeddings are of, and which may be compared, a Space says.
//
// The file is a safetensors file, so that other programs can read it:
//
//	embeddings  F32 or F16 [N, D]  the embeddings, each divided by its length
//	norms       F32 [N]            the lengths
//	sizes       I64 [N]            of the picture's file, in bytes; -1 for what was no file
//	mtimes      I64 [N]            when that was changed, in nanoseconds since 1970 UTC
//	name_ends   I64 [N]            where each name ends in names
//	names       U8 [...]           the names, one after the other, UTF-8
//
// The name of a file is its path with slashes, from the index's own directory on unless it was given as an
// absolute path; so an index can be moved together with its pictures. The metadata has "format", which is
// "bitgpu index 1", and the Space under keys that begin with "bitgpu_".
package index

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bitgpu/bitgpu/loader"
)

// format is the value of the metadata's "format".
const format = "bitgpu index 1"

// Names of the tensors.
const (
	embeddings = "embeddings"
	norms      = "norms"
	sizes      = "sizes"
	mtimes     = "mtimes"
	nameEnds   = "name_ends"
	names      = "names"
)

// Keys of the metadata, beside "format".
const (
	keyModel      = "bitgpu_model"
	keyTrunk      = "bitgpu_trunk"
	keyPreprocess = "bitgpu_preprocess"
)

// Space is how embeddings were made. Those of the same Trunk and Preprocess can be compared.
type Space struct {
	Model      string     // the name that the model was opened by
	Trunk      string     // identifies the weights
	Preprocess Preprocess // how pictures were made the network's input
}

// Preprocess is loader.Preprocess and what else can be done to a picture, in the form that the file has.
type Preprocess struct {
	Size          int        `json:"size"`
	CropPct       float64    `json:"crop_pct"`
	Interpolation string     `json:"interpolation"`
	Mean          [3]float32 `json:"mean"`
	Std           [3]float32 `json:"std"`
	AutoOrient    bool       `json:"auto_orient"` // turned upright by EXIF
	Flip          bool       `json:"flip"`        // averaged with the mirror image
}

// Differs says what of two spaces hinders comparing; nothing if nothing does.
func (s Space) Differs(o Space) string {
	switch {
	case s.Trunk != o.Trunk && s.Model != o.Model:
		return fmt.Sprintf("the model %s, not %s", s.Model, o.Model)
	case s.Trunk != o.Trunk:
		return fmt.Sprintf("other weights of the model %s", s.Model)
	case s.Preprocess != o.Preprocess:
		a, _ := json.Marshal(s.Preprocess) // plain numbers and strings: cannot fail
		b, _ := json.Marshal(o.Preprocess)
		return fmt.Sprintf("the preprocessing %s, not %s", a, b)
	}
	return ""
}

// metadata is the form of a space in a file.
func (s Space) metadata() (map[string]string, error) {
	text, err := json.Marshal(s.Preprocess)
	if err != nil {
		return nil, err
	}
	return map[string]string{"format": format, keyModel: s.Model, keyTrunk: s.Trunk, keyPreprocess: string(text)}, nil
}

// parseSpace is the inverse of metadata.
func parseSpace(m map[string]string) (Space, error) {
	s := Space{Model: m[keyModel], Trunk: m[keyTrunk]}
	if m["format"] != format {
		return s, fmt.Errorf("not an index: format %q in the metadata, want %q: %w", m["format"], format, loader.ErrCorrupt)
	}
	if err := json.Unmarshal([]byte(m[keyPreprocess]), &s.Preprocess); err != nil {
		return s, fmt.Errorf("metadata: %s: %w: %w", keyPreprocess, err, loader.ErrCorrupt)
	}
	return s, nil
}

// Entry is what an index knows of a picture, beside its embedding.
type Entry struct {
	Name string
	// Size and ModTime are those of the picture's file; Size is -1 for what is no file, whose name is kept
	// as it is.
	Size, ModTime int64
}

// File is the entry of a picture's file.
func File(path string) (Entry, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return Entry{}, err
	}
	return Entry{path, stat.Size(), stat.ModTime().UnixNano()}, nil
}

// places turns the paths of files into the names of an index, and back.
type places struct{ dir string } // the index's directory, absolute

func newPlaces(path string) (places, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	return places{dir}, err
}

// name is what a file is called in the index.
func (p places) name(path string) string {
	if !filepath.IsAbs(path) {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
			if relative, err := filepath.Rel(p.dir, absolute); err == nil {
				path = relative
			}
		}
	}
	return filepath.ToSlash(filepath.Clean(path))
}

// path is where the file of a name is, absolute.
func (p places) path(name string) string {
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	return filepath.Clean(path)
}

// key is the same for all ways to write a file's path.
func (p places) key(e Entry) string {
	if e.Size < 0 {
		return e.Name
	}
	return p.path(p.name(e.Name))
}
