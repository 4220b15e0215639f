package loader_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// emptyMachine makes every place that Find looks at an empty directory of the
// test's own and returns their root. The current directory is root/cwd.
func emptyMachine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, dir := range map[string]string{
		"HOME": "home", "USERPROFILE": "home", "LocalAppData": "home/.cache", "home": "home",
		"XDG_CACHE_HOME": "", "BITGPU_MODELS": "", "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_HOME": "",
	} {
		if dir != "" {
			dir = filepath.Join(root, dir)
		}
		t.Setenv(name, dir)
	}
	for _, dir := range []string{"cwd", "home"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, "cwd"))
	return root
}

func touch(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const tagged = "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384"

func TestFind(t *testing.T) {
	repo := "home/.cache/huggingface/hub/models--timm--" + tagged
	for _, tt := range []struct {
		label string
		files []string // path, or path=content
		env   map[string]string
		name  string
		want  string
	}{
		{"model directory", []string{"m2/" + tagged + "/model.safetensors"}, map[string]string{"BITGPU_MODELS": "m1:m2"}, tagged, "m2/" + tagged + "/model.safetensors"},
		{"model file", []string{"m1/" + tagged + ".safetensors"}, map[string]string{"BITGPU_MODELS": "m1"}, "timm/" + tagged, "m1/" + tagged + ".safetensors"},
		{"sharded", []string{"m1/" + tagged + "/model.safetensors.index.json"}, map[string]string{"BITGPU_MODELS": "m1"}, tagged, "m1/" + tagged + "/model.safetensors.index.json"},
		{"first directory wins", []string{"m1/a.safetensors", "m2/a.safetensors"}, map[string]string{"BITGPU_MODELS": "m2:m1"}, "a", "m2/a.safetensors"},
		{"current directory", []string{"cwd/a/model.safetensors"}, nil, "a", "cwd/a/model.safetensors"},
		{"cache directory", []string{cacheDir + "/bitgpu/models/a.safetensors"}, nil, "a", cacheDir + "/bitgpu/models/a.safetensors"},
		{"models before the current directory", []string{"m1/a.safetensors", "cwd/a.safetensors"}, map[string]string{"BITGPU_MODELS": "m1"}, "a", "m1/a.safetensors"},
		{"default tag", []string{"cwd/resnetv2_50x1_bit.goog_distilled_in1k.safetensors"}, nil, "resnetv2_50x1_bit", "cwd/resnetv2_50x1_bit.goog_distilled_in1k.safetensors"},
		{"bare name before default tag", []string{"cwd/resnetv2_50x1_bit.goog_distilled_in1k.safetensors", "cwd/resnetv2_50x1_bit.safetensors"}, nil, "resnetv2_50x1_bit", "cwd/resnetv2_50x1_bit.safetensors"},
		{"Hub", []string{repo + "/refs/main=abc\n", repo + "/snapshots/abc/model.safetensors", repo + "/snapshots/def/model.safetensors"}, nil, tagged, repo + "/snapshots/abc/model.safetensors"},
		{"Hub without a ref", []string{repo + "/snapshots/def/model.safetensors"}, nil, tagged, repo + "/snapshots/def/model.safetensors"},
		{"Hub, ambiguous without a ref", []string{repo + "/snapshots/abc/model.safetensors", repo + "/snapshots/def/model.safetensors"}, nil, tagged, ""},
		{"Hub, ref that leaves the cache", []string{repo + "/refs/main=../../x", "home/.cache/huggingface/hub/x/model.safetensors"}, nil, tagged, ""},
		{"Hub without safetensors", []string{repo + "/refs/main=abc", repo + "/snapshots/abc/pytorch_model.bin"}, nil, tagged, repo + "/snapshots/abc/pytorch_model.bin"},
		{"other forms", []string{"m1/a.pth", "m1/a/x.npz", "m1/a/notes.txt"}, map[string]string{"BITGPU_MODELS": "m1"}, "a", "m1/a/x.npz"},
		{"several of other forms", []string{"m1/a/x.npz", "m1/a/y.pth", "m1/a.bin"}, map[string]string{"BITGPU_MODELS": "m1"}, "a", "m1/a.bin"},
		{"Hub, default tag", []string{"home/.cache/huggingface/hub/models--timm--resnetv2_101x1_bit.goog_in21k_ft_in1k/snapshots/a/model.safetensors"}, nil, "resnetv2_101x1_bit",
			"home/.cache/huggingface/hub/models--timm--resnetv2_101x1_bit.goog_in21k_ft_in1k/snapshots/a/model.safetensors"},
		{"another organization", []string{"home/.cache/huggingface/hub/models--me--net/snapshots/a/model.safetensors"}, nil, "me/net", "home/.cache/huggingface/hub/models--me--net/snapshots/a/model.safetensors"},
		{"Hub by name", []string{"home/.cache/huggingface/hub/models--me--net/snapshots/a/model.safetensors"}, nil, "hf-hub:me/net", "home/.cache/huggingface/hub/models--me--net/snapshots/a/model.safetensors"},
		{"Hub by name only", []string{"cwd/net/model.safetensors"}, nil, "hf-hub:timm/net", ""},
		{"Hub by name and revision", []string{repo + "/refs/main=abc", repo + "/refs/v2=def", repo + "/snapshots/abc/model.safetensors", repo + "/snapshots/def/model.safetensors"}, nil, "hf_hub:timm/" + tagged + "@v2", repo + "/snapshots/def/model.safetensors"},
		{"revision", []string{repo + "/refs/main=abc", repo + "/refs/v2=def", repo + "/snapshots/abc/model.safetensors", repo + "/snapshots/def/model.safetensors", "cwd/" + tagged + "/model.safetensors"}, nil, tagged + "@v2", repo + "/snapshots/def/model.safetensors"},
		{"revision that is not there", []string{repo + "/refs/main=abc", repo + "/snapshots/abc/model.safetensors"}, nil, tagged + "@v2", ""},
		{"Hub, shards", []string{repo + "/snapshots/a/model.safetensors.index.json={\"weight_map\":{\"x\":\"1\",\"y\":\"2\"}}", repo + "/snapshots/a/1", repo + "/snapshots/a/2"}, nil, tagged, repo + "/snapshots/a/model.safetensors.index.json"},
		{"Hub, a shard missing", []string{repo + "/snapshots/a/model.safetensors.index.json={\"weight_map\":{\"x\":\"1\",\"y\":\"2\"}}", repo + "/snapshots/a/1"}, nil, tagged, ""},
		{"HF_HUB_CACHE", []string{"h/models--timm--a/snapshots/x/model.safetensors"}, map[string]string{"HF_HUB_CACHE": "h", "HF_HOME": "i"}, "a", "h/models--timm--a/snapshots/x/model.safetensors"},
		{"HF_HOME", []string{"h/hub/models--timm--a/snapshots/x/model.safetensors"}, map[string]string{"HF_HOME": "h"}, "a", "h/hub/models--timm--a/snapshots/x/model.safetensors"},
		{"a directory is no file", []string{"cwd/a.safetensors/x", "cwd/a/model.safetensors/x"}, nil, "a", ""},
	} {
		t.Run(tt.label, func(t *testing.T) {
			root := emptyMachine(t)
			for _, f := range tt.files {
				path, text, _ := strings.Cut(f, "=")
				touch(t, filepath.Join(root, path), text)
			}
			for name, list := range tt.env {
				var dirs []string
				for dir := range strings.SplitSeq(list, ":") {
					dirs = append(dirs, filepath.Join(root, dir))
				}
				t.Setenv(name, strings.Join(dirs, string(filepath.ListSeparator)))
			}
			got, tried := loader.Find(tt.name)
			want := ""
			if tt.want != "" {
				want = filepath.Join(root, tt.want)
				abs, err := filepath.Abs(got)
				if err != nil {
					t.Fatal(err)
				}
				got = resolve(t, abs)
				want = resolve(t, want)
			}
			if got != want || len(tried) == 0 {
				t.Errorf("found %q, want %q; tried %q", got, want, tried)
			}
		})
	}
}

// resolve removes links from a path: a temporary directory may be below one.
func resolve(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFindExpandsTilde(t *testing.T) {
	root := emptyMachine(t)
	t.Setenv("HF_HOME", "~/hf")
	want := touch(t, filepath.Join(root, "home/hf/hub/models--timm--a/snapshots/x/model.safetensors"), "")
	if got, tried := loader.Find("a"); got != want {
		t.Errorf("found %q, want %q; tried %q", got, want, tried)
	}
}

func TestFindListsWhatItTried(t *testing.T) {
	root := emptyMachine(t)
	t.Setenv("BITGPU_MODELS", filepath.Join(root, "m"))
	path, tried := loader.Find("timm/a.b")
	want := []string{
		filepath.Join(root, "m", "a.b"), filepath.Join(root, "m", "a.b.safetensors"),
		"a.b", "a.b.safetensors",
		filepath.Join(root, cacheDir, "bitgpu/models/a.b"), filepath.Join(root, cacheDir, "bitgpu/models/a.b.safetensors"),
		filepath.Join(root, "home/.cache/huggingface/hub/models--timm--a.b"),
	}
	if path != "" || !slices.Equal(tried, want) {
		t.Errorf("found %q, tried %q, want %q", path, tried, want)
	}
}

func TestFindTakesNoPaths(t *testing.T) {
	emptyMachine(t)
	touch(t, "a/model.safetensors", "")
	for _, name := range []string{"", "./a", "/a", "../cwd/a", "timm/../a", "..", "a/b/c", `a\b`, "a b", "timm/", "hf-hub:a", "hf-hub:timm/../a", "a@", "a@../x"} {
		if path, tried := loader.Find(name); path != "" || tried != nil {
			t.Errorf("%q: found %q, tried %q", name, path, tried)
		}
	}
}

func TestConfigFor(t *testing.T) {
	dir := t.TempDir()
	own, shared := filepath.Join(dir, "net.json"), filepath.Join(dir, "config.json")
	checkpoint := filepath.Join(dir, "net.safetensors")
	if path, ok := loader.ConfigFor(checkpoint); ok {
		t.Errorf("found %q in an empty folder", path)
	}
	touch(t, shared, "{}")
	for _, c := range []string{checkpoint, filepath.Join(dir, "model.safetensors.index.json")} {
		if path, ok := loader.ConfigFor(c); !ok || path != shared {
			t.Errorf("%s: found %q", c, path)
		}
	}
	touch(t, own, "{}")
	if path, ok := loader.ConfigFor(checkpoint); !ok || path != own {
		t.Errorf("found %q, want the file's own", path)
	}
}
