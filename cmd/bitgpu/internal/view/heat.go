//go:build desktop

package view

import (
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/bitgpu/bitgpu"
	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// mapSide is the height and width of the picture of an activation map, in pixels.
const mapSide = 256

// mostOpacity is that of an activation map where it is highest.
const mostOpacity = 0.6

// heatmap draws a class activation map of h x w cells, in logits, over the network's crop of size pixels: the more a place speaks
// for the class, the less of the picture is seen through the map. Cell y, x is centred on pixel stride*y, stride*x.
func heatmap(cells []float32, h, w, size, stride int) *image.NRGBA {
	high := float64(slices.Max(cells))
	low := 0.0
	if high <= 0 {
		low = float64(slices.Min(cells))
	}
	// One more cell on each side repeats the last one, so that the edges of the crop lie inside.
	shares := image.NewGray16(image.Rect(0, 0, w+2, h+2))
	for y := range h + 2 {
		for x := range w + 2 {
			v := float64(cells[min(max(y-1, 0), h-1)*w+min(max(x-1, 0), w-1)])
			share := 0.0
			if high > low {
				share = min(max((v-low)/(high-low), 0), 1)
			}
			shares.SetGray16(x, y, color.Gray16{Y: uint16(share*math.MaxUint16 + 0.5)})
		}
	}
	// The middle of cell 0 (at 1.5 in shares) is the middle of pixel 0 of the crop (at 0.5).
	scale := float64(stride) * mapSide / float64(size)
	offset := 0.5*mapSide/float64(size) - 1.5*scale
	smooth := image.NewGray16(image.Rect(0, 0, mapSide, mapSide))
	draw.CatmullRom.Transform(smooth, f64.Aff3{scale, 0, offset, 0, scale, offset}, shares, shares.Bounds(), draw.Src, nil)
	img := image.NewNRGBA(smooth.Rect)
	for y := range mapSide {
		for x := range mapSide {
			v := float64(smooth.Gray16At(x, y).Y) / math.MaxUint16
			c := bitgpu.Inferno.At(v)
			img.SetNRGBA(x, y, color.NRGBA{R: c.R, G: c.G, B: c.B, A: uint8(255*mostOpacity*min(1.25*v, 1) + 0.5)})
		}
	}
	return img
}

// grid is a picture of the liveliest channels of a feature map, side by side.
type grid struct {
	img           *image.NRGBA
	columns       int
	side          int // of a channel, in pixels; one more is between two
	channels, all int // shown, and of the map
	height, width int // of the map
	index         int // of the map
}

// gridColumns is how many channels are in a row, and how many rows there are.
const gridColumns = 8

// channelSide is about how many pixels of the grid's picture a channel has.
const channelSide = 112

// drawGrid chooses the channels that differ most within the picture, by their standard deviation, and draws each from its least
// value to its largest.
func drawGrid(index int, m *bitgpu.Tensor) *grid {
	channels, h, w := m.Shape[1], m.Shape[2], m.Shape[3]
	type channel struct {
		values    []float32
		deviation float64
	}
	all := make([]channel, channels)
	for i := range all {
		v := m.Data[i*h*w : (i+1)*h*w]
		sum, squares := 0.0, 0.0
		for _, x := range v {
			sum += float64(x)
		}
		mean := sum / float64(len(v))
		for _, x := range v {
			squares += (float64(x) - mean) * (float64(x) - mean)
		}
		all[i] = channel{v, squares}
	}
	slices.SortStableFunc(all, func(a, b channel) int {
		switch {
		case a.deviation > b.deviation:
			return -1
		case a.deviation < b.deviation:
			return 1
		}
		return 0
	})
	g := &grid{columns: gridColumns, side: channelSide, channels: min(channels, gridColumns*gridColumns), all: channels, height: h, width: w, index: index}
	rows := (g.channels + g.columns - 1) / g.columns
	g.img = image.NewNRGBA(image.Rect(0, 0, g.columns*(g.side+gridGap)-gridGap, rows*(g.side+gridGap)-gridGap))
	for i, c := range all[:g.channels] {
		x, y := i%g.columns*(g.side+gridGap), i/g.columns*(g.side+gridGap)
		drawChannel(g.img, image.Rect(x, y, x+g.side, y+g.side), c.values, h, w)
	}
	return g
}

// gridGap is between two channels, in pixels.
const gridGap = 6

func drawChannel(dst *image.NRGBA, at image.Rectangle, values []float32, h, w int) {
	low, high := slices.Min(values), slices.Max(values)
	src := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i, v := range values {
		share := 0.0
		if high > low {
			share = float64((v - low) / (high - low))
		}
		c := bitgpu.Viridis.At(share)
		src.SetNRGBA(i%w, i/w, color.NRGBA{R: c.R, G: c.G, B: c.B, A: 255})
	}
	var scaler draw.Scaler = draw.CatmullRom
	if at.Dx() > 2*w { // few cells are shown as they are
		scaler = draw.NearestNeighbor
	}
	scaler.Scale(dst, at, src, src.Bounds(), draw.Src, nil)
}
