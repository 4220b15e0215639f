package loader

// This file owns which files of a repository on the Hub a model consists of.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitgpu/bitgpu/loader/hub"
)

// ErrNoCheckpoint is wrapped by the error of Pull about a repository without
// weights in a form that Open reads, or with several files of them.
var ErrNoCheckpoint = errors.New("no checkpoint, or several")

// Pull brings a model from the Hugging Face Hub into the cache, or what of it is
// not there, and returns the path of its checkpoint, for Open. It fetches the
// checkpoint that CheckpointIn would choose, with all its shards, and config.json and
// preprocessor_config.json if the repository has them. progress, if set, is called
// from the same goroutine.
//
// The error wraps ErrNoCheckpoint or one of package hub's.
func Pull(ctx context.Context, c *hub.Client, ref hub.Ref, progress func(hub.Progress)) (string, error) {
	listing, err := c.List(ctx, ref, progress)
	if err != nil {
		return "", err
	}
	checkpoint, ok := chooseCheckpoint(slices.DeleteFunc(slices.Clone(listing.Files), func(file string) bool {
		return strings.Contains(file, "/")
	}))
	if !ok {
		return "", fmt.Errorf("loader: %s: %w", ref, ErrNoCheckpoint)
	}
	files := []string{checkpoint}
	for _, name := range []string{"preprocessor_config.json", "config.json"} {
		if slices.Contains(listing.Files, name) {
			files = slices.Insert(files, 0, name)
		}
	}
	if strings.HasSuffix(checkpoint, ".index.json") {
		// Shards are known when the index is there. The revision is noted only when the shards are there too.
		pinned := &hub.Listing{Ref: hub.Ref{Repo: ref.Repo, Revision: listing.Commit}, Commit: listing.Commit, Files: listing.Files}
		dir, err := c.Download(ctx, pinned, []string{checkpoint}, nil)
		if err != nil {
			return "", err
		}
		weightMap, err := readIndex(filepath.Join(dir, checkpoint))
		if err != nil {
			return "", err
		}
		files = append(files, shardsOf(weightMap)...)
	}
	dir, err := c.Download(ctx, listing, files, progress)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, checkpoint), nil
}
