package loader_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

// TestPull fetches what a model consists of, and nothing else, and Find finds it then.
func TestPull(t *testing.T) {
	const index = `{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`
	for _, test := range []struct {
		name  string
		files []string // in the repository
		want  []string // of them; the checkpoint last
	}{
		{"safetensors", []string{"README.md", "config.json", "model.safetensors", "pytorch_model.bin"}, []string{"config.json", "model.safetensors"}},
		{"PyTorch's", []string{"config.json", "pytorch_model.bin", "tf_model.h5"}, []string{"config.json", "pytorch_model.bin"}},
		{"transformers", []string{"config.json", "model.safetensors", "preprocessor_config.json"}, []string{"config.json", "preprocessor_config.json", "model.safetensors"}},
		{"Google's", []string{"BiT-M-R50x1.npz", "README.md"}, []string{"BiT-M-R50x1.npz"}},
		{"shards", []string{"1.safetensors", "2.safetensors", "3.safetensors", "config.json", "model.safetensors.index.json"},
			[]string{"1.safetensors", "2.safetensors", "config.json", "model.safetensors.index.json"}},
		{"none", []string{"README.md", "config.json"}, nil},
		{"in a folder", []string{"old/model.safetensors"}, nil},
		{"several", []string{"a.npz", "b.npz"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			emptyMachine(t)
			s := hubtest.New(t)
			files := map[string][]byte{}
			for _, name := range test.files {
				files[name] = []byte(name)
			}
			if _, ok := files["model.safetensors.index.json"]; ok {
				files["model.safetensors.index.json"] = []byte(index)
			}
			s.Add("me/net", files)
			got, err := pull(t, s, "me/net")
			if test.want == nil {
				if !errors.Is(err, loader.ErrNoCheckpoint) || s.Requests(hubtest.Get, "") > 0 {
					t.Errorf("%v, %d files fetched", err, s.Requests(hubtest.Get, ""))
				}
				return
			}
			if err != nil || filepath.Base(got) != test.want[len(test.want)-1] {
				t.Fatalf("%s, %v", got, err)
			}
			entries, err := os.ReadDir(filepath.Dir(got))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(names, want) {
				t.Errorf("fetched %v, want %v", names, want)
			}
			for _, name := range []string{"me/net", "hf-hub:me/net"} {
				if path, tried := loader.Find(name); path != got {
					t.Errorf("found %q as %s, want %q; tried %q", path, name, got, tried)
				}
			}
		})
	}
}

// TestPullOfShardsInterrupted is not taken for a model, and goes on later.
func TestPullOfShardsInterrupted(t *testing.T) {
	emptyMachine(t)
	s := hubtest.New(t)
	s.Add("me/net", map[string][]byte{
		"model.safetensors.index.json": []byte(`{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`),
		"1.safetensors":                []byte("1"), "2.safetensors": []byte("2"),
	})
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if kind == hubtest.Get && file == "2.safetensors" && n == 0 {
			f.Status = http.StatusForbidden
		}
		return f
	}
	if _, err := pull(t, s, "me/net"); !errors.Is(err, hub.ErrDenied) {
		t.Fatal(err)
	}
	if path, _ := loader.Find("me/net"); path != "" {
		t.Errorf("half a model is found: %s", path)
	}
	if _, err := pull(t, s, "me/net"); err != nil {
		t.Fatal(err)
	}
	if path, _ := loader.Find("me/net"); path == "" || s.Requests(hubtest.Get, "1.safetensors") != 1 {
		t.Errorf("found %q after %d requests for the first shard", path, s.Requests(hubtest.Get, "1.safetensors"))
	}
}

// TestPullBadIndex names shards that are elsewhere, or nowhere.
func TestPullBadIndex(t *testing.T) {
	for index, want := range map[string]error{
		`{"weight_map":{"a":"../../x"}}`: nil,
		`{"weight_map":{"a":"none"}}`:    hub.ErrNotFound,
		`{}`:                             loader.ErrCorrupt,
		`{`:                              loader.ErrCorrupt,
	} {
		emptyMachine(t)
		s := hubtest.New(t)
		s.Add("me/net", map[string][]byte{"model.safetensors.index.json": []byte(index)})
		if _, err := pull(t, s, "me/net"); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", index, err)
		}
	}
}

func pull(t *testing.T, s *hubtest.Server, repo string) (string, error) {
	t.Helper()
	c, err := hub.New(hub.Settings{Endpoint: s.URL, Cache: hub.CacheDir(), Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return loader.Pull(t.Context(), c, hub.Ref{Repo: repo}, nil)
}
