package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

const (
	repo    = "timm/net.tag"
	weights = "model.safetensors"
	big     = 1 << 20
)

// server has one model with a small file and a large one.
func server(t *testing.T) *hubtest.Server {
	s := hubtest.New(t)
	s.Add(repo, map[string][]byte{"config.json": []byte("{}\n"), weights: hubtest.Bytes(big), "sub/README.md": []byte("about")})
	return s
}

// settings are those of a client with an empty cache that loses no time.
func settings(t *testing.T, s *hubtest.Server) hub.Settings {
	return hub.Settings{Endpoint: s.URL, Cache: t.TempDir(), Backoff: time.Millisecond, Timeout: 5 * time.Second, MetadataTimeout: 5 * time.Second}
}

// pull fetches files of a revision.
func pull(ctx context.Context, o hub.Settings, ref hub.Ref, progress func(hub.Progress), files ...string) (string, error) {
	c, err := hub.New(o)
	if err != nil {
		return "", err
	}
	defer c.Close()
	l, err := c.List(ctx, ref, progress)
	if err != nil {
		return "", err
	}
	return c.Download(ctx, l, files, progress)
}

// cached makes sure that the cache holds what the server has, and nothing incomplete.
func cached(t *testing.T, s *hubtest.Server, cache string, files ...string) {
	t.Helper()
	dir := hub.SnapshotDir(cache, hub.Ref{Repo: repo})
	for _, name := range files {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if want := s.Repos[repo].Files[hubtest.Commit(1)][name].Data; !slices.Equal(got, want) {
			t.Errorf("%s: %d bytes that are not the %d wanted", name, len(got), len(want))
		}
	}
	wholeOnly(t, s, cache)
}

// wholeOnly makes sure that nothing in the cache is under its name and not whole, and that nothing else is left behind.
func wholeOnly(t *testing.T, s *hubtest.Server, cache string, but ...string) {
	t.Helper()
	etags := map[string]int{}
	for _, f := range s.Repos[repo].Files[hubtest.Commit(1)] {
		etags[f.ETag()] = len(f.Data)
	}
	err := filepath.WalkDir(cache, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, ".locks") || slices.Contains(but, filepath.Base(path)) {
			return err
		}
		name := filepath.Base(path)
		switch filepath.Base(filepath.Dir(path)) {
		case "refs":
			return nil
		case "blobs":
			stat, err := e.Info()
			if size, ok := etags[name]; err != nil || !ok || int64(size) != stat.Size() {
				t.Errorf("%s is no whole blob (%v)", path, err)
			}
			return nil
		}
		if stat, err := os.Stat(path); err != nil || !stat.Mode().IsRegular() || strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left behind (%v)", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLayout wants the cache to be as huggingface_hub makes it: file_download.py.
func TestLayout(t *testing.T) {
	s, files := server(t), []string{"config.json", weights, "sub/README.md"}
	o := settings(t, s)
	dir, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, files...)
	if err != nil {
		t.Fatal(err)
	}
	cached(t, s, o.Cache, files...)
	folder := filepath.Join(o.Cache, "models--timm--net.tag")
	if want := filepath.Join(folder, "snapshots", hubtest.Commit(1)); dir != want {
		t.Errorf("snapshot %s, want %s", dir, want)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "refs", "main")); err != nil || string(text) != hubtest.Commit(1) {
		t.Errorf("refs/main is %q (%v)", text, err)
	}
	for name, f := range s.Repos[repo].Files[hubtest.Commit(1)] {
		target, err := os.Readlink(filepath.Join(dir, filepath.FromSlash(name)))
		want := strings.Repeat("../", 2+strings.Count(name, "/")) + "blobs/" + f.ETag()
		if err != nil || filepath.ToSlash(target) != want {
			t.Errorf("%s links to %q, want %q (%v)", name, target, want, err)
		}
		if _, err := os.Stat(filepath.Join(o.Cache, ".locks", "models--timm--net.tag", f.ETag()+".lock")); err != nil {
			t.Error(err)
		}
	}
}

// TestAgain asks only what main is when all files are there, and writes nothing.
func TestAgain(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	for range 2 {
		if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.All(); n != 5 || s.Sent(weights) != big {
		t.Errorf("%d requests and %d bytes, want 5 (list, head, get, storage; list) and %d", n, s.Sent(weights), big)
	}
}

// TestNewCommit fetches what has changed, and keeps the old snapshot until the new one is whole.
func TestNewCommit(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, "config.json", weights); err != nil {
		t.Fatal(err)
	}
	r := s.Repos[repo]
	r.Files[hubtest.Commit(2)] = map[string]hubtest.File{
		weights: r.Files[hubtest.Commit(1)][weights], "config.json": {Data: []byte("{\"new\":1}")},
	}
	r.Commits["main"] = hubtest.Commit(2)
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if kind == hubtest.Get {
			f.Status = http.StatusNotFound
		}
		return f
	}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, "config.json", weights); !errors.Is(err, hub.ErrNotFound) {
		t.Fatal(err)
	}
	if dir := hub.SnapshotDir(o.Cache, hub.Ref{Repo: repo}); filepath.Base(dir) != hubtest.Commit(1) {
		t.Errorf("main is at %s before it is whole", dir)
	}
	s.Fault = nil
	dir, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, "config.json", weights)
	if err != nil || hub.SnapshotDir(o.Cache, hub.Ref{Repo: repo}) != dir || filepath.Base(dir) != hubtest.Commit(2) {
		t.Errorf("%s: %v", dir, err)
	}
	if s.Sent(weights) != big {
		t.Errorf("%d bytes of a blob that was there", s.Sent(weights)-big)
	}
}

// TestRevisions are branches, tags and commits.
func TestRevisions(t *testing.T) {
	for _, revision := range []string{"v1.0", "refs/pr/7", hubtest.Commit(1)} {
		s := server(t)
		s.Repos[repo].Commits = map[string]string{"v1.0": hubtest.Commit(1), "refs/pr/7": hubtest.Commit(1)}
		o, ref := settings(t, s), hub.Ref{Repo: repo, Revision: revision}
		dir, err := pull(t.Context(), o, ref, nil, "config.json")
		if err != nil || hub.SnapshotDir(o.Cache, ref) != dir {
			t.Errorf("%s: %s, found in %s (%v)", revision, dir, hub.SnapshotDir(o.Cache, ref), err)
		}
	}
}

// TestWithoutLinks has files in the snapshot itself.
func TestWithoutLinks(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	o.NoLinks = true
	for _, revision := range []string{"", hubtest.Commit(1)} {
		if _, err := pull(t.Context(), o, hub.Ref{Repo: repo, Revision: revision}, nil, weights, "config.json"); err != nil {
			t.Fatal(err)
		}
	}
	cached(t, s, o.Cache, weights, "config.json")
	stat, err := os.Lstat(filepath.Join(hub.SnapshotDir(o.Cache, hub.Ref{Repo: repo}), weights))
	if err != nil || !stat.Mode().IsRegular() {
		t.Errorf("%v, %v", stat, err)
	}
}

// TestBrokenConnections ends in the right file, and fetches no byte twice.
func TestBrokenConnections(t *testing.T) {
	type faults = []hubtest.Fault // of the first request, the second, and so on
	half := hubtest.Fault{Cut: big / 2}
	for name, test := range map[string]struct {
		faults faults
		sent   int64
	}{
		"cut at 50 %":           {faults{half}, big},
		"cut many times":        {slices.Repeat(faults{{Cut: big / 10}}, 10), big},
		"cut, then 503":         {faults{half, {Status: 503}}, big},
		"503, 500, 502, 504":    {faults{{Status: 503}, {Status: 500}, {Status: 502}, {Status: 504}}, big},
		"429":                   {faults{{Status: 429, Header: http.Header{"Retry-After": {"0"}}}}, big},
		"stalled at 50 %":       {faults{{Cut: big / 2, Stall: true}}, big},
		"stalled in the header": {faults{{Cut: 1, Stall: true}}, big},
		"slow":                  {faults{{Slow: 20 * time.Millisecond}}, big},
		"without a length":      {faults{{NoLength: true}}, big},
		"without a length, cut": {faults{{NoLength: true, Cut: big / 2}}, big},
		"cut, without ranges":   {faults{half, {NoRange: true}}, big + big/2},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
				if kind == hubtest.Storage && n < len(test.faults) {
					f = test.faults[n]
				}
				return f
			}
			o := settings(t, s)
			o.Timeout = 300 * time.Millisecond
			last := hub.Progress{}
			if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, func(p hub.Progress) { last = p }, weights); err != nil {
				t.Fatal(err)
			}
			cached(t, s, o.Cache, weights)
			if got := s.Sent(weights); got != test.sent {
				t.Errorf("%d bytes were sent of a file of %d, want %d", got, big, test.sent)
			}
			if last.Done != big || last.Total != big || last.File != "" || last.Err != nil {
				t.Errorf("progress ended at %+v", last)
			}
		})
	}
}

// TestResume goes on where an earlier download ended, be it that that was a wrong or a longer file.
func TestResume(t *testing.T) {
	whole := hubtest.Bytes(big)
	wrong := slices.Clone(whole[:1000])
	wrong[500] ^= 1
	for name, test := range map[string]struct {
		left  []byte
		start []int64 // of the bodies that are sent
	}{
		"half":          {whole[:big/2], []int64{big / 2}},
		"all but one":   {whole[:big-1], []int64{big - 1}},
		"all":           {whole, nil},
		"more than all": {append(slices.Clone(whole), 1), []int64{0}},
		"damaged":       {wrong, []int64{1000, 0}},
		"all, damaged":  {append(slices.Clone(wrong), whole[1000:]...), []int64{0}},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			o := settings(t, s)
			incomplete := incompleteFile(s, o.Cache)
			if err := errors.Join(os.MkdirAll(filepath.Dir(incomplete), 0o777), os.WriteFile(incomplete, test.left, 0o666)); err != nil {
				t.Fatal(err)
			}
			if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err != nil {
				t.Fatal(err)
			}
			cached(t, s, o.Cache, weights)
			var start []int64
			for _, b := range s.Bodies(weights) {
				start = append(start, b.From)
			}
			if !slices.Equal(start, test.start) {
				t.Errorf("fetched from %v on, want %v", start, test.start)
			}
		})
	}
}

func incompleteFile(s *hubtest.Server, cache string) string {
	etag := s.Repos[repo].Files[hubtest.Commit(1)][weights].ETag()
	return filepath.Join(cache, "models--timm--net.tag", "blobs", etag+".incomplete")
}

// TestResumeOfUnknownSize has nothing but a checksum to tell the end by.
func TestResumeOfUnknownSize(t *testing.T) {
	for _, left := range []int{big / 2, big} {
		s := server(t)
		s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
			f.Header = http.Header{"X-Linked-Size": {""}}
			return f
		}
		o := settings(t, s)
		incomplete := incompleteFile(s, o.Cache)
		if err := errors.Join(os.MkdirAll(filepath.Dir(incomplete), 0o777), os.WriteFile(incomplete, hubtest.Bytes(big)[:left], 0o666)); err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, func(p hub.Progress) { total = p.Total }, weights); err != nil {
			t.Fatal(err)
		}
		cached(t, s, o.Cache, weights)
		if s.Sent(weights) != int64(big-left) || total != -1 {
			t.Errorf("%d bytes sent, want %d; total %d", s.Sent(weights), big-left, total)
		}
	}
}

// TestWrongFiles are errors that leave nothing behind.
func TestWrongFiles(t *testing.T) {
	for name, test := range map[string]struct {
		kind  hubtest.Kind
		file  string
		fault hubtest.Fault
		says  string
	}{
		"hash":            {hubtest.Storage, weights, hubtest.Fault{Flip: true}, "checksum"},
		"hash of a small": {hubtest.Get, "config.json", hubtest.Fault{Flip: true}, "checksum"},
		"announced size":  {hubtest.Head, weights, hubtest.Fault{Header: http.Header{"X-Linked-Size": {"999"}}}, "has 1048576 bytes, want 999"},
		"larger":          {hubtest.Head, weights, hubtest.Fault{Header: http.Header{"X-Linked-Size": {"1048577"}}}, "has 1048576 bytes, want 1048577"},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
				if kind == test.kind && file == test.file {
					f = test.fault
				}
				return f
			}
			o := settings(t, s)
			_, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, test.file)
			if !errors.Is(err, hub.ErrCorrupt) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.file) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			wholeOnly(t, s, o.Cache)
			if dir := hub.SnapshotDir(o.Cache, hub.Ref{Repo: repo}); dir != "" {
				t.Errorf("there is a snapshot %s", dir)
			}
		})
	}
}

// TestWrongSizeWithoutLength sends more, or less, than was announced, and does not say so before.
func TestWrongSizeWithoutLength(t *testing.T) {
	for size, is := range map[string]error{"999": hub.ErrCorrupt, "1048577": hub.ErrUnreachable} {
		s := server(t)
		s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
			f.NoLength, f.NoRange = true, true
			if kind == hubtest.Head {
				f.Header = http.Header{"X-Linked-Size": {size}}
			}
			return f
		}
		o := settings(t, s)
		if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); !errors.Is(err, is) {
			t.Errorf("%s: %v, want %v", size, err, is)
		}
		wholeOnly(t, s, o.Cache, filepath.Base(incompleteFile(s, o.Cache)))
	}
}

// TestBlobOfWrongSize is fetched anew.
func TestBlobOfWrongSize(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	blob := strings.TrimSuffix(incompleteFile(s, o.Cache), ".incomplete")
	if err := errors.Join(os.MkdirAll(filepath.Dir(blob), 0o777), os.WriteFile(blob, []byte("half"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err != nil {
		t.Fatal(err)
	}
	cached(t, s, o.Cache, weights)
}

// TestTwoAtOnce fetches once, whoever comes first, and both see the progress.
func TestTwoAtOnce(t *testing.T) {
	s := server(t)
	s.Fault = func(kind hubtest.Kind, file string, n int) hubtest.Fault {
		return hubtest.Fault{Slow: 20 * time.Millisecond}
	}
	o := settings(t, s)
	const clients = 4
	var group sync.WaitGroup
	var waited [clients]bool
	for i := range clients {
		group.Go(func() {
			ctx := context.WithoutCancel(t.Context())
			tell := func(p hub.Progress) { waited[i] = waited[i] || p.Waiting && p.Done > 0 && p.Done < big }
			if _, err := pull(ctx, o, hub.Ref{Repo: repo}, tell, weights); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	cached(t, s, o.Cache, weights)
	if s.Sent(weights) != big {
		t.Errorf("%d bytes sent, want %d", s.Sent(weights), big)
	}
	n := 0
	for _, w := range waited {
		if w {
			n++
		}
	}
	if n != clients-1 {
		t.Errorf("%d clients waited for another's progress, want %d", n, clients-1)
	}
}

// TestCancel ends at once, wherever it is, and the next download goes on there.
func TestCancel(t *testing.T) {
	s := server(t)
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if kind == hubtest.Storage && n == 0 {
			f = hubtest.Fault{Cut: big / 2, Stall: true}
		}
		return f
	}
	o := settings(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(p hub.Progress) {
		if p.Done == big/2 {
			cancel()
		}
	}
	if _, err := pull(ctx, o, hub.Ref{Repo: repo}, stop, weights); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wholeOnly(t, s, o.Cache, filepath.Base(incompleteFile(s, o.Cache)))
	var resumed int64
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, func(p hub.Progress) { resumed = p.Resumed }, weights); err != nil {
		t.Fatal(err)
	}
	cached(t, s, o.Cache, weights)
	if s.Sent(weights) != big || resumed != big/2 {
		t.Errorf("%d bytes sent, %d resumed", s.Sent(weights), resumed)
	}
}

// TestCancelWhileWaiting is for a lock, and for a server that wants to be left alone.
func TestCancelWhileWaiting(t *testing.T) {
	s := server(t)
	s.Fault = func(hubtest.Kind, string, int) hubtest.Fault {
		return hubtest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var told hub.Progress
	stop := func(p hub.Progress) { told = p; cancel() }
	_, err := pull(ctx, settings(t, s), hub.Ref{Repo: repo}, stop, weights)
	if !errors.Is(err, context.Canceled) || told.Wait != time.Minute || told.Err == nil || !strings.Contains(told.Err.Error(), "429") {
		t.Errorf("%v; told %+v", err, told)
	}
}

// TestReadOnlyCache is enough where all files are there.
func TestReadOnlyCache(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo, Revision: hubtest.Commit(1)}, nil, weights); err != nil {
		t.Fatal(err)
	}
	// A file in place of the directory refs cannot be written to by anybody.
	if err := os.WriteFile(filepath.Join(o.Cache, "models--timm--net.tag", "refs"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err != nil {
		t.Error(err)
	}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights, "config.json"); err == nil {
		t.Error("the ref could not be written, and nobody heard of it")
	}
}

// TestBadFileNames never leave the snapshot.
func TestBadFileNames(t *testing.T) {
	s := server(t)
	files := s.Repos[repo].Files[hubtest.Commit(1)]
	bad := []string{"../evil", "/evil", "a/../../evil", `..\evil`, "c:evil", "a//b", ""}
	for _, name := range bad {
		files[name] = hubtest.File{Data: []byte("evil")}
	}
	c, err := hub.New(settings(t, s))
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.List(t.Context(), hub.Ref{Repo: repo}, nil)
	if err != nil || !slices.Equal(l.Files, []string{"config.json", weights, "sub/README.md"}) {
		t.Fatalf("%+v, %v", l, err)
	}
	for _, name := range bad {
		if _, err := c.Download(t.Context(), l, []string{name}, nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
