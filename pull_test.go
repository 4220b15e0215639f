package bitgpu_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// hubOf starts a Hub that has the smallest golden network under a published name, and gives the test an empty cache.
func hubOf(t *testing.T, repo string) *hubtest.Server {
	t.Helper()
	s := hubtest.New(t)
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("tests/testdata/nets/tiny", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	s.Add(repo, files)
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "")
	t.Setenv("BITGPU_MODELS", "")
	return s
}

// TestOpenFetches does so once, and only if it may.
func TestOpenFetches(t *testing.T) {
	const name = "resnetv2_50x1_bit"
	s := hubOf(t, "timm/"+name+".goog_distilled_in1k")
	if _, err := bitgpu.Open(t.Context(), name, bitgpu.Options{Offline: true}); !errors.Is(err, bitgpu.ErrNoModel) || s.All() != 0 {
		t.Fatalf("%v, %d requests", err, s.All())
	}
	var last hub.Progress
	for range 2 {
		modeltest.Open(t, name, bitgpu.Options{Fetching: func(p hub.Progress) { last = p }})
	}
	if s.Requests(hubtest.List, "") != 1 || last.File != "" || last.Done == 0 || last.Done != last.Total {
		t.Errorf("%d requests, progress ends at %+v", s.Requests(hubtest.List, ""), last)
	}
}

func TestPullErrors(t *testing.T) {
	s := hubOf(t, "me/net")
	s.Add("me/empty", map[string][]byte{"README.md": nil})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		name string
		want error
	}{
		{t.Context(), "resnet50", bitgpu.ErrNoModel},
		{t.Context(), "hf-hub:resnet50", bitgpu.ErrNoModel},
		{t.Context(), "me/net@", bitgpu.ErrNoModel},
		{t.Context(), "me/none", hub.ErrNotFound},
		{t.Context(), "me/net@v2", hub.ErrNotFound},
		{t.Context(), "me/empty", loader.ErrNoCheckpoint},
		{ctx, "me/net", context.Canceled},
	} {
		path, err := bitgpu.Pull(test.ctx, test.name, bitgpu.PullOptions{})
		if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "bitgpu: ") || path != "" {
			t.Errorf("%s: %q, %v, want %v", test.name, path, err, test.want)
		}
	}
	if path, err := bitgpu.Pull(t.Context(), "me/net", bitgpu.PullOptions{Revision: hubtest.Commit(1)}); err != nil || filepath.Base(path) != "model.safetensors" {
		t.Error(path, err)
	}
}
