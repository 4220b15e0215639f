package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
)

// TestBenchJSON wants an object a row with all numbers in it, and one with an error for a batch that
// no device can run.
func TestBenchJSON(t *testing.T) {
	out := bitgpuRun(t, exitFailed, demoArgs("bench", "--json", "--batch", "auto,1000000,2", "--size", "48", "--runs", "2", "--profile")...)
	rows := strings.Split(strings.TrimSpace(out.stdout), "\n")
	if len(rows) != 3 {
		t.Fatal(out.stdout)
	}
	wants(t, rows[1], `{"model":"demo","batch":1000000,"error":"`, "too large")
	for i, batch := range map[int]float64{0: 0, 2: 2} {
		var r map[string]any
		if err := json.Unmarshal([]byte(rows[i]), &r); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"batch", "ms_per_image", "images_per_second", "gflops", "gflop_per_image", "peak_rss_bytes", "load_seconds"} {
			if v, ok := r[key].(float64); !ok || !(v > 0) {
				t.Errorf("%s is %v", key, r[key])
			}
		}
		if batch != 0 && r["batch"] != batch || r["model"] != "demo" || r["size"] != 48.0 || r["precision"] != "fp32" ||
			r["device"] == "" || r["driver"] == "" || r["runs"] != 2.0 || r["cpu_seconds_per_image"] == nil {
			t.Error(rows[i])
		}
		share := 0.0
		for _, s := range r["steps"].([]any) {
			s := s.(map[string]any)
			share += s["share"].(float64)
			if s["name"] == "" || s["kernel"] == "" {
				t.Error(s)
			}
		}
		if math.Abs(share-1) > 1e-6 {
			t.Errorf("the steps' shares make %g", share)
		}
	}
}

func TestBenchTable(t *testing.T) {
	out := bitgpuRun(t, exitOK, demoArgs("bench", "--batch", "1", "--runs", "1", "--warmup", "0", "--profile")...)
	wants(t, out.stdout, "demo, fp32, 2.0 M parameters", "ms/image", "GFLOP/s", "stages.3.blocks.0.conv3", "head.fc", "all  ")
	if out.stderr != "" {
		t.Error(out.stderr)
	}
}

func TestBenchRow(t *testing.T) {
	ms := time.Millisecond
	m := &bitgpu.Measurement{Batch: 4, Size: 64, FLOPs: 8e9}
	r := newRow(bitgpu.Info{Name: "x"}, m, []time.Duration{400 * ms, 100 * ms, 300 * ms, 100 * ms})
	if r.MsPerImage != 50 || r.MinMsPerImage != 25 || r.MaxMsPerImage != 100 || r.ImagesPerSec != 20 || r.GFLOPs != 40 || r.GFLOPPerImage != 2 {
		t.Errorf("%+v", r)
	}
}

func TestBenchSteps(t *testing.T) {
	ms := time.Millisecond
	steps := newSteps([]bitgpu.StepCost{
		{Name: "a", Kernel: "conv", Time: 3 * ms, FLOPs: 6e6}, {Name: "b", Kernel: "pool", Time: 4 * ms}, {Name: "c", Kernel: "conv", Time: 1 * ms, FLOPs: 6e6},
		{Name: "d", Kernel: "idle"},
	})
	if steps[0].Share != 0.375 || steps[0].GFLOPs != 2 || steps[2].GFLOPs != 6 || steps[3].GFLOPs != 0 {
		t.Errorf("%+v", steps)
	}
	sums := byKernel(steps)
	if len(sums) != 3 || sums[0] != (step{"all", "conv", 4, 3, 0.5}) || sums[1].Kernel != "pool" || sums[2].Kernel != "idle" {
		t.Errorf("%+v", sums)
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
