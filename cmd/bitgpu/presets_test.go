package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeConfig writes a config file where the command looks for one, and returns the variable that makes it look there.
func writeConfig(t *testing.T, text string) (file, variable string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "bitgpu", "config.yaml")
	if err := os.Mkdir(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file, "XDG_CONFIG_HOME=" + dir
}

// shownValue is what bitgpu config says of a flag.
func shownValue(t *testing.T, command, flag string, args []string, env ...string) flagValue {
	t.Helper()
	r := run{args: append(append([]string{"config", "--json"}, args...), strings.Fields(command)...), env: env}
	out := r.do(t)
	out.exited(t, exitOK, r.args)
	for line := range strings.Lines(out.stdout) {
		var v flagValue
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v.Command == command && v.Flag == flag {
			return v
		}
	}
	t.Fatalf("no --%s of %s in\n%s", flag, command, out.stdout)
	return flagValue{}
}

// TestPresets goes through the places that a flag's value may come from, the last of which counts first.
func TestPresets(t *testing.T) {
	file, place := writeConfig(t, "topk: 1\nrun:\n  topk: 2\n\nbench:\n  batch: [1, 8]\n  compare:\n    json: true\ndevice: [0, cpu]\n")
	other := filepath.Join(t.TempDir(), "other.yml")
	if err := os.WriteFile(other, []byte("# mine\ntopk: 7\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		command, flag string
		args, env     []string
		value, source string
	}{
		{"run", "topk", nil, nil, "5", builtIn},
		{"run", "topk", nil, []string{place}, "2", file + ":3"},
		{"run", "topk", []string{"--config", "none"}, []string{place}, "5", builtIn},
		{"run", "topk", []string{"--config", other}, []string{place}, "7", other + ":2"},
		{"run", "topk", nil, []string{place, "BITGPU_CONFIG=" + other}, "7", other + ":2"},
		{"run", "topk", []string{"--config", "none"}, []string{place, "BITGPU_CONFIG=" + other}, "5", builtIn},
		{"run", "topk", nil, []string{place, "BITGPU_TOPK=3"}, "3", "BITGPU_TOPK"},
		{"run", "topk", nil, []string{place, "BITGPU_TOPK=3", "BITGPU_RUN_TOPK=4"}, "4", "BITGPU_RUN_TOPK"},
		{"run", "topk", nil, []string{place, "BITGPU_TOPK="}, "2", file + ":3"},
		{"run", "device", nil, []string{place}, "0,cpu", file + ":9"},
		{"bench", "batch", nil, []string{place}, "[1,8]", file + ":6"},
		{"bench", "batch", nil, []string{place, "BITGPU_BENCH_BATCH=2,4"}, "[2,4]", "BITGPU_BENCH_BATCH"},
		{"bench compare", "json", nil, []string{place}, "true", file + ":8"},
		{"preprocess", "crop-pct", nil, []string{"BITGPU_CROP_PCT=0.9"}, "0.9", "BITGPU_CROP_PCT"},
		{"run", "quiet", nil, []string{"BITGPU_QUIET=1"}, "true", "BITGPU_QUIET"},
	} {
		v := shownValue(t, test.command, test.flag, test.args, test.env...)
		if v.Value != test.value || v.Source != test.source {
			t.Errorf("%s --%s with %v %v: %+v, want %s from %s", test.command, test.flag, test.args, test.env, v, test.value, test.source)
		}
	}
}

// TestPresetsAreUsed by the commands themselves; the command line goes before all.
func TestPresetsAreUsed(t *testing.T) {
	_, place := writeConfig(t, "model: demo\nrun:\n  format: csv\n  topk: 1\nverbose: true\n")
	for _, test := range []struct {
		args   []string
		lines  int
		stderr bool
	}{
		{[]string{"run", cat}, 2, true}, // with the header
		{[]string{"run", "--topk", "3", cat}, 4, true},
		{[]string{"run", "--format", "json", "--quiet", cat}, 1, false}, // hides verbose, which excludes it
	} {
		out := run{args: test.args, env: []string{place}}.do(t)
		out.exited(t, exitOK, test.args)
		if n := strings.Count(out.stdout, "\n"); n != test.lines || (out.stderr != "") != test.stderr {
			t.Errorf("%v: %d lines, want %d:\n%s%s", test.args, n, test.lines, out.stdout, out.stderr)
		}
	}
}

// TestBadPresets names the key and the line, or the variable.
func TestBadPresets(t *testing.T) {
	for _, test := range []struct {
		config string
		env    []string
		want   string
	}{
		{"topkk: 3\n", nil, "config.yaml:1: no command has a flag --topkk; did you mean topk?"},
		{"model: demo\nrun:\n\n  budget: 3\n", nil, "config.yaml:4: bitgpu run has no flag --budget"},
		{"rum:\n  topk: 3\n", nil, `config.yaml:1: bitgpu has no command "rum"; did you mean run?`},
		{"run:\n  topk: many\n", nil, `config.yaml:2: "many" for --topk`},
		{"run:\n  topk: 0\n", nil, "--topk: 0, want at least 1 (from "},
		{"topk:\n", nil, "config.yaml:1: topk has no value"},
		{"topk: 1\ntopk: 2\n", nil, "config.yaml:2: topk is there twice"},
		{"- topk\n", nil, "config.yaml:1: want lines like"},
		{"topk: [1, [2]]\n", nil, "config.yaml:1: topk: want a value or a list of values"},
		{"topk: 1\n\tbatch: 2\n", nil, "config.yaml: line 2"},
		{"config: x\n", nil, "no command has a flag --config"},
		{"", []string{"BITGPU_TOPK=many"}, `BITGPU_TOPK: "many" for --topk`},
		{"", []string{"BITGPU_RUN_FORMAT=xml"}, `BITGPU_RUN_FORMAT: "xml" for --format`},
		{"", []string{"BITGPU_RUN_TOPK=0"}, `(from BITGPU_RUN_TOPK)`},
		{"", []string{"BITGPU_COLOR=blue"}, `--color: "blue" is none of auto, always and never (from BITGPU_COLOR)`},
		{"", []string{"BITGPU_CONFIG=/nonexistent"}, "--config: /nonexistent: no such file"},
	} {
		_, place := writeConfig(t, test.config)
		out := run{args: []string{"run", "--model", "demo", cat}, env: append(test.env, place)}.do(t)
		out.exited(t, exitUsage, nil)
		wants(t, out.stderr, test.want)
		if out.stdout != "" || strings.Count(out.stderr, "\n") != 2 {
			t.Errorf("%q %v printed\n%s%s", test.config, test.env, out.stdout, out.stderr)
		}
	}
	_, place := writeConfig(t, "topkk: 3\n")
	out := run{args: []string{"completion", "bash"}, env: []string{place}}.do(t) // what shells read at their start
	out.exited(t, exitOK, nil)
}

func TestConfigTable(t *testing.T) {
	file, place := writeConfig(t, "run:\n  topk: 2\n")
	out := run{args: []string{"config", "run"}, env: []string{place}}.do(t)
	out.exited(t, exitOK, nil)
	wants(t, out.stdout, "config file: "+file, "bitgpu run\n", "--topk", file+":2", "--device", builtIn)
	if strings.Contains(out.stdout, "bench") || strings.Contains(out.stdout, "validate") {
		t.Error(out.stdout)
	}
	wants(t, bitgpuRun(t, exitOK, "config", "run").stdout, "config file: none; it could be ")
}
