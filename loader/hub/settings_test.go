package hub_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
)

// bare takes the environment's variables away, and makes home an empty directory.
func bare(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "HF_") || strings.HasPrefix(name, "HUGGING") {
			t.Setenv(name, "")
		}
	}
	for name, value := range map[string]string{"HOME": home, "USERPROFILE": home, "home": home, "XDG_CACHE_HOME": "", "TRANSFORMERS_OFFLINE": ""} {
		t.Setenv(name, value)
	}
	return home
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestCacheDir follows huggingface_hub/constants.py.
func TestCacheDir(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string // HOME stands for the home directory
	}{
		{nil, "HOME/.cache/huggingface/hub"},
		{map[string]string{"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"},
		{map[string]string{"XDG_CACHE_HOME": "/x", "HF_HOME": "/h"}, "/h/hub"},
		{map[string]string{"HF_HOME": "~/h"}, "HOME/h/hub"},
		{map[string]string{"HF_HOME": "~other/h"}, "~other/h/hub"},
		{map[string]string{"HF_HOME": "$WHERE/h/$NOWHERE", "WHERE": "/w"}, "/w/h/$NOWHERE/hub"},
		{map[string]string{"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"}, "/old"},
		{map[string]string{"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new/"}, "/new"},
	} {
		home := bare(t)
		for name, value := range test.env {
			t.Setenv(name, value)
		}
		want := strings.Replace(test.want, "HOME", filepath.ToSlash(home), 1)
		if got := filepath.ToSlash(hub.CacheDir()); got != want {
			t.Errorf("%v: %s, want %s", test.env, got, want)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		file string // of the token, below home; with a colon before what it holds
		want hub.Settings
		err  string
	}{
		{},
		{env: map[string]string{"HF_ENDPOINT": "https://mirror.test/hub/"}, want: hub.Settings{Endpoint: "https://mirror.test/hub"}},
		{env: map[string]string{"HF_ENDPOINT": "mirror.test"}, err: "HF_ENDPOINT"},
		{env: map[string]string{"HF_ENDPOINT": "ftp://mirror.test"}, err: "HF_ENDPOINT"},
		{env: map[string]string{"HF_TOKEN": " t\r\n"}, file: ".cache/huggingface/token:f", want: hub.Settings{Token: "t"}},
		{env: map[string]string{"HUGGING_FACE_HUB_TOKEN": "old"}, want: hub.Settings{Token: "old"}},
		{file: ".cache/huggingface/token:f\n", want: hub.Settings{Token: "f"}},
		{env: map[string]string{"HF_TOKEN_PATH": "~/mine"}, file: "mine:m", want: hub.Settings{Token: "m"}},
		{env: map[string]string{"HF_TOKEN": "t", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}},
		{env: map[string]string{"HF_TOKEN_PATH": "~/dir"}, file: "dir/x:", err: "token file"},
		{env: map[string]string{"HF_HUB_OFFLINE": "yes"}, want: hub.Settings{Offline: true}},
		{env: map[string]string{"TRANSFORMERS_OFFLINE": "1"}, want: hub.Settings{Offline: true}},
		{env: map[string]string{"HF_HUB_OFFLINE": "0"}},
		{env: map[string]string{"HF_HUB_DISABLE_SYMLINKS": "True"}, want: hub.Settings{NoLinks: true}},
		{env: map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "30", "HF_HUB_ETAG_TIMEOUT": "3"}, want: hub.Settings{Timeout: 30 * time.Second, MetadataTimeout: 3 * time.Second}},
		{env: map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, err: "HF_HUB_DOWNLOAD_TIMEOUT"},
		{env: map[string]string{"HF_HUB_ETAG_TIMEOUT": "-1"}, err: "HF_HUB_ETAG_TIMEOUT"},
	} {
		home := bare(t)
		for name, value := range test.env {
			t.Setenv(name, value)
		}
		if path, text, ok := strings.Cut(test.file, ":"); ok {
			write(t, filepath.Join(home, path), text)
		}
		got, err := hub.FromEnvironment()
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: error %v, want one about %s", test.env, err, test.err)
			}
			continue
		}
		test.want.Cache = filepath.Join(home, ".cache", "huggingface", "hub")
		if err != nil || got != test.want {
			t.Errorf("%v: %+v, want %+v (%v)", test.env, got, test.want, err)
		}
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]hub.Ref{
		"timm/a.b":           {Repo: "timm/a.b"},
		"timm/a.b@v1.0":      {Repo: "timm/a.b", Revision: "v1.0"},
		"t_1/a-b@refs/pr/12": {Repo: "t_1/a-b", Revision: "refs/pr/12"},
	} {
		if got, err := hub.ParseRef(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "/a", "a/", "a/b/c", "../b", "a/..", "a/b..c", "a--b/c", "a/b@", "a/b@../x", "a/b@/x", "a/b@x y", "a/b@-x", `a\b/c`, "a/b@c@d"} {
		if got, err := hub.ParseRef(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// TestSnapshotDir is where a revision's files are, in what Python or this package has left.
func TestSnapshotDir(t *testing.T) {
	const main, other = "0000000000000000000000000000000000000001", "0000000000000000000000000000000000000002"
	for _, test := range []struct {
		name, revision, want string
		refs                 map[string]string
		snapshots            []string
	}{
		{"main", "", main, map[string]string{"main": main + "\n"}, []string{main, other}},
		{"main by name", "main", main, map[string]string{"main": main}, []string{main, other}},
		{"branch", "refs/pr/1", other, map[string]string{"main": main, "refs/pr/1": other}, []string{main, other}},
		{"commit", other, other, map[string]string{"main": main}, []string{main, other}},
		{"the only one", "", "x", nil, []string{"x"}},
		{"one of two", "", "", nil, []string{"x", "y"}},
		{"a revision that is not there", "v1", "", map[string]string{"main": main}, []string{main}},
		{"a ref that leaves the cache", "", "", map[string]string{"main": "../../x"}, []string{"x"}},
		{"a ref that is empty", "", "", map[string]string{"main": ""}, []string{"x"}},
		{"no repository", "", "", nil, nil},
	} {
		cache := t.TempDir()
		folder := filepath.Join(cache, "models--timm--a")
		for ref, commit := range test.refs {
			write(t, filepath.Join(folder, "refs", filepath.FromSlash(ref)), commit)
		}
		for _, s := range test.snapshots {
			write(t, filepath.Join(folder, "snapshots", s, "config.json"), "")
		}
		want := ""
		if test.want != "" {
			want = filepath.Join(folder, "snapshots", test.want)
		}
		if got := hub.SnapshotDir(cache, hub.Ref{Repo: "timm/a", Revision: test.revision}); got != want {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}
