package main

// This file owns how bitgpu bench prints what it measured.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu"
)

// step is one step of a profile.
type step struct {
	Name   string  `json:"name"`
	Kernel string  `json:"kernel"`
	Ms     float64 `json:"ms"` // of the whole batch
	GFLOPs float64 `json:"gflops"`
	Share  float64 `json:"share"` // of the time of all steps, 0 to 1
}

// newSteps adds shares to the costs of the steps.
func newSteps(costs []bitgpu.StepCost) []step {
	var total time.Duration
	for _, c := range costs {
		total += c.Time
	}
	var steps []step
	for _, c := range costs {
		steps = append(steps, newStep(c, total))
	}
	return steps
}

func newStep(c bitgpu.StepCost, total time.Duration) step {
	s := step{Name: c.Name, Kernel: c.Kernel, Ms: c.Time.Seconds() * 1000}
	if c.Time > 0 {
		s.GFLOPs = float64(c.FLOPs) / c.Time.Seconds() / 1e9
	}
	if total > 0 {
		s.Share = float64(c.Time) / float64(total)
	}
	return s
}

// byKernel adds the steps of each kernel up, the most expensive first.
func byKernel(steps []step) []step {
	sums := map[string]step{}
	for _, s := range steps {
		sum := sums[s.Kernel]
		gflop := sum.GFLOPs*sum.Ms + s.GFLOPs*s.Ms
		sum = step{Name: "all", Kernel: s.Kernel, Ms: sum.Ms + s.Ms, Share: sum.Share + s.Share}
		if sum.Ms > 0 {
			sum.GFLOPs = gflop / sum.Ms
		}
		sums[s.Kernel] = sum
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b step) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Kernel, b.Kernel))
	})
}

// benchHeader prints what is measured, and the head of the table. Flush has the error.
func benchHeader(out *textFile, m *bitgpu.Model, loaded time.Duration) {
	info := m.Info()
	fmt.Fprintf(out, "%s, %v, %.1f M parameters, loaded in %.2f s\n", printable(info.Name), info.Precision, float64(info.Parameters)/1e6, loaded.Seconds())
	fmt.Fprintf(out, "%s, %s\n", printable(info.Device.Name), printable(driver(info.Device)))
	fmt.Fprintf(out, "%6s %6s %10s %10s %10s %12s %10s\n", "batch", "size", "ms/image", "images/s", "GFLOP/s", "CPU s/image", "peak RSS")
	_ = out.Flush()
}

// printRow prints a row, and its profile if there is one.
func printRow(out *textFile, asJSON bool, r *row) error {
	if asJSON {
		return jsonLine(out, r)
	}
	fmt.Fprintf(out, "%6d %6d %10.3f %10.2f %10.1f %12.4f %10s\n", r.Batch, r.Size, r.MsPerImage, r.ImagesPerSec, r.GFLOPs, r.CPUPerImage, size(r.PeakRSS))
	if r.stepsRequested {
		printProfile(out, r.Steps)
	}
	return out.Flush()
}

func printProfile(out *textFile, steps []step) {
	if len(steps) == 0 {
		fmt.Fprintln(out, "no profile: the device cannot tell the time")
		return
	}
	fmt.Fprintf(out, "\n  %-40s %-14s %10s %10s %8s\n", "step", "kernel", "ms", "GFLOP/s", "share")
	for _, s := range slices.Concat(steps, byKernel(steps)) {
		fmt.Fprintf(out, "  %-40s %-14s %10.3f %10.1f %7.2f%%\n", s.Name, s.Kernel, s.Ms, s.GFLOPs, 100*s.Share)
	}
	fmt.Fprintln(out)
}
