package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
)

func TestTune(t *testing.T) {
	own := []string{"XDG_CACHE_HOME=" + t.TempDir(), "LocalAppData=" + t.TempDir()}
	out := run{args: []string{"tune", "demo", "--size", "32", "--budget", "1s"}, env: own}.do(t)
	out.exited(t, exitOK, nil)
	wants(t, out.stdout, "convolution ", "fastest", " of 256 px", "\nkept for ")
	_, file, _ := strings.Cut(out.stdout[strings.LastIndex(out.stdout, "kept for "):], " in ")
	if _, err := os.Stat(strings.TrimSpace(file)); err != nil {
		t.Error(err)
	}
	// The budget is over before the first.
	out = run{args: []string{"tune", "demo", "--size", "32", "--budget", "1ns", "--json"}, env: own}.do(t)
	out.exited(t, exitOK, nil)
	var found bitgpu.Tuned
	if err := json.Unmarshal([]byte(out.stdout), &found); err != nil || len(found.Convs) != 0 {
		t.Errorf("%v: %s", err, out.stdout)
	}
}

func TestTuneFails(t *testing.T) {
	for _, test := range []struct {
		args, want string
		code       int
	}{
		{"", "accepts 1 arg", exitUsage},
		{"demo --batch 0", "--batch: 0", exitUsage},
		{"demo --size 3", "--size: 3", exitUsage},
		{"demo --budget -1s", "--budget: -1s", exitUsage},
		{"demo --precision fp64", "--precision", exitUsage},
		{"no-such-model", "model not found", exitOpen},
		{"demo --device nonesuch", "no such Vulkan device", exitOpen},
	} {
		out := bitgpuRun(t, test.code, append([]string{"tune"}, strings.Fields(test.args)...)...)
		wants(t, out.stderr, test.want)
	}
}
