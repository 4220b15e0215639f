package loader

// This file owns sharded checkpoints: a model.safetensors.index.json, or a
// pytorch_model.bin.index.json, whose "weight_map" says which file beside it
// holds which tensor (the convention of the Hugging Face Hub). The shards may
// have any form of a single file.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// sharded is a Checkpoint over several files. It is immutable after opening;
// the shards do their own locking.
type sharded struct {
	path    string
	tensors []TensorInfo
	shards  []Checkpoint
	holder  map[string]Checkpoint // tensor name -> the shard that has it
	meta    map[string]string

	container string // of the last shard
}

func openSharded(path string) (*sharded, error) {
	weightMap, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	c := &sharded{path: path, holder: make(map[string]Checkpoint, len(weightMap))}
	if err := c.open(weightMap); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// readIndex returns the weight_map of an index file.
func readIndex(path string) (map[string]string, error) {
	data, err := readFileLimited(path, maxHeader)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("loader: %s: %w: %w", path, err, ErrCorrupt)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("loader: %s: no weight_map: %w", path, ErrCorrupt)
	}
	return index.WeightMap, nil
}

// shardsOf lists the files that a weight_map names, each once, in order.
func shardsOf(weightMap map[string]string) []string {
	files := map[string]bool{}
	for _, file := range weightMap {
		files[file] = true
	}
	return sortedKeys(files)
}

// open opens every shard that the map names and makes sure that map and
// shards agree, tensor by tensor. Shards opened before an error are kept for
// Close.
func (c *sharded) open(weightMap map[string]string) error {
	for _, file := range shardsOf(weightMap) {
		if !filepath.IsLocal(file) {
			return fmt.Errorf("loader: %s: shard %q is not beside the index: %w", c.path, file, ErrCorrupt)
		}
		f, err := openCheckpointFile(filepath.Join(filepath.Dir(c.path), file))
		if err != nil {
			return err
		}
		s, _, container, err := openContainer(f)
		if err != nil {
			return err
		}
		c.shards, c.container = append(c.shards, s), container
		for _, t := range s.Tensors() {
			if weightMap[t.Name] != file {
				return fmt.Errorf("loader: %s: tensor %q is in shard %q, but the index has it in %q: %w",
					c.path, t.Name, file, weightMap[t.Name], ErrCorrupt)
			}
			c.holder[t.Name] = s
			c.tensors = append(c.tensors, t)
		}
		for k, v := range s.Metadata() {
			if c.meta == nil {
				c.meta = map[string]string{}
			}
			c.meta[k] = v
		}
	}
	for _, name := range sortedKeys(weightMap) {
		if c.holder[name] == nil {
			return fmt.Errorf("loader: %s: tensor %q is not in shard %q: %w", c.path, name, weightMap[name], ErrCorrupt)
		}
	}
	sort.Slice(c.tensors, func(i, j int) bool { return c.tensors[i].Name < c.tensors[j].Name })
	return nil
}

func (c *sharded) Tensors() []TensorInfo       { return c.tensors }
func (c *sharded) Metadata() map[string]string { return c.meta }

func (c *sharded) ReadTensor(name string, p []byte, off int64) error {
	s := c.holder[name]
	if s == nil {
		return fmt.Errorf("loader: %s: no tensor %q", c.path, name)
	}
	return s.ReadTensor(name, p, off)
}

func (c *sharded) Close() error {
	errs := make([]error, len(c.shards))
	for i, s := range c.shards {
		errs[i] = s.Close()
	}
	return errors.Join(errs...)
}

// readFileLimited reads a whole file of at most limit bytes.
func readFileLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("loader: %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("loader: %s: larger than %d bytes", path, limit)
	}
	return data, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
