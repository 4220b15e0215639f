package main

// This file owns how bitgpu bench prints what it measured. Errors of the writer are its Flush's.

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/peak"
)

// benchHeader prints what is measured, and the head of the table.
func benchHeader(out io.Writer, info bitgpu.Info, device int, peaks []peak.Peak, l load) {
	on := info.Devices[device]
	fmt.Fprintf(out, "%s, %v, %.1f M parameters, loaded in %.2f s\n", printable(info.Name), info.Precision, float64(info.Parameters)/1e6, l.time.Seconds())
	fmt.Fprintf(out, "%s, %s\n", printable(on.Name), printable(driver(on)))
	if len(peaks) > 0 {
		var list []string
		for _, p := range peaks {
			list = append(list, fmt.Sprintf("%.1f G%s (%s)", p.Rate/1e9, p.Unit, p.Name))
		}
		fmt.Fprintf(out, "at most %s\n", strings.Join(list, ", "))
	}
	fmt.Fprintf(out, "%5s %6s %9s %9s %10s %10s %9s %6s %9s %9s %8s\n",
		"size", "batch", "images/s", "ms/image", "batch ms", "p95 ms", "GFLOP/s", "peak", "device", "peak RSS", "CPU s/im")
}

// printRow prints a row, and its profile if there is one.
func printRow(out io.Writer, r *row) {
	fmt.Fprintf(out, "%5d %6d %9.2f %9.3f %10.2f %10.2f %9.1f %6s %9s %9s %8.4f\n", r.Size, r.Batch, r.ImagesPerSec, r.MsPerImage,
		r.LatencyMs, r.LatencyP95Ms, r.GFLOPs, percent(r.PeakShare), short(r.DeviceBytes), short(r.PeakRSS), r.CPUPerImage)
	switch {
	case !r.profiled:
	case len(r.Steps) == 0:
		fmt.Fprintln(out, "no profile: the device cannot tell the time")
	default:
		printProfile(out, r)
	}
}

// printProfile prints the steps in their order, those of each kernel together, and of each kind.
func printProfile(out io.Writer, r *row) {
	line := func(name, kernel string, ms, share float64, flops, read, written int64, gflops, peakShare, gbs float64) {
		fmt.Fprintf(out, "  %-34s %-16s %9.3f %6s %9.1f %7s %7s %8.1f %6s %7.1f\n", name, kernel, ms, percent(share),
			float64(flops)/1e6, short(read), short(written), gflops, percent(peakShare), gbs)
	}
	fmt.Fprintf(out, "\n  %-34s %-16s %9s %6s %9s %7s %7s %8s %6s %7s\n", "step", "kernel", "ms", "time", "MFLOP", "read", "written", "GFLOP/s", "peak", "GB/s")
	for _, s := range slices.Concat(r.Steps, r.byKernel()) {
		line(s.Name, s.Kernel, s.Ms, s.Share, s.FLOPs, s.Read, s.Written, s.GFLOPs, s.PeakShare, s.GBs)
	}
	fmt.Fprintf(out, "\n  %-34s %9s %6s %9s %8s %6s\n", "operations that the network needs", "ms", "time", "MFLOP", "GFLOP/s", "peak")
	for _, k := range r.Kinds {
		fmt.Fprintf(out, "  %-34s %9.3f %6s %9.1f %8.1f %6s\n", k.Kind, k.Ms, percent(k.Share), float64(k.FLOPs)/1e6, k.GFLOPs, percent(k.PeakShare))
	}
	fmt.Fprintln(out)
}

// byKernel adds the steps of each kernel up, the most expensive first.
func (r *row) byKernel() []step {
	sums := map[string]step{}
	for _, s := range r.Steps {
		sum := sums[s.Kernel]
		sum.Ms += s.Ms
		sum.Share += s.Share
		sum.FLOPs += s.FLOPs
		sum.Read += s.Read
		sum.Written += s.Written
		sums[s.Kernel] = sum
	}
	for kernel, s := range sums {
		s.Name, s.Kernel = "all", kernel
		if s.Ms > 0 {
			s.GFLOPs = float64(s.FLOPs) / s.Ms / 1e6
			s.GBs = float64(s.Read+s.Written) / s.Ms / 1e6
		}
		s.PeakShare = r.ofPeak(s.GFLOPs)
		sums[kernel] = s
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b step) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Kernel, b.Kernel))
	})
}

// percent prints a share, nothing if it is unknown.
func percent(share float64) string {
	if share == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

// short prints a number of bytes in three digits: 1023 is 1 KiB, written 0.999K.
func short(n int64) string {
	const units = " KMGT"
	v, i := float64(n), 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.3g%c", v, units[i])
}
