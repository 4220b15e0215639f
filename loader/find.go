package loader

// This file owns where a model's files are on this machine. It only looks;
// nothing is opened, and nothing is fetched.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// modelName is a timm name, with the Hub organization in front of it or not.
var modelName = regexp.MustCompile(`^(?:([A-Za-z0-9][\w.-]*)/)?([A-Za-z0-9][\w.-]*)$`)

// Find looks for the checkpoint of a model by its timm name, such as
// "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384", "timm/" and another
// organization of the Hugging Face Hub being allowed in front. A name without
// a tag also stands for that of timm's default tag. In this order:
//
//   - every directory of $BITGPU_MODELS (a list as in $PATH),
//   - the current directory,
//   - bitgpu/models in the user's cache directory (os.UserCacheDir):
//     the checkpoint in NAME (CheckpointIn), or NAME.safetensors, .bin, .pth,
//     .pt or .npz;
//   - the cache that Python's huggingface_hub fills ($HF_HUB_CACHE,
//     $HF_HOME/hub or ~/.cache/huggingface/hub), at the revision "main".
//
// The path is one for Open, empty when there is no such file. tried
// lists the places that were looked at up to there, for an error message; it is
// empty when the name is no model name at all (a path, say).
func Find(name string) (path string, tried []string) {
	m := modelName.FindStringSubmatch(name)
	if m == nil {
		return "", nil
	}
	org, names := m[1], []string{m[2]}
	if org == "" {
		org = "timm"
	}
	if tag := defaultTag(m[2]); tag != "" {
		names = append(names, m[2]+"."+tag)
	}
	for _, root := range modelDirs() {
		for _, name := range names {
			dir, file := filepath.Join(root, name), filepath.Join(root, name+".safetensors")
			tried = append(tried, dir, file)
			if path, ok := CheckpointIn(dir); ok {
				return path, tried
			}
			for _, ext := range checkpointExtensions {
				if file := filepath.Join(root, name+ext); isFile(file) {
					return file, tried
				}
			}
		}
	}
	if hub := hubCache(); hub != "" {
		for _, name := range names {
			repo := filepath.Join(hub, "models--"+org+"--"+name)
			tried = append(tried, repo)
			if path, ok := CheckpointIn(hubSnapshot(repo)); ok {
				return path, tried
			}
		}
	}
	return "", tried
}

// checkpointExtensions are those of the forms that Open takes. They serve to find
// files; what a file is its content tells.
var checkpointExtensions = []string{".safetensors", ".bin", ".pth", ".pt", ".npz"}

// TrimExtension takes the extension of a checkpoint off a path, and that of an
// index. Other dots are part of a name: timm's have one before the tag.
func TrimExtension(path string) string {
	path = strings.TrimSuffix(path, ".index.json")
	for _, ext := range checkpointExtensions {
		if stem, ok := strings.CutSuffix(path, ext); ok {
			return stem
		}
	}
	return path
}

// CheckpointIn returns the path of the checkpoint in a directory:
// model.safetensors, model.safetensors.index.json, pytorch_model.bin or
// pytorch_model.bin.index.json, the first that is there, or else the only file
// with the extension of a checkpoint (.safetensors, .bin, .pth, .pt, .npz).
func CheckpointIn(dir string) (path string, ok bool) {
	if dir == "" {
		return "", false
	}
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if path := filepath.Join(dir, name); isFile(path) {
			return path, true
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if TrimExtension(p) == p || strings.HasSuffix(p, ".index.json") || !isFile(p) {
			continue
		}
		if path != "" {
			return "", false // which one is meant cannot be told
		}
		path = p
	}
	return path, path != ""
}

// ConfigFor returns the path of the config that lies beside a checkpoint:
// NAME.json for NAME.safetensors, NAME.pth and so on, or else config.json.
func ConfigFor(checkpoint string) (path string, ok bool) {
	stem := TrimExtension(checkpoint)
	for _, path := range []string{stem + ".json", filepath.Join(filepath.Dir(checkpoint), "config.json")} {
		if isFile(path) {
			return path, true
		}
	}
	return "", false
}

// defaultTag returns the tag that timm takes for an architecture's bare name
// (the first of its in default_cfgs of timm/models/resnetv2.py), "" when the
// name has a tag or is none of BiT's.
func defaultTag(name string) string {
	switch name {
	case "resnetv2_50x1_bit":
		return "goog_distilled_in1k"
	case "resnetv2_152x2_bit":
		return "goog_teacher_in21k_ft_in1k"
	case "resnetv2_50x3_bit", "resnetv2_101x1_bit", "resnetv2_101x3_bit", "resnetv2_152x4_bit":
		return "goog_in21k_ft_in1k"
	}
	return ""
}

// modelDirs returns the directories that hold models by name.
func modelDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("BITGPU_MODELS")) {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	dirs = append(dirs, ".")
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "bitgpu", "models"))
	}
	return dirs
}

// hubCache returns the directory where huggingface_hub keeps repositories
// (huggingface_hub/constants.py), "" when there is no home directory. It is
// under ~/.cache on every system, Windows and macOS included.
func hubCache() string {
	home, homeErr := os.UserHomeDir()
	expand := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~"); ok && homeErr == nil && (rest == "" || os.IsPathSeparator(rest[0])) {
			return home + rest
		}
		return path
	}
	for _, v := range []struct{ name, below string }{
		{"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, {"HF_HOME", "hub"}, {"XDG_CACHE_HOME", "huggingface/hub"},
	} {
		if dir := os.Getenv(v.name); dir != "" {
			return filepath.Join(expand(dir), filepath.FromSlash(v.below))
		}
	}
	if homeErr != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface", "hub")
}

// hubSnapshot returns the directory of a cached repository's files: that of
// the commit which refs/main names, or the only one that is there. It returns
// "" when there is neither.
func hubSnapshot(repo string) string {
	snapshots := filepath.Join(repo, "snapshots")
	if ref, err := readFileLimited(filepath.Join(repo, "refs", "main"), 1<<10); err == nil {
		if commit := strings.TrimSpace(string(ref)); filepath.IsLocal(commit) {
			return filepath.Join(snapshots, commit)
		}
	}
	if entries, err := os.ReadDir(snapshots); err == nil && len(entries) == 1 {
		return filepath.Join(snapshots, entries[0].Name())
	}
	return ""
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}
