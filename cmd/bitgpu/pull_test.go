package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

// published is a model that the tests' Hub has: the smallest golden network under a published name.
const published = "resnetv2_50x1_bit.goog_distilled_in1k"

// newHub starts a Hub with the published model, and gives an empty cache and the environment for both.
func newHub(t *testing.T) (s *hubtest.Server, cache string, env []string) {
	t.Helper()
	s, cache = hubtest.New(t), t.TempDir()
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(nets, "tiny", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	s.Add("timm/"+published, files)
	return s, cache, []string{"HF_HUB_OFFLINE=0", "HF_ENDPOINT=" + s.URL, "HF_HUB_CACHE=" + cache}
}

// bigFile adds a repository with weights that are no weights.
func bigFile(s *hubtest.Server, size int) (name string) {
	s.Add("me/big", map[string][]byte{"model.safetensors": hubtest.Bytes(size)})
	return "hf-hub:me/big"
}

// blobs lists what is in the cache's blobs, with sizes.
func blobs(t *testing.T, cache string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(cache, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Base(filepath.Dir(path)) == "blobs" {
			var stat fs.FileInfo
			stat, err = e.Info()
			all[e.Name()] = stat.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPull prints where the weights are, once they are; then every command finds them without a network.
func TestPull(t *testing.T) {
	s, cache, env := newHub(t)
	for i, name := range []string{"resnetv2_50x1_bit", published, "timm/" + published, "hf-hub:timm/" + published, published + "@main"} {
		out := run{args: []string{"pull", name}, env: env}.do(t)
		out.exited(t, exitOK, []string{"pull", name})
		want := filepath.Join(cache, "models--timm--"+published, "snapshots", hubtest.Commit(1), "model.safetensors")
		if out.stdout != want+"\n" {
			t.Errorf("stdout %q, want %s", out.stdout, want)
		}
		if i == 0 {
			wants(t, out.stderr, "bitgpu: fetching timm/"+published+", ", "bitgpu: timm/"+published+" is here, ")
		} else if out.stderr != "" {
			t.Errorf("stderr %q, and nothing was fetched", out.stderr)
		}
	}
	for name, f := range s.Repos["timm/"+published].Files[hubtest.Commit(1)] {
		if s.Sent(name) != int64(len(f.Data)) {
			t.Errorf("%d bytes of %s were sent, want %d", s.Sent(name), name, len(f.Data))
		}
	}
	offline := []string{"HF_HUB_CACHE=" + cache} // besides what the tests have
	for _, name := range []string{published, "hf-hub:timm/" + published, "resnetv2_50x1_bit@main"} {
		run{args: []string{"run", "--validate", "--model", name, cat}, env: offline}.do(t).exited(t, exitOK, []string{name})
	}
	for line := range strings.Lines(run{args: []string{"models", "--json"}, env: offline}.do(t).stdout) {
		var m modelLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if (m.Path != nil) != (m.Name == published) {
			t.Errorf("%s is at %v", m.Name, m.Path)
		}
	}
}

// TestFetchAtFirstUse needs no pull, and gives the answers that the same weights give by their path.
func TestFetchAtFirstUse(t *testing.T) {
	s, cache, env := newHub(t)
	args := []string{"run", "--validate", "--format", "json", "--model", "resnetv2_50x1_bit", cat}
	out := run{args: append(args, "--offline"), env: env}.do(t)
	out.exited(t, exitOpen, args)
	wants(t, out.stderr, "no weights of resnetv2_50x1_bit", cache, "Options.Offline", "--model demo")
	if s.All() != 0 || len(blobs(t, cache)) != 0 {
		t.Errorf("%d requests with --offline", s.All())
	}
	want := bitgpuRun(t, exitOK, "run", "--validate", "--format", "json", "--model", filepath.Join(nets, "tiny"), cat)
	for range 2 {
		got := run{args: args, env: env}.do(t)
		got.exited(t, exitOK, args)
		if got.stdout != want.stdout {
			t.Errorf("answer %s, want %s", got.stdout, want.stdout)
		}
	}
	if s.Requests(hubtest.List, "") != 1 {
		t.Errorf("the Hub was asked %d times", s.Requests(hubtest.List, ""))
	}
	// What needs no weights asks nobody.
	n := s.All()
	run{args: []string{"plan", "resnetv2_101x1_bit"}, env: env}.do(t).exited(t, exitOK, nil)
	run{args: []string{"preprocess", "--model", "resnetv2_101x1_bit", "--out", filepath.Join(t.TempDir(), "x.npy"), cat}, env: env}.do(t).exited(t, exitOK, nil)
	if s.All() != n {
		t.Errorf("%d requests for nothing", s.All()-n)
	}
}

// TestPullErrors are one line each, that says what is wrong; other models are pulled all the same.
func TestPullErrors(t *testing.T) {
	s, cache, env := newHub(t)
	s.Fault = func(kind hubtest.Kind, file string, n int) hubtest.Fault {
		return hubtest.Fault{Flip: kind == hubtest.Storage}
	}
	for _, test := range []struct {
		args string
		env  []string
		code int
		says string
	}{
		{"pull", nil, exitUsage, "requires at least 1 arg"},
		{"pull resnetv2_50x1_bti", nil, exitFailed, "no published BiT network is called resnetv2_50x1_bti"},
		{"pull resnetv2_50x1_bti", nil, exitFailed, "Did you mean resnetv2_50x1_bit"},
		{"pull hf-hub:big", nil, exitFailed, `"big", want OWNER/NAME`},
		{"pull me/none", nil, exitFailed, "has no repository me/none"},
		{"pull " + published + " --revision v9", nil, exitFailed, `has no revision "v9"`},
		{"pull " + published + " --revision ../x", nil, exitFailed, `revision "../x"`},
		{"pull " + published, nil, exitFailed, "checksum"},
		{"run --model " + published + " " + cat, nil, exitOpen, "checksum"},
		{"pull " + published, []string{"HF_HUB_OFFLINE=1"}, exitFailed, "HF_HUB_OFFLINE"},
		{"run --model " + published + " " + cat, []string{"HF_HUB_OFFLINE=1"}, exitOpen, "HF_HUB_OFFLINE"},
		{"run --model hf-hub:me/none " + cat, nil, exitOpen, "has no repository me/none"},
		{"run --model hf-hub:none " + cat, nil, exitOpen, "want OWNER/NAME"},
		{"pull " + published, []string{"HF_ENDPOINT=http://127.0.0.1:1"}, exitFailed, "the Hub cannot be reached: 127.0.0.1:1"},
		{"pull " + published, []string{"HF_ENDPOINT=nonsense"}, exitFailed, "HF_ENDPOINT"},
		{"pull " + published, []string{"HF_HUB_DOWNLOAD_TIMEOUT=soon"}, exitFailed, "HF_HUB_DOWNLOAD_TIMEOUT"},
		{"pull demo", nil, exitOK, "part of the program"},
		{"pull pull.go", nil, exitOK, "is a file or directory here"},
	} {
		args := strings.Fields(test.args)
		out := run{args: args, env: append(slices.Clone(env), test.env...)}.do(t)
		out.exited(t, test.code, args)
		wants(t, out.stderr, test.says)
		if out.stdout != "" {
			t.Errorf("%s: stdout %q", test.args, out.stdout)
		}
	}
	for name := range blobs(t, cache) {
		if file := s.Repos["timm/"+published].Files[hubtest.Commit(1)]["config.json"]; name != file.ETag() {
			t.Errorf("%s is left behind", name)
		}
	}
	s.Fault = nil
	args := []string{"pull", "me/none", published, "me/nothing"}
	out := run{args: args, env: env}.do(t)
	out.exited(t, exitFailed, args)
	wants(t, out.stderr, "me/none", "me/nothing", "2 of 3 inputs failed")
	if strings.Count(out.stdout, "\n") != 1 {
		t.Errorf("stdout %q", out.stdout)
	}
}

// TestPullKilled kills the process in the middle of a file, twice. The next one goes on where it was: no byte that is
// there is fetched again.
func TestPullKilled(t *testing.T) {
	s, cache, env := newHub(t)
	const size = 4 << 20
	name := bigFile(s, size)
	etag := s.Repos["me/big"].Files[hubtest.Commit(1)]["model.safetensors"].ETag()
	s.Fault = func(hubtest.Kind, string, int) hubtest.Fault { return hubtest.Fault{Slow: 20 * time.Millisecond} }
	had := []int64{0}
	for _, until := range []int64{size / 4, size / 2} {
		cmd := exec.CommandContext(t.Context(), program, "pull", name)
		cmd.Env = environment(env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(time.Minute)
		for blobs(t, cache)[etag+".incomplete"] < until {
			if time.Now().After(deadline) {
				t.Fatal("nothing comes")
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		left := blobs(t, cache)
		if n := left[etag+".incomplete"]; len(left) != 1 || n >= size {
			t.Fatalf("left behind: %v", left)
		}
		had = append(had, left[etag+".incomplete"])
	}
	s.Lock()
	s.Fault = nil
	s.Unlock()
	out := run{args: []string{"pull", name}, env: env}.do(t)
	out.exited(t, exitOK, []string{"pull", name})
	wants(t, out.stderr, "are here already")
	bodies := s.Bodies("model.safetensors")
	for i, b := range bodies {
		if i >= len(had) || b.From != had[i] {
			t.Errorf("the bodies %v were sent, want them from %v on", bodies, had)
		}
	}
	if got := bodies[len(bodies)-1].Sent; got != size-had[2] {
		t.Errorf("the last process fetched %d bytes, want %d", got, size-had[2])
	}
	data, err := os.ReadFile(strings.TrimSpace(out.stdout))
	if err != nil || !bytes.Equal(data, hubtest.Bytes(size)) {
		t.Errorf("%d bytes that are not the file (%v)", len(data), err)
	}
	if left := blobs(t, cache); len(left) != 1 || left[etag] != size {
		t.Errorf("the cache holds %v", left)
	}
}

// watchedBuffer is a buffer that can be read while a process writes to it.
type watchedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watchedBuffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *watchedBuffer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// TestPullTwoAtOnce has processes that want the same at once: one fetches. When that one is killed, another goes on.
func TestPullTwoAtOnce(t *testing.T) {
	for _, kill := range []bool{false, true} {
		s, cache, env := newHub(t)
		const size = 4 << 20
		name := bigFile(s, size)
		hold := make(chan struct{})
		s.Fault = func(hubtest.Kind, string, int) hubtest.Fault { return hubtest.Fault{Hold: hold} }
		type process struct {
			*exec.Cmd
			stdout, stderr watchedBuffer
		}
		start := func() *process {
			p := &process{Cmd: exec.CommandContext(t.Context(), program, "pull", name)}
			p.Env, p.Stdout, p.Stderr = environment(env...), &p.stdout, &p.stderr
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			return p
		}
		first := start()
		for deadline := time.Now().Add(time.Minute); s.Sent("model.safetensors") < size/4; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing comes")
			}
		}
		rest := []*process{start(), start()}
		waits := func(p *process) bool { return strings.Contains(p.stderr.String(), "another process fetches it") }
		for deadline := time.Now().Add(time.Minute); !waits(rest[0]) || !waits(rest[1]); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the others do not wait: %s %s", &rest[0].stderr, &rest[1].stderr)
			}
		}
		if kill {
			if err := first.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = first.Wait() // it was killed
		} else {
			rest = append(rest, first)
		}
		close(hold)
		for _, p := range rest {
			if err := p.Wait(); err != nil {
				t.Errorf("%v: %s", err, &p.stderr)
				continue
			}
			data, err := os.ReadFile(strings.TrimSpace(p.stdout.String()))
			if err != nil || !bytes.Equal(data, hubtest.Bytes(size)) {
				t.Errorf("%d bytes that are not the file (%v)", len(data), err)
			}
		}
		// The killed one has read at least what was sent before it was killed, but for what was on its way.
		bodies := s.Bodies("model.safetensors")
		if !kill && (len(bodies) != 1 || bodies[0].Sent != size) || kill && (len(bodies) != 2 || bodies[1].From < size/4) {
			t.Errorf("killed %v: bodies %+v", kill, bodies)
		}
		if left := blobs(t, cache); len(left) != 1 {
			t.Errorf("the cache holds %v", left)
		}
	}
}

// TestPullRetries tells of a server that has too much to do.
func TestPullRetries(t *testing.T) {
	s, _, env := newHub(t)
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if kind == hubtest.Storage && n == 0 {
			f = hubtest.Fault{Status: 429, Header: map[string][]string{"Retry-After": {"1"}}}
		}
		return f
	}
	out := run{args: []string{"pull", published}, env: env}.do(t)
	out.exited(t, exitOK, []string{"pull"})
	wants(t, out.stderr, "warning: timm/"+published, "429 Too Many Requests", "trying again in 1s")
}

// TestPullProxy goes through HTTP_PROXY to a host that there is not; the token goes along to the Hub alone.
func TestPullProxy(t *testing.T) {
	s, _, env := newHub(t)
	s.Repos["timm/"+published].Token = "right"
	env = append(env, "HF_ENDPOINT=http://hub.invalid", "HTTP_PROXY="+s.URL, "http_proxy="+s.URL, "NO_PROXY=", "no_proxy=", "HF_TOKEN=right")
	out := run{args: []string{"pull", published, "--quiet"}, env: env}.do(t)
	out.exited(t, exitOK, []string{"pull"})
	if s.All() == 0 || len(s.Leaked()) > 0 || out.stderr != "" {
		t.Errorf("%d requests, leaked %q, stderr %q", s.All(), s.Leaked(), out.stderr)
	}
}

// TestModels has a row for each published network, with numbers that are published elsewhere too.
func TestModels(t *testing.T) {
	text := bitgpuRun(t, exitOK, "models").stdout
	lines := slices.Collect(strings.Lines(text))
	all := slices.Collect(strings.Lines(bitgpuRun(t, exitOK, "models", "--json").stdout))
	if len(lines) != 1+len(bitgpu.Models()) || len(all) != len(bitgpu.Models()) {
		t.Fatalf("%d rows and %d lines of JSON for %d models", len(lines)-1, len(all), len(bitgpu.Models()))
	}
	for i, line := range all {
		var m modelLine
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		want := []string{m.Name, fmt.Sprintf("%.1f M", float64(m.Parameters)/1e6), fmt.Sprint(m.Size), fmt.Sprint(m.Classes)}
		if m.Top1 != nil {
			want = append(want, fmt.Sprintf("%.2f", *m.Top1))
		}
		wants(t, lines[1+i], want...)
		if (m.Top1 == nil) != strings.HasSuffix(m.Name, "_in21k") || m.Path != nil || m.Default != (i == 0) {
			t.Errorf("%+v", m)
		}
	}
	wants(t, lines[1], bitgpu.DefaultModel, "236.3 M", "901.5 MiB", "134.6", "384", "83.86")
}
