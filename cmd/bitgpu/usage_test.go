package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestUsageErrors wants one line that says what is wrong, and one that says where help is.
func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ args, want, help string }{
		{"walk", `unknown command "walk"`, "bitgpu"},
		{"--format json", "unknown flag: --format", "bitgpu"},
		{"run --speed 3 a.png", "unknown flag: --speed", "bitgpu run"},
		{"run", "no PATH", "bitgpu run"},
		{"run --topk 0 a.png", "--topk", "bitgpu run"},
		{"run --topk many a.png", "--topk", "bitgpu run"},
		{"run --format xml a.png", `"xml" is none of auto, table, json, csv, npy, npz, safetensors`, "bitgpu run"},
		{"run --batch 0 a.png", "auto or a number", "bitgpu run"},
		{"run --precision fp8 a.png", `"fp8" is none of auto, fp32 and fp16`, "bitgpu run"},
		{"run --weights mine a.png", "random:golden", "bitgpu run"},
		{"embed --out DIR/x.npy", "no PATH", "bitgpu embed"},
		{"run --format npz a.png", "--format npz needs --out FILE.npz", "bitgpu run"},
		{"run --format npy --out - a.png", "--format npy needs --out FILE.npy", "bitgpu run"},
		{"run --logits DIR/x.csv a.png", "cannot be csv here, but npy, npz, safetensors", "bitgpu run"},
		{"embed --out DIR/x.txt a.png", "cannot be table here, but json, csv, npy, npz, safetensors", "bitgpu embed"},
		{"embed --format table a.png", `"table" is none of auto, json, csv, npy, npz, safetensors`, "bitgpu embed"},
		{"embed --unpooled a.png", "--unpooled needs --out FILE.npy", "bitgpu embed"},
		{"embed --unpooled --out DIR/x.jsonl a.png", "--unpooled needs --out FILE.npy", "bitgpu embed"},
		{"features a.png", "--out DIR is missing", "bitgpu features"},
		{"features --out DIR/maps.npy a.png", "maps are one .npy file each, in a directory", "bitgpu features"},
		{"features --out DIR/maps.csv a.png", "cannot be csv here", "bitgpu features"},
		{"features --out DIR --indices x a.png", "--indices", "bitgpu features"},
		{"features --out DIR --model demo --indices 5 a.png", "feature map 5, this network has 0 to 4", "bitgpu features"},
		{"preprocess a.png", "--out FILE.npy is missing", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --size 0 a.png", "--size", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --size 99999 a.png", "size 99999", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --crop-pct 1.5 a.png", "--crop-pct", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --crop-pct NaN a.png", "--crop-pct", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --interpolation cubic a.png", `"cubic" is none of bilinear, bicubic`, "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --mean 0.5,0.5 a.png", "one number, or three", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --std 0.5,0,1 a.png", "--std: 0.5,0,1, want more than 0", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --max-pixels 0 a.png", "--max-pixels", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --max-bytes 0 a.png", "--max-bytes", "bitgpu preprocess"},
		{"preprocess --out DIR/x.npy --url-timeout 0s a.png", "--url-timeout", "bitgpu preprocess"},
		{"run --model demo --size 31 a.png", "--size: 31, want at least 32", "bitgpu run"},
		{"run --model demo --tensor --mean 0 a.npy", "--mean is about pictures and does not go with --tensor", "bitgpu run"},
		{"run --model demo --tensor -i - a.npy", "--input is about pictures", "bitgpu run"},
		{"run --model demo -i - -", "read only once", "bitgpu run"},
		{"run --model demo --tta rotate a.png", "want none or flip", "bitgpu run"},
		{"embed --model demo --tta flip --unpooled --out DIR/x.npy a.png", "--tta averages embeddings", "bitgpu embed"},
		{"preprocess --out DIR/x.npy --preprocess tpu a.png", "want cpu or gpu", "bitgpu preprocess"},
		{"run --preprocess tpu a.png", "want cpu or gpu", "bitgpu run"},
		{"index a.png", "-o FILE is missing", "bitgpu index"},
		{"index -o DIR/x", "no PATH", "bitgpu index"},
		{"index -o DIR/x --dtype f8 a.png", `"f8" is neither f32 nor f16`, "bitgpu index"},
		{"search", "at least 1 arg", "bitgpu search"},
		{"search x.idx", "no QUERY", "bitgpu search"},
		{"search -k 0 x.idx a.png", "--topk: 0", "bitgpu search"},
		{"search --html - x.idx a.png", "--html: want a file", "bitgpu search"},
		{"fit", "accepts 1 arg(s), received 0", "bitgpu fit"},
		{"fit DIR", "-o FILE.safetensors is missing", "bitgpu fit"},
		{"fit -o DIR/x --l2 0 DIR", "--l2: 0", "bitgpu fit"},
		{"fit -o DIR/x --holdout 1 DIR", "--holdout: 1", "bitgpu fit"},
		{"fit -o DIR/x --folds 1 DIR", "--folds: 1", "bitgpu fit"},
		{"fit -o DIR/x --shots -1 DIR", "--shots: -1", "bitgpu fit"},
		{"bench a.png", `unknown command "a.png"`, "bitgpu bench"},
		{"bench --batch 1,x", "--batch", "bitgpu bench"},
		{"bench --runs 0", "--runs", "bitgpu bench"},
		{"bench --warmup -1", "--warmup", "bitgpu bench"},
		{"bench --size -1", "--size", "bitgpu bench"},
		{"bench --size 0,48", "--size", "bitgpu bench"},
		{"bench --precision fp32,fp8", `"fp8" is none of auto, fp32 and fp16`, "bitgpu bench"},
		{"bench --weights mine --model resnetv2_50x1_bit", "random:golden", "bitgpu bench"},
		{"bench compare old.json", "accepts 2 arg(s), received 1", "bitgpu bench compare"},
		{"convert a", "accepts 2 arg(s), received 1", "bitgpu convert"},
		{"convert --dtype f8 a DIR/x", `"f8" is none of f32, f16 and bf16`, "bitgpu convert"},
		{"convert --weights mine a DIR/x", "random:golden", "bitgpu convert"},
		{"inspect", "accepts 1 arg(s), received 0", "bitgpu inspect"},
		{"inspect demo --size 31", "--size: 31, want at least 32", "bitgpu inspect"},
		{"plan", "accepts 1 arg(s), received 0", "bitgpu plan"},
		{"plan demo --batch 0", "--batch", "bitgpu plan"},
		{"plan demo --size 31", "--size: 31, want at least 32", "bitgpu plan"},
		{"plan demo --precision fp8", `"fp8" is none of auto, fp32 and fp16`, "bitgpu plan"},
		{"devices all", `unknown command "all"`, "bitgpu devices"},
	} {
		args := strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))
		out := run{args: args}.do(t)
		out.exited(t, exitUsage, args)
		wants(t, out.stderr, test.want)
		if hint := "Try '" + test.help + " --help'.\n"; !strings.HasPrefix(out.stderr, "bitgpu: ") || !strings.HasSuffix(out.stderr, hint) ||
			strings.Count(out.stderr, "\n") != 2 || out.stdout != "" {
			t.Errorf("bitgpu %s printed\n%s%s", test.args, out.stdout, out.stderr)
		}
	}
	onlyFiles(t, dir)
}

// TestBadTargets are results that cannot be written, found out before any work.
func TestBadTargets(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none", "x")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--out", none}, "no such file"},
		{[]string{"run", "--out", dir}, "is a directory"},
		{[]string{"run", "--logits", none + ".npy"}, "no such file"},
		{[]string{"embed", "--out", none + ".npy"}, "no such file"},
		{[]string{"embed", "--out", none + ".jsonl"}, "no such file"},
		{[]string{"features", "--out", cat}, "not a directory"},
		{[]string{"preprocess", "--out", dir}, "not a regular file"},
	} {
		out := bitgpuRun(t, exitFailed, append(test.args, "--model", "demo", cat)...)
		wants(t, out.stderr, "--", test.want)
	}
	onlyFiles(t, dir)
}

func TestHelpAndVersion(t *testing.T) {
	wants(t, bitgpuRun(t, exitOK, "--help").stdout, "run", "embed", "features", "preprocess", "bench", "plan", "devices", "Exit codes")
	wants(t, bitgpuRun(t, exitOK, "run", "--help").stdout, "--logits", "--tensor", "--topk")
	if v := bitgpuRun(t, exitOK, "--version").stdout; !strings.HasPrefix(v, "bitgpu ") || strings.Count(v, "\n") != 1 {
		t.Errorf("version %q", v)
	}
}

func TestVersion(t *testing.T) {
	text := bitgpuRun(t, exitOK, "version").stdout
	wants(t, text, "bitgpu ", "go1.", "loader", "Vulkan 1.", "device 0", "driver")
	var v versionInfo
	if err := json.Unmarshal([]byte(bitgpuRun(t, exitOK, "version", "--json").stdout), &v); err != nil {
		t.Fatal(err)
	}
	if v.Go == "" || v.OS == "" || v.Loader == "" || v.Vulkan == "" || len(v.Devices) == 0 || v.Devices[0].Driver == "" || v.Error != "" {
		t.Errorf("%+v", v)
	}
	none := run{args: []string{"version"}, env: []string{"BITGPU_VULKAN=/nonexistent/libvulkan.so"}}.do(t)
	none.exited(t, exitOK, nil)
	wants(t, none.stdout, "go1.", "/nonexistent/libvulkan.so")
}
