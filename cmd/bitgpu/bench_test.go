package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/peak"
	"github.com/bitgpu/bitgpu/net"
)

// benchRows decodes the rows of a run.
func benchRows(t *testing.T, text string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	for line := range strings.Lines(text) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		rows = append(rows, r)
	}
	return rows
}

// TestBenchJSON wants an object for each combination with all numbers in it, and one with an error for a
// batch that no device can run.
func TestBenchJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.json")
	out := bitgpuRun(t, exitFailed, demoArgs("bench", "--json", "--batch", "auto,1000000,2", "--size", "48,auto", "--runs", "2", "--profile", "--out", file)...)
	wants(t, out.stderr, "2 of 6 rows failed")
	if text, err := os.ReadFile(file); err != nil || string(text) != out.stdout {
		t.Errorf("--out: %v, %s", err, text)
	}
	rows := benchRows(t, out.stdout)
	if len(rows) != 6 {
		t.Fatal(out.stdout)
	}
	for i, r := range rows {
		size := map[bool]float64{true: 48, false: 64}[i < 3]
		if i%3 == 1 {
			if text, _ := r["error"].(string); r["model"] != "demo" || r["precision"] != "fp32" || r["batch"] != 1e6 || !strings.Contains(text, "too large") {
				t.Errorf("%v", r)
			}
			continue
		}
		for _, key := range []string{"batch", "ms_per_image", "latency_ms", "latency_p95_ms", "images_per_second", "gflops", "gflop_per_image",
			"peak_share", "device_bytes", "peak_rss_bytes", "load_seconds"} {
			if v, ok := r[key].(float64); !ok || !(v > 0) {
				t.Errorf("%s is %v", key, r[key])
			}
		}
		if i%3 == 2 && r["batch"] != 2.0 || r["model"] != "demo" || r["size"] != size || r["precision"] != "fp32" ||
			r["device"] == "" || r["driver"] == "" || r["runs"] != 2.0 || r["cpu_seconds_per_image"] == nil || len(r["peaks"].([]any)) < 2 {
			t.Error(r)
		}
		for _, list := range []string{"steps", "kinds"} {
			share := 0.0
			for _, s := range r[list].([]any) {
				s := s.(map[string]any)
				share += s["share"].(float64)
				if s["name"] == "" || s["kind"] == "" || s["kernel"] == "" {
					t.Error(s)
				}
			}
			if want := map[string]float64{"steps": 1, "kinds": 2}[list]; math.Abs(share-want) > 1e-6 {
				t.Errorf("the shares of the %s make %g", list, share)
			}
		}
	}
}

func TestBenchTable(t *testing.T) {
	out := bitgpuRun(t, exitOK, demoArgs("bench", "--batch", "1", "--runs", "1", "--warmup", "0", "--profile")...)
	wants(t, out.stdout, "demo, fp32, 2.0 M parameters", "at most ", "GFLOP/s (fma_fp32)", "GB/s (copy)", "ms/image", "p95 ms", "peak",
		"stages.3.blocks.0.conv3", "head.fc", "  all  ", "  convolution  ", "  statistics  ", "  other  ")
	if out.stderr != "" {
		t.Error(out.stderr)
	}
}

// TestBenchMatrix measures two models, of which one cannot be opened, in two precisions.
func TestBenchMatrix(t *testing.T) {
	args := []string{"bench", "--json", "--peak=false", "--runs", "1", "--warmup", "0", "--batch", "1", "--precision", "fp32,fp16",
		"--model", "no-such-model,demo", "--weights", "random:golden", "--validate"}
	out := bitgpuRun(t, exitFailed, args...)
	var got []string
	for _, r := range benchRows(t, out.stdout) {
		_, failed := r["error"]
		got = append(got, fmt.Sprint(r["model"], " ", r["precision"], " ", failed, " ", r["peaks"]))
	}
	want := []string{"no-such-model fp32 true <nil>", "no-such-model fp16 true <nil>", "demo fp32 false <nil>", "demo fp16 false <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	wants(t, out.stderr, "2 of 4 rows failed")
}

func TestBenchRow(t *testing.T) {
	ms := time.Millisecond
	m := &bitgpu.Measurement{Batch: 4, Size: 64, FLOPs: 8e9, DeviceBytes: 77}
	info := bitgpu.Info{Name: "x", Devices: make([]gpu.Info, 1)}
	r := newRow(info, 0, m, []time.Duration{400 * ms, 100 * ms, 300 * ms, 100 * ms})
	if r.MsPerImage != 50 || r.MinMsPerImage != 25 || r.MaxMsPerImage != 100 || r.ImagesPerSec != 20 || r.GFLOPs != 40 || r.GFLOPPerImage != 2 ||
		r.LatencyMs != 200 || r.LatencyP95Ms != 400 || r.DeviceBytes != 77 {
		t.Errorf("%+v", r)
	}
	r.compareWith([]peak.Peak{{Name: "a", Unit: peak.FLOPs, Rate: 8e10}, {Name: "b", Unit: peak.Bytes, Rate: 1e12}})
	if r.PeakShare != 0.5 {
		t.Errorf("a share of %g", r.PeakShare)
	}
}

// TestBenchP95 is by nearest rank: the least time that 95 % of the runs do not exceed.
func TestBenchP95(t *testing.T) {
	info := bitgpu.Info{Devices: make([]gpu.Info, 1)}
	for runs, want := range map[int]float64{1: 1, 5: 5, 19: 19, 20: 19, 21: 20, 40: 38, 100: 95} {
		var times []time.Duration
		for i := range runs {
			times = append(times, time.Duration(runs-i)*time.Millisecond)
		}
		if got := newRow(info, 0, &bitgpu.Measurement{Batch: 1}, times).LatencyP95Ms; got != want {
			t.Errorf("%d runs: %g, want %g", runs, got, want)
		}
	}
}

func TestBenchSteps(t *testing.T) {
	ms := time.Millisecond
	r := &row{Steps: newSteps([]bitgpu.StepCost{
		{Name: "a", Kernel: "conv", Kind: net.Convolution, Time: 3 * ms, FLOPs: 6e6, Read: 2e6, Written: 1e6},
		{Name: "b", Kernel: "pool", Time: 4 * ms}, {Name: "c", Kernel: "conv", Time: 1 * ms, FLOPs: 6e6, Read: 1e6},
		{Name: "d", Kernel: "idle"},
	}), Kinds: newKinds([]bitgpu.KindCost{{Kind: net.Convolution, Time: 4 * ms, FLOPs: 16e6}, {Kind: net.Other, Time: 4 * ms}})}
	r.compareWith([]peak.Peak{{Unit: peak.FLOPs, Rate: 8e9}})
	if s := r.Steps; s[0].Share != 0.375 || s[0].GFLOPs != 2 || s[0].PeakShare != 0.25 || s[0].GBs != 1 || s[0].Kind != "convolution" ||
		s[2].GFLOPs != 6 || s[3].GFLOPs != 0 {
		t.Errorf("%+v", s)
	}
	sums := r.byKernel()
	conv := step{Name: "all", Kernel: "conv", Ms: 4, Share: 0.5, FLOPs: 12e6, GFLOPs: 3, PeakShare: 0.375, Read: 3e6, Written: 1e6, GBs: 1}
	if len(sums) != 3 || sums[0] != conv || sums[1].Kernel != "pool" || sums[2].Kernel != "idle" {
		t.Errorf("%+v", sums)
	}
	want := []kind{{"convolution", 4, 0.5, 16e6, 4, 0.5}, {"other", 4, 0.5, 0, 0, 0}, {"all", 8, 1, 16e6, 2, 0.25}}
	if !slices.Equal(r.Kinds, want) {
		t.Errorf("%+v, want %+v", r.Kinds, want)
	}
}

func TestShort(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "0.977K", 1 << 20: "1M", 945 << 20: "945M", 1 << 40: "1T", 1 << 60: "1.05e+06T"} {
		if got := short(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestProcess(t *testing.T) {
	for range 1 << 20 {
		_ = math.Sqrt(2)
	}
	if rss := peakRSS(); rss < 1<<20 || rss > 1<<40 {
		t.Errorf("peak RSS %d", rss)
	}
	if cpu := cpuTime(); cpu <= 0 || cpu > time.Hour {
		t.Errorf("CPU time %v", cpu)
	}
}
