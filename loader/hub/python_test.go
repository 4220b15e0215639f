package hub_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

// python prepares huggingface_hub itself, for the same Hub and cache. The test is skipped where it is not installed.
func python(t *testing.T, s *hubtest.Server, cache, script string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	env := append(os.Environ(), "HF_ENDPOINT="+s.URL, "HF_HUB_CACHE="+cache, "HF_HUB_OFFLINE=0", "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_PROGRESS_BARS=1")
	const load = "from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download\n"
	if err := exec.CommandContext(ctx, "python3", "-c", load).Run(); err != nil {
		t.Skip("no huggingface_hub for python3:", err)
	}
	cmd := exec.CommandContext(ctx, "python3", "-c", load+script)
	cmd.Env = env
	return cmd
}

const download = `print(hf_hub_download("` + repo + `", "` + weights + `"))`

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	text, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestPythonReadsOurs finds all files without a network, sees nothing wrong with the cache, and fetches nothing again.
func TestPythonReadsOurs(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	const scan = `
scan = scan_cache_dir()
print(snapshot_download("` + repo + `", local_files_only=True), len(scan.warnings), [(r.repo_id, r.nb_files) for r in scan.repos])
` + download
	cmd := python(t, s, o.Cache, scan)
	dir, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights, "config.json", "sub/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := output(t, cmd), dir+" 0 [('"+repo+"', 3)]\n"+dir+"/"+weights; got != want {
		t.Errorf("Python says %s, want %s", got, want)
	}
	if s.Sent(weights) != big {
		t.Errorf("%d bytes sent", s.Sent(weights))
	}
}

// TestPythonsIsOurs fetches nothing that Python has fetched.
func TestPythonsIsOurs(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	path := output(t, python(t, s, o.Cache, download))
	dir, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights)
	if err != nil || path != dir+"/"+weights || s.Sent(weights) != big {
		t.Errorf("Python has %s, we %s (%v); %d bytes sent", path, dir, err, s.Sent(weights))
	}
}

// TestPythonAtTheSameTime has Python and us want the same: whoever comes second waits.
func TestPythonAtTheSameTime(t *testing.T) {
	for _, first := range []string{"Python", "we"} {
		s := server(t)
		s.Fault = func(hubtest.Kind, string, int) hubtest.Fault { return hubtest.Fault{Slow: 100 * time.Millisecond} }
		o := settings(t, s)
		cmd := python(t, s, o.Cache, download)
		theirs, ours := make(chan error, 1), make(chan error, 1)
		begin := []func(){
			func() { theirs <- cmd.Run() },
			func() { _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); ours <- err },
		}
		if first == "we" {
			begin[0], begin[1] = begin[1], begin[0]
		}
		go begin[0]()
		for deadline := time.Now().Add(time.Minute); s.Sent(weights) == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		go begin[1]()
		if err := errors.Join(<-theirs, <-ours); err != nil || len(s.Bodies(weights)) != 1 {
			t.Errorf("%s first: %v; bodies %+v", first, err, s.Bodies(weights))
		}
		cached(t, s, o.Cache, weights)
	}
}
