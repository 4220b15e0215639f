package loader

// This file owns where a model's files are on this machine. It only looks;
// nothing is opened, and nothing is fetched.

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bitgpu/bitgpu/loader/hub"
)

// modelName is a timm name, with the Hub organization in front of it or not.
var modelName = regexp.MustCompile(`^(?:([A-Za-z0-9][\w.-]*)/)?([A-Za-z0-9][\w.-]*)$`)

// HubRef reads a name that says that the Hugging Face Hub has the model, as timm
// does: "hf-hub:OWNER/NAME" or "hf-hub:OWNER/NAME@REVISION". ok is false of other
// names. The error is that of hub.ParseRef.
func HubRef(name string) (ref hub.Ref, ok bool, err error) {
	for _, prefix := range []string{"hf-hub:", "hf_hub:"} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			ref, err = hub.ParseRef(rest)
			return ref, true, err
		}
	}
	return ref, false, nil
}

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
//   - the cache that Pull and Python's huggingface_hub fill (hub.CacheDir), at
//     the revision "main".
//
// A name with "@REVISION" behind it, or with "hf-hub:" in front (HubRef), is
// looked for in the last of these alone.
//
// The path is one for Open, empty when there is no such file. tried
// lists the places that were looked at up to there, for an error message; it is
// empty when the name is no model name at all (a path, say).
func Find(name string) (path string, tried []string) {
	ref, explicit, err := HubRef(name)
	if err != nil {
		return "", nil
	}
	if explicit {
		return findCached(ref)
	}
	name, revision, hasRevision := strings.Cut(name, "@")
	m := modelName.FindStringSubmatch(name)
	if m == nil {
		return "", nil
	}
	org, names := m[1], []string{m[2]}
	if org == "" {
		org = "timm"
	}
	if hasRevision {
		if _, err := hub.ParseRef(org + "/" + m[2] + "@" + revision); err != nil {
			return "", nil
		}
	}
	if tag := defaultTag(m[2]); tag != "" {
		names = append(names, m[2]+"."+tag)
	}
	if !hasRevision {
		if path, tried = findNamed(names); path != "" {
			return path, tried
		}
	}
	for _, name := range names {
		path, where := findCached(hub.Ref{Repo: org + "/" + name, Revision: revision})
		tried = append(tried, where...)
		if path != "" {
			return path, tried
		}
	}
	return "", tried
}

// findNamed looks in the directories that hold models by name.
func findNamed(names []string) (path string, tried []string) {
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
	return "", tried
}

// findCached looks in the Hub's cache.
func findCached(ref hub.Ref) (path string, tried []string) {
	cache := hub.CacheDir()
	if cache == "" {
		return "", nil
	}
	if path, ok := CheckpointIn(hub.SnapshotDir(cache, ref)); ok && hasShards(path) {
		return path, []string{hub.RepoDir(cache, ref.Repo)}
	}
	return "", []string{hub.RepoDir(cache, ref.Repo)}
}

// hasShards is false of an index some of whose shards are not there, as when a
// download was interrupted.
func hasShards(checkpoint string) bool {
	if !strings.HasSuffix(checkpoint, ".index.json") {
		return true
	}
	weightMap, err := readIndex(checkpoint)
	if err != nil {
		return true // opening it says what is wrong
	}
	for _, shard := range shardsOf(weightMap) {
		if !isFile(filepath.Join(filepath.Dir(checkpoint), filepath.FromSlash(shard))) {
			return false
		}
	}
	return true
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
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	var files []string
	for _, e := range entries {
		if isFile(filepath.Join(dir, e.Name())) {
			files = append(files, e.Name())
		}
	}
	name, ok := chooseCheckpoint(files)
	return filepath.Join(dir, name), ok
}

// chooseCheckpoint returns the checkpoint among the files of a directory.
func chooseCheckpoint(files []string) (name string, ok bool) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if slices.Contains(files, name) {
			return name, true
		}
	}
	for _, file := range files {
		if TrimExtension(file) == file || strings.HasSuffix(file, ".index.json") {
			continue
		}
		if name != "" {
			return "", false // which one is meant cannot be told
		}
		name = file
	}
	return name, name != ""
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

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}
