package main

// This file owns the rows of bitgpu bench: what is measured of one batch, and its JSON.

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/peak"
)

// row is what was measured of one model at one size of pictures and batch.
type row struct {
	Model         string      `json:"model"`
	Weights       string      `json:"weights,omitempty"`
	Size          int         `json:"size"`
	Batch         int         `json:"batch"`
	Precision     string      `json:"precision"`
	Device        string      `json:"device"`
	Driver        string      `json:"driver"`
	Runs          int         `json:"runs"`
	MsPerImage    float64     `json:"ms_per_image"`
	MinMsPerImage float64     `json:"min_ms_per_image"`
	MaxMsPerImage float64     `json:"max_ms_per_image"`
	LatencyMs     float64     `json:"latency_ms"`     // of the batch, median
	LatencyP95Ms  float64     `json:"latency_p95_ms"` // by nearest rank
	ImagesPerSec  float64     `json:"images_per_second"`
	GFLOPs        float64     `json:"gflops"` // GFLOP/s
	GFLOPPerImage float64     `json:"gflop_per_image"`
	PeakShare     float64     `json:"peak_share,omitempty"` // of the best of Peaks in FLOP/s, 0 to 1
	Peaks         []peak.Peak `json:"peaks,omitempty"`
	CPUPerImage   float64     `json:"cpu_seconds_per_image"`
	LoadSeconds   float64     `json:"load_seconds"`
	DeviceBytes   int64       `json:"device_bytes"`
	PeakRSS       int64       `json:"peak_rss_bytes"`
	GoMaxProcs    int         `json:"gomaxprocs"`
	Steps         []step      `json:"steps,omitempty"`
	Kinds         []kind      `json:"kinds,omitempty"`
	profiled      bool
}

// rowError is the row of what could not be run. Zeros stand for auto.
type rowError struct {
	Model     string `json:"model"`
	Precision string `json:"precision"`
	Size      int    `json:"size"`
	Batch     int    `json:"batch"`
	Error     string `json:"error"`
}

// load is what it took to open a model.
type load struct {
	time time.Duration
	rss  int64 // largest resident size meanwhile
}

// measure runs batches of one shape on one of the model's devices.
func (o *benchOptions) measure(ctx context.Context, m *bitgpu.Model, device int, s shape) (*row, error) {
	opts := bitgpu.MeasureOptions{Device: device, Batch: s.batch, Size: s.size}
	for range o.warmup {
		if _, err := m.Measure(ctx, opts); err != nil {
			return nil, err
		}
	}
	before := cpuTime()
	var times []time.Duration
	var last *bitgpu.Measurement
	for range o.runs {
		var err error
		if last, err = m.Measure(ctx, opts); err != nil {
			return nil, err
		}
		times = append(times, last.Time)
	}
	cpu := cpuTime() - before
	r := newRow(m.Info(), device, last, times)
	r.CPUPerImage = cpu.Seconds() / float64(o.runs*last.Batch)
	r.PeakRSS = peakRSS()
	if o.profile || o.plot != "" {
		opts.Profile = true
		for range 2 { // the first run records commands of its own
			var err error
			if last, err = m.Measure(ctx, opts); err != nil {
				return nil, err
			}
		}
		r.Steps, r.Kinds, r.profiled = newSteps(last.Steps), newKinds(last.Kinds), true
	}
	return r, nil
}

// newRow makes a row of the times of single batches.
func newRow(info bitgpu.Info, device int, m *bitgpu.Measurement, times []time.Duration) *row {
	slices.Sort(times)
	images, on := float64(m.Batch), info.Devices[device]
	median := (times[(len(times)-1)/2] + times[len(times)/2]) / 2
	p95 := times[(len(times)*95+99)/100-1]
	ms := func(t time.Duration) float64 { return t.Seconds() * 1000 }
	return &row{
		Model: info.Name, Size: m.Size, Batch: m.Batch, Precision: info.Precision.String(),
		Device: on.Name, Driver: driver(on), Runs: len(times),
		MsPerImage: ms(median) / images, MinMsPerImage: ms(times[0]) / images, MaxMsPerImage: ms(times[len(times)-1]) / images,
		LatencyMs: ms(median), LatencyP95Ms: ms(p95), ImagesPerSec: images / median.Seconds(),
		GFLOPs: float64(m.FLOPs) / median.Seconds() / 1e9, GFLOPPerImage: float64(m.FLOPs) / images / 1e9,
		DeviceBytes: m.DeviceBytes, GoMaxProcs: runtime.GOMAXPROCS(0),
	}
}

// compareWith adds the shares of the device's peaks.
func (r *row) compareWith(peaks []peak.Peak) {
	r.Peaks = peaks
	r.PeakShare = r.ofPeak(r.GFLOPs)
	for i := range r.Steps {
		r.Steps[i].PeakShare = r.ofPeak(r.Steps[i].GFLOPs)
	}
	for i := range r.Kinds {
		r.Kinds[i].PeakShare = r.ofPeak(r.Kinds[i].GFLOPs)
	}
}

// ofPeak is the share that a rate in GFLOP/s has in the device's peak, 0 if that is not known.
func (r *row) ofPeak(gflops float64) float64 {
	best := peak.Best(r.Peaks, peak.FLOPs)
	if best == 0 {
		return 0
	}
	return gflops * 1e9 / best
}

// count adds what the model's loading took.
func (r *row) count(l load) {
	r.LoadSeconds = l.time.Seconds()
	r.PeakRSS = max(r.PeakRSS, l.rss)
}

// step is one step of a profile.
type step struct {
	Name      string  `json:"name"`
	Kind      string  `json:"kind"`
	Kernel    string  `json:"kernel"`
	Ms        float64 `json:"ms"`     // of the whole batch
	Share     float64 `json:"share"`  // of the time of all steps, 0 to 1
	FLOPs     int64   `json:"flops"`  // that the kernel does
	GFLOPs    float64 `json:"gflops"` // GFLOP/s
	PeakShare float64 `json:"peak_share,omitempty"`
	Read      int64   `json:"read_bytes"`
	Written   int64   `json:"written_bytes"`
	GBs       float64 `json:"gb_per_second"`
}

// kind is the steps of one kind, or the last of them of all.
type kind struct {
	Kind      string  `json:"kind"`
	Ms        float64 `json:"ms"`
	Share     float64 `json:"share"`
	FLOPs     int64   `json:"flops"` // that the network needs
	GFLOPs    float64 `json:"gflops"`
	PeakShare float64 `json:"peak_share,omitempty"`
}

// rate is billions of something a second.
func rate(n int64, t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	return float64(n) / t.Seconds() / 1e9
}

// newSteps adds shares to the costs of the steps.
func newSteps(costs []bitgpu.StepCost) []step {
	var total time.Duration
	for _, c := range costs {
		total += c.Time
	}
	var steps []step
	for _, c := range costs {
		steps = append(steps, step{
			Name: c.Name, Kind: c.Kind.String(), Kernel: c.Kernel, Ms: c.Time.Seconds() * 1000,
			Share: float64(c.Time) / float64(max(total, 1)), FLOPs: c.FLOPs, GFLOPs: rate(c.FLOPs, c.Time),
			Read: c.Read, Written: c.Written, GBs: rate(c.Read+c.Written, c.Time),
		})
	}
	return steps
}

// newKinds adds the sum to the costs of the kinds.
func newKinds(costs []bitgpu.KindCost) []kind {
	if len(costs) == 0 {
		return nil
	}
	var total bitgpu.KindCost
	for _, c := range costs {
		total.Time += c.Time
		total.FLOPs += c.FLOPs
	}
	kindOf := func(name string, c bitgpu.KindCost) kind {
		return kind{name, c.Time.Seconds() * 1000, float64(c.Time) / float64(max(total.Time, 1)), c.FLOPs, rate(c.FLOPs, c.Time), 0}
	}
	var kinds []kind
	for _, c := range costs {
		kinds = append(kinds, kindOf(c.Kind.String(), c))
	}
	return append(kinds, kindOf("all", total))
}

// resetPeakRSS has peakRSS begin anew where the system can: on Linux. Elsewhere it stays the largest size since
// the process began.
func resetPeakRSS() {
	f, err := os.OpenFile("/proc/self/clear_refs", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString("5") // proc(5): the peak resident size becomes the present one
}
