package hub

// This file owns how a file gets into the cache: under a lock, checked, and under its name only when it is whole.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Progress is how far a download is.
type Progress struct {
	Ref     Ref
	File    string // that is being fetched; "" when all are there
	Done    int64  // bytes of all files together, those included that were there before
	Total   int64  // that Done ends at; -1 if it is not known
	Resumed int64  // the part of Done that earlier downloads had left
	Waiting bool   // for another process, which fetches the file

	// Err is why an attempt failed; the next one begins after Wait.
	Err  error
	Wait time.Duration
}

// download is one call of Download.
type download struct {
	*Client
	listing  *Listing
	progress Progress
	report   func(Progress)
	before   int64 // bytes of the files that are done
}

// Download brings files of a listing into the cache, and returns the directory of the snapshot that holds them. Those
// that are there are not asked for. progress, if set, is called from the same goroutine.
//
// Several processes may do so at once: one of them fetches, the others wait. A file that was fetched in part, by an
// earlier process or before a connection broke, is not fetched from the beginning. The commit is noted under the
// revision when all files are there.
func (c *Client) Download(ctx context.Context, l *Listing, files []string, progress func(Progress)) (dir string, err error) {
	d := &download{Client: c, listing: l, progress: Progress{Ref: l.Ref, Total: -1}, report: progress}
	if d.report == nil {
		d.report = func(Progress) {}
	}
	if dir, err = d.run(ctx, files); err != nil {
		return "", fmt.Errorf("hub: %s: %w", l.Ref, unreachable(err))
	}
	return dir, nil
}

func (d *download) run(ctx context.Context, files []string) (string, error) {
	if err := d.listing.Ref.validate(); err != nil {
		return "", err
	}
	dir := filepath.Join(RepoDir(d.settings.Cache, d.listing.Ref.Repo), "snapshots", d.listing.Commit)
	var missing []*metadata
	total := int64(0)
	for _, file := range files {
		if !isFileName(file) {
			return "", fmt.Errorf("file name %q", file)
		}
		if stat, err := os.Stat(filepath.Join(dir, filepath.FromSlash(file))); err == nil && stat.Mode().IsRegular() {
			continue
		}
		m, err := d.look(ctx, d.listing, file, d.waits)
		if err != nil {
			return "", err
		}
		missing = append(missing, m)
		if m.size < 0 || total < 0 {
			total = -1
		} else {
			total += m.size
		}
	}
	d.progress.Total = total
	for _, m := range missing {
		d.progress.File = m.file
		if err := d.fetch(ctx, m, filepath.Join(dir, filepath.FromSlash(m.file))); err != nil {
			return "", err
		}
	}
	if err := writeRef(d.settings.Cache, d.listing.Ref, d.listing.Commit); err != nil && len(missing) > 0 {
		return "", err // a cache that is read-only may keep an old ref
	}
	d.progress.File = ""
	d.tell(d.before)
	return dir, nil
}

// tell reports how many bytes are there.
func (d *download) tell(done int64) {
	d.progress.Done = done
	d.report(d.progress)
}

// waits reports that an attempt failed.
func (d *download) waits(err error, wait time.Duration) {
	p := d.progress
	p.Err, p.Wait = err, wait
	d.report(p)
}

// fetch makes sure that path is the file of the metadata.
func (d *download) fetch(ctx context.Context, m *metadata, path string) (err error) {
	repo := RepoDir(d.settings.Cache, d.listing.Ref.Repo)
	blob := filepath.Join(repo, "blobs", m.etag)
	incomplete := blob + ".incomplete"
	unlock, err := d.lock(ctx, filepath.Join(d.settings.Cache, ".locks", filepath.Base(repo), m.etag+".lock"), incomplete)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() {
		d.add(stat.Size()) // another process was faster
		return nil
	}
	isNew := false
	if stat, err := os.Stat(blob); err != nil || m.size >= 0 && stat.Size() != m.size {
		if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
			return err
		}
		if err := d.fill(ctx, m, incomplete); err != nil {
			return err
		}
		if err := os.Rename(incomplete, blob); err != nil {
			return err
		}
		isNew = true
	}
	stat, err := os.Stat(blob)
	if err != nil {
		return err
	}
	if err := link(blob, path, d.settings.NoLinks, isNew); err != nil {
		return err
	}
	d.add(stat.Size())
	return nil
}

// add counts a file that is there.
func (d *download) add(size int64) {
	d.before += size
	d.tell(d.before)
}

// fill fetches a file to where its incomplete forms lie, and leaves it there whole. What is wrong is removed, what is
// too short stays.
func (d *download) fill(ctx context.Context, m *metadata, incomplete string) error {
	f, err := os.OpenFile(incomplete, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	err = d.fillOpen(ctx, m, f)
	err = errors.Join(err, f.Close())
	if errors.Is(err, ErrCorrupt) {
		err = errors.Join(err, os.Remove(incomplete))
	}
	return err
}

func (d *download) fillOpen(ctx context.Context, m *metadata, f *os.File) error {
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	resumed := stat.Size()
	t := &transfer{Client: d.Client, listing: d.listing, meta: m, f: f, tell: d.waits}
	t.moved = func(have int64) { d.tell(d.before + have) }
	earlier := d.progress.Resumed
	d.progress.Resumed += resumed
	err = t.run(ctx)
	if err == nil {
		err = m.check(f)
	}
	if errors.Is(err, ErrCorrupt) && resumed > 0 {
		// What an earlier process left may be at fault, as after a power failure.
		d.progress.Resumed = earlier
		if err = t.restart(); err == nil {
			err = t.run(ctx)
		}
		if err == nil {
			err = m.check(f)
		}
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// lock waits until no other process fetches a file, and reports how far that is.
func (d *download) lock(ctx context.Context, path, incomplete string) (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	const every = 100 * time.Millisecond
	for {
		l := flock.New(path, flock.SetPermissions(0o664)) // as Python has it: the cache may be a group's
		locked, err := l.TryLock()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s cannot be locked; HF_HUB_CACHE names another directory for the cache: %w", path, err)
		case locked && sameFile(l, path):
			d.progress.Waiting = false
			return l.Unlock, nil
		}
		_ = l.Close() // no lock, or one on a file that the owner before has removed
		d.progress.Waiting = !locked
		if !locked {
			done := d.before
			if stat, err := os.Stat(incomplete); err == nil {
				done += stat.Size()
			}
			d.tell(done)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func sameFile(l *flock.Flock, path string) bool {
	held, err := l.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(held, named)
}
