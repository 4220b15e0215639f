package main

// This file owns bitgpu bench --plot: what of the rows is drawn.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/draw"
	"github.com/bitgpu/bitgpu/gpu/peak"
)

// stages are the parts of a network whose times are drawn.
var stages = []string{"stem", "stage 1", "stage 2", "stage 3", "stage 4", "later stages", "head"}

// stage is the index of the part that a step belongs to.
func (s step) stage() int {
	if rest, ok := strings.CutPrefix(s.Name, "stages."); ok {
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil {
			return min(n+1, len(stages)-2)
		}
	}
	if s.Name == "input" || strings.HasPrefix(s.Name, "stem.") {
		return 0
	}
	return len(stages) - 1
}

// benchPlot collects the rows that are drawn.
type benchPlot struct{ rows []*row }

// add keeps a row, with its profile.
func (p *benchPlot) add(r *row) {
	kept := *r
	p.rows = append(p.rows, &kept)
}

// part is something that rows are told apart by.
type part func(*row) string

func modelOf(r *row) string     { return strings.Split(filepath.Base(r.Model), ".")[0] }
func precisionOf(r *row) string { return r.Precision }
func sizeOf(r *row) string      { return fmt.Sprintf("%d px", r.Size) }
func deviceOf(r *row) string    { return r.Device }
func batchOf(r *row) string     { return fmt.Sprintf("batch %d", r.Batch) }

// names are those of the rows, of the parts that are not the same in all; of other alone if all are.
func (p *benchPlot) names(other part, parts ...part) []string {
	same := func(f part) bool {
		return !slices.ContainsFunc(p.rows, func(r *row) bool { return f(r) != f(p.rows[0]) })
	}
	if parts = slices.DeleteFunc(parts, same); len(parts) == 0 {
		parts = []part{other}
	}
	var names []string
	for _, r := range p.rows {
		var words []string
		for _, f := range parts {
			words = append(words, f(r))
		}
		names = append(names, strings.Join(words, ", "))
	}
	return names
}

// setups are the names of rows that may differ in the size of the batch alone.
func (p *benchPlot) setups() []string {
	return p.names(modelOf, modelOf, precisionOf, sizeOf, deviceOf)
}

// charts are those that there is something for.
func (p *benchPlot) charts() ([]draw.Chart, error) {
	var charts []draw.Chart
	for _, make := range []func() (draw.Chart, bool, error){p.throughput, p.times, p.roofline} {
		chart, ok, err := make()
		if err != nil {
			return nil, err
		}
		if ok {
			charts = append(charts, chart)
		}
	}
	return charts, nil
}

// throughput is images a second against the size of the batch.
func (p *benchPlot) throughput() (draw.Chart, bool, error) {
	var series []draw.Series
	for i, name := range p.setups() {
		at := slices.IndexFunc(series, func(s draw.Series) bool { return s.Name == name })
		if at < 0 {
			at = len(series)
			series = append(series, draw.Series{Name: name})
		}
		series[at].Points = append(series[at].Points, draw.Point{X: float64(p.rows[i].Batch), Y: p.rows[i].ImagesPerSec})
	}
	chart, err := draw.Lines("Throughput, "+p.where(), "images in a batch", "images/s", series)
	return chart, true, err
}

// where is the device, if there is only one.
func (p *benchPlot) where() string {
	if slices.ContainsFunc(p.rows, func(r *row) bool { return r.Device != p.rows[0].Device }) {
		return "several devices"
	}
	return p.rows[0].Device
}

// times are the shares of a network's parts in its time.
func (p *benchPlot) times() (draw.Chart, bool, error) {
	const most = 12
	var bars []draw.Bar
	used := make([]bool, len(stages))
	names := p.names(batchOf, modelOf, precisionOf, sizeOf, deviceOf, batchOf)
	for i, r := range p.rows {
		if len(r.Steps) == 0 || len(bars) == most {
			continue
		}
		b := draw.Bar{Name: names[i], Parts: make([]float64, len(stages)), Note: milliseconds(r.MsPerImage)}
		for _, s := range r.Steps {
			b.Parts[s.stage()] += 100 * s.Share
			used[s.stage()] = true
		}
		bars = append(bars, b)
	}
	var parts []string
	for i, name := range stages {
		if used[i] {
			parts = append(parts, name)
		}
	}
	for i := range bars {
		var kept []float64
		for j, v := range bars[i].Parts {
			if used[j] {
				kept = append(kept, v)
			}
		}
		bars[i].Parts = kept
	}
	if len(bars) == 0 {
		return draw.Chart{}, false, nil
	}
	chart, err := draw.Bars("Time by stage, and of one image", "% of the time on the device", parts, bars)
	return chart, true, err
}

// milliseconds are printed in three digits, or as seconds.
func milliseconds(ms float64) string {
	if ms >= 999.5 {
		return fmt.Sprintf("%.3g s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

// roofline is how far steps are from the device's peaks. Of several rows of a model that with the largest batch is drawn;
// the points of one model are told apart by kernel, those of several by model.
func (p *benchPlot) roofline() (draw.Chart, bool, error) {
	chosen := map[string]*row{}
	var order []string
	for i, name := range p.setups() {
		r := p.rows[i]
		if len(r.Steps) == 0 || len(r.Peaks) == 0 {
			continue
		}
		if chosen[name] == nil {
			order = append(order, name)
		}
		if chosen[name] == nil || r.Batch > chosen[name].Batch {
			chosen[name] = r
		}
	}
	if len(order) == 0 {
		return draw.Chart{}, false, nil
	}
	var series []draw.Series
	for _, name := range order {
		for _, s := range chosen[name].Steps {
			bytes := float64(s.Read + s.Written)
			if s.FLOPs == 0 || bytes == 0 || s.Ms <= 0 {
				continue
			}
			kind := name
			if len(order) == 1 {
				kind = s.Kernel
			}
			at := slices.IndexFunc(series, func(s draw.Series) bool { return s.Name == kind })
			if at < 0 {
				at = len(series)
				series = append(series, draw.Series{Name: kind})
			}
			series[at].Points = append(series[at].Points, draw.Point{X: float64(s.FLOPs) / bytes, Y: s.GFLOPs, Weight: s.Share})
		}
	}
	if len(series) == 0 {
		return draw.Chart{}, false, nil
	}
	first := chosen[order[0]]
	var roofs []draw.Roof
	for _, k := range first.Peaks {
		rate := k.Rate / 1e9
		switch k.Unit {
		case peak.FLOPs:
			roofs = append(roofs, draw.Roof{Name: fmt.Sprintf("%.4g GFLOP/s, %s", rate, k.Name), Level: rate})
		case peak.Bytes:
			roofs = append(roofs, draw.Roof{Name: fmt.Sprintf("%.4g GB/s, %s", rate, k.Name), Slope: rate})
		}
	}
	title := "Roofline: steps, by their share of the time"
	if len(order) == 1 {
		title = fmt.Sprintf("Roofline: steps of a batch of %d, by their share of the time", first.Batch)
	}
	chart, err := draw.Roofline(title, "operations for each byte read or written", "GFLOP/s", roofs, series)
	return chart, true, err
}

// write makes the figure in a file that appears when it is complete.
func (p *benchPlot) write(a *app, path string) error {
	if len(p.rows) == 0 {
		return nil // all have failed, which is said elsewhere
	}
	charts, err := p.charts()
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	file, err := a.createFile("--plot", path)
	if err != nil {
		return err
	}
	defer file.Discard()
	if err := draw.Write(file, strings.EqualFold(filepath.Ext(path), ".svg"), charts); err != nil {
		return fmt.Errorf("--plot: %s: %w", path, err)
	}
	return file.Close()
}
