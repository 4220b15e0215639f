package hub

// This file owns the layout of the cache:
//
//	models--OWNER--NAME/blobs/ETAG             files by what they hold
//	models--OWNER--NAME/refs/REVISION          the commit that a branch or tag was at
//	models--OWNER--NAME/snapshots/COMMIT/FILE  links to the blobs
//	.locks/models--OWNER--NAME/ETAG.lock

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// RepoDir returns a repository's directory in a cache.
func RepoDir(cache, repo string) string {
	return filepath.Join(cache, "models--"+strings.ReplaceAll(repo, "/", "--"))
}

// SnapshotDir returns the directory of a cached revision's files: that of the commit that the ref names, or was at
// when it was last looked up. Without a revision it may be the only one that is there. It is "" when there is none, or
// the ref is none.
func SnapshotDir(cache string, r Ref) string {
	if cache == "" || r.validate() != nil {
		return ""
	}
	snapshots := filepath.Join(RepoDir(cache, r.Repo), "snapshots")
	switch commit, err := cachedCommit(cache, r); {
	case err == nil:
		return filepath.Join(snapshots, commit)
	case !errors.Is(err, fs.ErrNotExist) || r.Revision != "":
		return ""
	}
	if entries, err := os.ReadDir(snapshots); err == nil && len(entries) == 1 {
		return filepath.Join(snapshots, entries[0].Name())
	}
	return ""
}

// cachedCommit returns the commit of a revision as the cache knows it.
func cachedCommit(cache string, r Ref) (string, error) {
	text, err := os.ReadFile(refPath(cache, r))
	switch commit := strings.TrimSpace(string(text)); {
	case err != nil && commitForm.MatchString(r.Revision):
		return r.Revision, nil
	case err != nil:
		return "", err
	case !isElement(commit):
		return "", fmt.Errorf("commit %q", commit)
	default:
		return commit, nil
	}
}

func refPath(cache string, r Ref) string {
	return filepath.Join(RepoDir(cache, r.Repo), "refs", filepath.FromSlash(r.revision()))
}

// isElement is true of what can be the name of a file, and does not leave its directory.
func isElement(s string) bool {
	return s != "." && filepath.IsLocal(s) && !strings.ContainsAny(s, `/\`)
}

// writeRef notes the commit that a revision is at. What is there already is left alone: the cache may be
// read-only.
func writeRef(cache string, r Ref, commit string) error {
	if known, err := cachedCommit(cache, r); err == nil && known == commit {
		return nil
	}
	path := refPath(cache, r)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	temporary := aside(path)
	if err := os.WriteFile(temporary, []byte(commit), 0o666); err != nil {
		return err
	}
	return replace(temporary, path)
}

// link makes a snapshot's file of a blob: a relative link, or where there are no links the file itself, which the blob
// becomes if it is new.
func link(blob, path string, noLinks, isNew bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	temporary := aside(path)
	if !noLinks {
		target, err := filepath.Rel(filepath.Dir(path), blob)
		if err == nil && os.Symlink(target, temporary) == nil {
			return replace(temporary, path)
		}
	}
	if isNew {
		return os.Rename(blob, path)
	}
	if err := copyFile(blob, temporary); err != nil {
		return err
	}
	return replace(temporary, path)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(to) // the error that matters is that of the copy
	}
	return err
}

// aside is a name for what replaces a file in the end.
func aside(path string) string { return fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64()) }

func replace(temporary, path string) error {
	err := os.Rename(temporary, path)
	if err != nil {
		_ = os.Remove(temporary) // nobody else knows of it
	}
	return err
}
