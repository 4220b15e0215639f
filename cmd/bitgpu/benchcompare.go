package main

// This file owns bitgpu bench compare.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const compareHelp = `Compare reads two files of rows that bitgpu bench wrote with --out or --json, and prints the ratios of
the new rows to the old ones: of images/s more is better, of times and memory less. Rows belong together
if their model, size, batch, precision and device are the same; of several in one file the last
one counts. With --json there is one object a row.

A row of OLD that NEW does not have, or that failed in either, is reported, and the exit code is 1.`

func (a *app) compareCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "compare OLD NEW",
		Short:   "Compare two measurements",
		Long:    compareHelp,
		Example: "  bitgpu bench compare old.json new.json",
		Args:    cobra.ExactArgs(2),
		RunE: command(func(_ *cobra.Command, files []string) error {
			return a.compare(files[0], files[1], asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a row")
	return cmd
}

// rowKey is what makes two rows comparable.
type rowKey struct {
	Model     string `json:"model"`
	Size      int    `json:"size"`
	Batch     int    `json:"batch"`
	Precision string `json:"precision"`
	Device    string `json:"device"`
}

func (k rowKey) String() string {
	return fmt.Sprintf("%s, size %d, batch %d, %s, on %s", k.Model, k.Size, k.Batch, k.Precision, k.Device)
}

// comparison is a row of bitgpu bench compare. Ratios are new to old; 0 if either is not known.
type comparison struct {
	rowKey
	Old         float64 `json:"old_images_per_second"`
	New         float64 `json:"new_images_per_second"`
	Rate        float64 `json:"images_per_second_ratio"`
	P95         float64 `json:"latency_p95_ratio"`
	PeakShare   float64 `json:"peak_share_ratio"` // of the shares that the rates had in their run's peak
	Load        float64 `json:"load_seconds_ratio"`
	DeviceBytes float64 `json:"device_bytes_ratio"`
	RSS         float64 `json:"peak_rss_ratio"`
	CPU         float64 `json:"cpu_seconds_ratio"`
}

func newComparison(k rowKey, was, is row) comparison {
	ratio := func(old, new float64) float64 {
		if old == 0 {
			return 0
		}
		return new / old
	}
	return comparison{
		k, was.ImagesPerSec, is.ImagesPerSec, ratio(was.ImagesPerSec, is.ImagesPerSec), ratio(was.LatencyP95Ms, is.LatencyP95Ms),
		ratio(was.PeakShare, is.PeakShare), ratio(was.LoadSeconds, is.LoadSeconds), ratio(float64(was.DeviceBytes), float64(is.DeviceBytes)),
		ratio(float64(was.PeakRSS), float64(is.PeakRSS)), ratio(was.CPUPerImage, is.CPUPerImage),
	}
}

// benchFile is a file of rows.
type benchFile struct {
	path  string
	order []rowKey
	rows  map[rowKey]row
}

// readBench reads the rows of a file, and says on stderr which ones have failed.
func (a *app) readBench(path string) (f *benchFile, failed int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, reason(err))
	}
	f = &benchFile{path: path, rows: map[rowKey]row{}}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var r struct {
			row
			Error string `json:"error"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, 0, fmt.Errorf("%s: line %d is no row of bitgpu bench: %w", path, n, err)
		}
		key := rowKey{r.Model, r.Size, r.Batch, r.Precision, r.Device}
		switch {
		case r.Error != "":
			failed++
			complain(a.stderr, fmt.Errorf("%s: line %d: %s, batch %d failed: %s", path, n, r.Model, r.Batch, r.Error))
			continue
		case r.Model == "" || r.Batch < 1 || !(r.ImagesPerSec > 0):
			return nil, 0, fmt.Errorf("%s: line %d is no row of bitgpu bench", path, n)
		}
		if _, again := f.rows[key]; !again {
			f.order = append(f.order, key)
		}
		f.rows[key] = r.row
	}
	if len(f.rows)+failed == 0 {
		return nil, 0, fmt.Errorf("%s: no rows", path)
	}
	return f, failed, nil
}

func (a *app) compare(oldPath, newPath string, asJSON bool) error {
	was, failedOld, err1 := a.readBench(oldPath)
	is, failedNew, err2 := a.readBench(newPath)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	out := a.rows(asJSON)
	missing, model := 0, ""
	for _, key := range was.order {
		now, ok := is.rows[key]
		if !ok {
			missing++
			complain(a.stderr, fmt.Errorf("%s has no row of %v", newPath, key))
			continue
		}
		c := newComparison(key, was.rows[key], now)
		if asJSON {
			if err := jsonLine(out, c); err != nil {
				return err
			}
			continue
		}
		if title := printable(fmt.Sprintf("%s, %s, on %s", key.Model, key.Precision, key.Device)); title != model {
			model = title
			compareHeader(out, title)
		}
		printComparison(out, c)
	}
	for _, key := range is.order {
		if _, ok := was.rows[key]; !ok {
			complain(a.stderr, fmt.Errorf("only %s has a row of %v", newPath, key))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if n := missing + failedOld + failedNew; n > 0 {
		return fmt.Errorf("%d rows could not be compared", n)
	}
	return nil
}

// compareHeader and printComparison print the table. Errors are its Flush's.
func compareHeader(out *textFile, title string) {
	fmt.Fprintf(out, "%s\n%5s %6s %10s %10s %8s %8s %8s %8s %8s %8s %8s\n", title,
		"size", "batch", "old im/s", "new im/s", "im/s", "p95", "peak", "load", "device", "peak RSS", "CPU s")
}

func printComparison(out *textFile, c comparison) {
	times := func(ratio float64) string {
		if ratio == 0 {
			return ""
		}
		return fmt.Sprintf("%.3fx", ratio)
	}
	fmt.Fprintf(out, "%5d %6d %10.2f %10.2f %8s %8s %8s %8s %8s %8s %8s\n", c.Size, c.Batch, c.Old, c.New,
		times(c.Rate), times(c.P95), times(c.PeakShare), times(c.Load), times(c.DeviceBytes), times(c.RSS), times(c.CPU))
}
