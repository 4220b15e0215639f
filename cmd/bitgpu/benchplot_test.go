package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/draw"
)

func TestStages(t *testing.T) {
	for name, want := range map[string]string{
		"input": "stem", "stem.conv": "stem", "stem.pool": "stem", "stages.0.blocks.2.conv1": "stage 1", "stages.3.blocks.0.norm1.stats": "stage 4",
		"stages.4.blocks.0.conv1": "later stages", "stages.11.blocks.0.conv1": "later stages", "norm.stats": "head", "pool": "head", "head.fc": "head",
	} {
		if got := stages[step{Name: name}.stage()]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestPlotNames are of what is not the same in all rows.
func TestPlotNames(t *testing.T) {
	p := benchPlot{rows: []*row{{Model: "m/a.tag", Precision: "fp16", Size: 64, Batch: 1}, {Model: "m/a.tag", Precision: "fp32", Size: 64, Batch: 1}}}
	if got, want := p.setups(), []string{"fp16", "fp32"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.rows = append(p.rows, &row{Model: "b", Precision: "fp16", Size: 64, Batch: 8})
	if got, want := p.names(batchOf, modelOf, precisionOf, sizeOf, batchOf), []string{"a, fp16, batch 1", "a, fp32, batch 1", "b, fp16, batch 8"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.rows = p.rows[:1]
	if got, want := p.setups(), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMilliseconds(t *testing.T) {
	for ms, want := range map[float64]string{0.01234: "0.0123 ms", 999.4: "999 ms", 999.6: "1 s", 6036: "6.04 s"} {
		if got := milliseconds(ms); got != want {
			t.Errorf("%v: %s, want %s", ms, got, want)
		}
	}
}

// TestBenchPlot draws a measurement, and leaves the profile out of the rows unless it is asked for.
func TestBenchPlot(t *testing.T) {
	dir := t.TempDir()
	drawn, rows := filepath.Join(dir, "b.svg"), filepath.Join(dir, "b.json")
	out := bitgpuRun(t, exitOK, "bench", "--model", "demo", "--batch", "1,3", "--runs", "1", "--plot", drawn, "--out", rows)
	if strings.Contains(out.stdout, "conv1") {
		t.Errorf("a profile is printed: %s", out.stdout)
	}
	text, err := os.ReadFile(drawn)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, string(text), "<svg", "Throughput", ">demo<", "images in a batch", "Time by stage", ">batch 3<", ">stage 4<", "Roofline", "fma_fp32", "GB/s, copy", "linear_f16", "sans-serif")
	text, err = os.ReadFile(rows)
	if err != nil || bytes.Contains(text, []byte(`"steps"`)) {
		t.Errorf("%v, %s", err, text)
	}
	onlyFiles(t, dir, "b.json", "b.svg")
	wants(t, bitgpuRun(t, exitUsage, "bench", "--model", "demo", "--plot", "x.gif").stderr, "neither a .svg nor a .png")
	wants(t, bitgpuRun(t, exitFailed, "bench", "--model", "demo", "--plot", filepath.Join(dir, "none", "x.png")).stderr, "--plot")
}

// TestCharts draws what is extreme: single points, one row, values that are all the same, no peaks.
func TestCharts(t *testing.T) {
	for name, p := range map[string]benchPlot{
		"no profile": {rows: []*row{{Model: "a", Batch: 1, ImagesPerSec: 3}}},
		"no peaks":   {rows: []*row{{Model: "a", Batch: 1, ImagesPerSec: 3, Steps: []step{{Name: "stem.conv", Kernel: "k", Ms: 1, Share: 1, FLOPs: 5, Read: 1, GFLOPs: 1}}}}},
		"many":       {rows: slices.Repeat([]*row{{Model: "a", Batch: 1e6, ImagesPerSec: 1e9, MsPerImage: 1e-6}}, 30)},
	} {
		charts, err := p.charts()
		if err != nil {
			t.Fatal(name, err)
		}
		var b bytes.Buffer
		if err := draw.Write(&b, false, charts); err != nil {
			t.Fatal(name, err)
		}
		if _, err := png.Decode(&b); err != nil {
			t.Error(name, err)
		}
	}
}
