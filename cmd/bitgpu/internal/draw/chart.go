package draw

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is one diagram of a figure.
type Chart struct{ plot *plot.Plot }

// Point is a value at a place; Weight, if there is any, is the share of something that it stands for, 0 to 1.
type Point struct{ X, Y, Weight float64 }

// Series are points of one kind.
type Series struct {
	Name   string
	Points []Point
}

// categories are colours that can be told apart, also by those who do not see all of them: M. Okabe and K. Ito, Color Universal
// Design, 2008.
var categories = [...]color.RGBA{
	{0, 114, 178, 255}, {230, 159, 0, 255}, {0, 158, 115, 255}, {213, 94, 0, 255},
	{86, 180, 233, 255}, {204, 121, 167, 255}, {90, 90, 90, 255}, {240, 228, 66, 255},
}

func category(i int) color.RGBA { return categories[i%len(categories)] }

// newChart makes a chart with the look of all of them.
func newChart(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 6
	for _, s := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		s.Font.Variant, s.Font.Size = "Sans", 9
	}
	p.Title.TextStyle.Font.Size = 11
	p.Legend.Padding = 2
	return p
}

// grid adds lines behind the points, at the marks.
func grid(p *plot.Plot) {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(g)
}

// evenMarks are at about five multiples of 1, 2 or 5 times a power of ten, and at most at so much, if that is not 0.
type evenMarks struct{ most float64 }

func (m evenMarks) Ticks(low, high float64) (list []plot.Tick) {
	if m.most > 0 {
		high = m.most
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, n := range []float64{2, 2.5, 2} {
		if (high-low)/step > 7 {
			step *= n
		}
	}
	for i := math.Ceil(low / step); i*step <= high; i++ {
		list = append(list, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 6, 64)})
	}
	return list
}

// logMarks are at 1, 2 and 5 times powers of ten, or over many powers at these alone, with small marks between.
type logMarks struct{}

func (logMarks) Ticks(low, high float64) (list []plot.Tick) {
	few := high/low < 300
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for n := 1.0; n < 10; n++ {
			t := plot.Tick{Value: n * power}
			if n == 1 || few && (n == 2 || n == 5) {
				t.Label = strconv.FormatFloat(t.Value, 'g', 6, 64)
			}
			if t.Value >= low && t.Value <= high {
				list = append(list, t)
			}
		}
	}
	return list
}

// Lines draws series against numbers of which each is some times the one before, such as sizes of batches.
func Lines(title, x, y string, series []Series) (Chart, error) {
	p := newChart(title, x, y)
	p.X.Scale, p.Y.Min = plot.LogScale{}, 0
	grid(p)
	at := map[float64]bool{}
	for i, s := range series {
		points := slices.Clone(s.Points)
		slices.SortFunc(points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
		xys := make(plotter.XYs, len(points))
		for j, pt := range points {
			xys[j].X, xys[j].Y = pt.X, pt.Y
			at[pt.X] = true
		}
		line, marks, err := plotter.NewLinePoints(xys)
		if err != nil {
			return Chart{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		line.Color, line.Width = category(i), 1.5
		marks.Color, marks.Shape, marks.Radius = category(i), draw.CircleGlyph{}, 3
		p.Add(line, marks)
		p.Legend.Add(s.Name, line, marks)
	}
	var ticks plot.ConstantTicks
	low, high := math.Inf(1), 0.0
	for v := range at {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
		low, high = min(low, v), max(high, v)
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low/1.4, high*1.4, 0, p.Y.Max*1.25 // room for the legend
	p.Y.Tick.Marker = evenMarks{}
	p.Legend.Top, p.Legend.Left = true, true
	return Chart{p}, nil
}

// Bar is a bar of several parts.
type Bar struct {
	Name  string
	Parts []float64
	Note  string // at the end
}

// Bars draws horizontal bars, the first on top, whose parts have names.
func Bars(title, x string, parts []string, bars []Bar) (Chart, error) {
	p := newChart(title, x, "")
	longest := 0.0
	names := make([]string, len(bars))
	notes := plotter.XYLabels{}
	var below *plotter.BarChart
	const thickness = 150 // points for all bars together
	for i, part := range parts {
		values := make(plotter.Values, len(bars))
		for j, b := range bars {
			values[len(bars)-1-j] = b.Parts[i]
		}
		chart, err := plotter.NewBarChart(values, vg.Length(min(thickness/max(len(bars), 1), 28)))
		if err != nil {
			return Chart{}, fmt.Errorf("%s: %w", part, err)
		}
		chart.Horizontal, chart.Color, chart.LineStyle.Width = true, category(i), 0
		if below != nil {
			chart.StackOn(below)
		}
		below = chart
		p.Add(chart)
		p.Legend.Add(part, chart)
	}
	for j, b := range bars {
		at, sum := len(bars)-1-j, 0.0
		for _, v := range b.Parts {
			sum += v
		}
		names[at] = b.Name
		longest = max(longest, sum)
		notes.XYs = append(notes.XYs, plotter.XY{X: sum, Y: float64(at)})
		notes.Labels = append(notes.Labels, " "+b.Note)
	}
	labels, err := plotter.NewLabels(notes)
	if err != nil {
		return Chart{}, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font.Variant, labels.TextStyle[i].Font.Size, labels.TextStyle[i].YAlign = "Sans", 9, text.YCenter
	}
	p.Add(labels)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(bars))-1+0.35*float64(len(bars))+0.9 // room for the legend
	p.X.Min, p.X.Max = 0, longest*1.3
	p.X.Tick.Marker = evenMarks{longest * (1 + 1e-9)} // sums have rounding errors
	p.Legend.Top = true
	return Chart{p}, nil
}

// Roof is a limit of a Roofline: Slope in y for each x, or Level whatever x is.
type Roof struct {
	Name         string
	Slope, Level float64
}

// Roofline draws points under what limits them, both axes logarithmic. The area of a point is its weight. S. Williams et al.,
// Roofline: An Insightful Visual Performance Model, CACM 2009.
func Roofline(title, x, y string, roofs []Roof, series []Series) (Chart, error) {
	p := newChart(title, x, y)
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = logMarks{}, logMarks{}
	grid(p)
	lowX, highX, lowY, highY := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, s := range series {
		for _, pt := range s.Points {
			lowX, highX, lowY, highY = min(lowX, pt.X), max(highX, pt.X), min(lowY, pt.Y), max(highY, pt.Y)
		}
	}
	level := math.Inf(1)
	for _, r := range roofs {
		if r.Level > 0 {
			level, highY = min(level, r.Level), max(highY, r.Level)
		}
	}
	for _, r := range roofs {
		if r.Slope > 0 && !math.IsInf(level, 1) { // the ridge has to be seen
			lowX, highX = min(lowX, level/r.Slope), max(highX, level/r.Slope)
		}
	}
	lowX, highX, lowY, highY = lowX/2, highX*2, lowY/1.5, highY*1.8
	for _, r := range roofs {
		if err := addRoof(p, r, level, lowX, highX, lowY); err != nil {
			return Chart{}, err
		}
	}
	for i, s := range series {
		xys := make(plotter.XYs, len(s.Points))
		for j, pt := range s.Points {
			xys[j].X, xys[j].Y = pt.X, pt.Y
		}
		marks, err := plotter.NewScatter(xys)
		if err != nil {
			return Chart{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		with := category(i)
		marks.GlyphStyle = draw.GlyphStyle{Color: with, Radius: 3, Shape: draw.CircleGlyph{}}
		marks.GlyphStyleFunc = func(j int) draw.GlyphStyle {
			faint := color.NRGBA{with.R, with.G, with.B, 170}
			return draw.GlyphStyle{Color: faint, Radius: vg.Length(2 + 22*math.Sqrt(min(s.Points[j].Weight, 0.3))), Shape: draw.CircleGlyph{}}
		}
		p.Add(marks)
		p.Legend.Add(s.Name, &plotter.Scatter{GlyphStyle: marks.GlyphStyle})
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = lowX, highX, lowY, highY
	p.Legend.Left = false
	p.Legend.Top = false
	return Chart{p}, nil
}

// addRoof draws a limit where no lower one hides it, and its name beside it.
func addRoof(p *plot.Plot, r Roof, level, lowX, highX, lowY float64) error {
	var xys plotter.XYs
	var name plotter.XY
	if r.Level > 0 {
		xys = plotter.XYs{{X: lowX, Y: r.Level}, {X: highX, Y: r.Level}}
		name = plotter.XY{X: lowX * 1.1, Y: r.Level * 1.06}
	} else {
		from, to := max(lowX, lowY/r.Slope), min(highX, level/r.Slope)
		xys = plotter.XYs{{X: from, Y: from * r.Slope}, {X: to, Y: to * r.Slope}}
		name = plotter.XY{X: from * 1.25, Y: from * r.Slope * 1.05}
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	line.Color, line.Width = color.Gray{70}, 1.2
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{name}, Labels: []string{r.Name}})
	if err != nil {
		return err
	}
	s := &labels.TextStyle[0]
	s.Font.Variant, s.Font.Size, s.Rotation, s.Color = "Sans", 9, 0, color.Gray{70}
	p.Add(line, labels)
	return nil
}

// Write draws charts side by side, as SVG or else PNG.
func Write(w io.Writer, svg bool, charts []Chart) error {
	const height = 4 * vg.Inch
	width := vg.Length(len(charts)) * 5 * vg.Inch
	var canvas vg.CanvasWriterTo
	if svg {
		canvas = vgsvg.New(width, height)
	} else {
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(110))}
	}
	tiles := draw.Tiles{Rows: 1, Cols: len(charts), PadX: 14, PadTop: 6, PadBottom: 6, PadLeft: 6, PadRight: 10}
	row := make([]*plot.Plot, len(charts))
	for i, c := range charts {
		row[i] = c.plot
	}
	for i, c := range plot.Align([][]*plot.Plot{row}, tiles, draw.New(canvas))[0] {
		row[i].Draw(c)
	}
	if !svg {
		_, err := canvas.WriteTo(w)
		return err
	}
	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	// Where the font is not there a browser would take one with serifs.
	_, err := w.Write(bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	return err
}
