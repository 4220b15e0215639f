package main

// This file owns bitgpu features --png: contact sheets of feature maps.

import (
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/cmd/bitgpu/internal/draw"
	xdraw "golang.org/x/image/draw"
)

// sheets is a writer of pictures: one for each input and map, of the map's channels side by side.
type sheets struct {
	*app
	dir      string
	names    []string // of the maps
	model    string
	channels channelRange
	one      bool // one scale of colours for all channels of a map, not one for each
	used     map[string]bool
}

// mostChannels are drawn if nothing else is wanted.
const mostChannels = 256

// channelRange is the value of --channels: the first and the last.
type channelRange struct{ first, last int }

func (c *channelRange) String() string { return fmt.Sprintf("%d-%d", c.first, c.last) }
func (c *channelRange) Type() string   { return "FIRST-LAST" }

func (c *channelRange) Set(s string) error {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 24)
	b, err2 := strconv.ParseUint(last, 10, 24)
	if err1 != nil || err2 != nil || a > b {
		return fmt.Errorf("want two numbers such as 0-255, or one")
	}
	if b-a >= 1<<14 {
		return fmt.Errorf("%d channels, want at most %d", b-a+1, 1<<14)
	}
	c.first, c.last = int(a), int(b)
	return nil
}

func (a *app) createSheets(o *featuresOptions, names []string) (*sheets, error) {
	if err := os.MkdirAll(o.png, 0o777); err != nil {
		return nil, fmt.Errorf("--png: %s: %w", o.png, reason(err))
	}
	return &sheets{app: a, dir: o.png, names: names, model: o.model.model, channels: o.channels, one: o.scale == "map", used: map[string]bool{}}, nil
}

// write draws the sheets of one input.
func (s *sheets) write(r *record) error {
	if r.err != nil {
		return nil
	}
	base := s.base(r.file)
	for i, name := range s.names {
		img, err := s.sheet(fmt.Sprintf("%s, %s of %s", filepath.Base(r.file), name, filepath.Base(s.model)), r.rows[i])
		if err != nil {
			r.err = err
			return nil
		}
		if err := s.writePNG("--png", filepath.Join(s.dir, base+"."+name+".png"), img); err != nil {
			return err
		}
	}
	return nil
}

// base is what the names of an input's files begin with: the input's name without folders, and a number if there was the
// same before.
func (s *sheets) base(file string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`\/:*?"<>|#`, r) || r < ' ' {
			return '_'
		}
		return r
	}, filepath.Base(file))
	name = strings.TrimSuffix(name, filepath.Ext(name))
	base := name
	for n := 2; s.used[base]; n++ {
		base = fmt.Sprintf("%s-%d", name, n)
	}
	s.used[base] = true
	return base
}

// sheet draws the channels of one map, [C, H, W].
func (s *sheets) sheet(title string, v values) (image.Image, error) {
	count, h, w := v.shape[0], v.shape[1], v.shape[2]
	first, last := s.channels.first, min(s.channels.last, count-1)
	if first > last {
		return nil, fmt.Errorf("--channels: %v, but this map has 0 to %d", &s.channels, count-1)
	}
	all := v.floats[first*h*w : (last+1)*h*w]
	low, high := extremes(all)
	var tiles []draw.Tile
	for c := range last - first + 1 {
		plane := all[c*h*w : (c+1)*h*w]
		if !s.one {
			low, high = extremes(plane)
		}
		tiles = append(tiles, draw.Tile{Image: tile(plane, w, h, low, high), Caption: strconv.Itoa(first + c)})
	}
	scale := "each channel from its least value to its largest"
	if s.one {
		scale = fmt.Sprintf("from %.3g to %.3g", low, high)
	}
	title = fmt.Sprintf("%s: channels %d to %d of %d, %d x %d, %s", title, first, last, count, w, h, scale)
	width := tiles[0].Image.Bounds().Dx()
	return draw.Sheet(title, tiles, max(int(math.Ceil(math.Sqrt(float64(len(tiles))*1.3))), (600+width)/(width+4)))
}

func extremes(x []float32) (low, high float32) {
	low, high = x[0], x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// Sides of a tile in pixels: smaller maps are enlarged by a whole number, larger ones made smaller.
const (
	smallestTile = 48
	largestTile  = 128
)

// tile draws one channel.
func tile(plane []float32, w, h int, low, high float32) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	span := float64(high) - float64(low)
	for i, v := range plane {
		share := 0.0
		if span > 0 {
			share = (float64(v) - float64(low)) / span
		}
		img.SetRGBA(i%w, i/w, bitgpu.Viridis.At(share))
	}
	longest := max(w, h)
	if longest >= smallestTile && longest <= largestTile {
		return img
	}
	scaler, width, height := xdraw.Scaler(xdraw.CatmullRom), max(w*largestTile/longest, 1), max(h*largestTile/longest, 1)
	if longest < smallestTile {
		n := (smallestTile + longest - 1) / longest
		scaler, width, height = xdraw.NearestNeighbor, n*w, n*h
	}
	scaled := image.NewRGBA(image.Rect(0, 0, width, height))
	scaler.Scale(scaled, scaled.Bounds(), img, img.Bounds(), xdraw.Src, nil)
	return scaled
}

func (s *sheets) Close() error { return nil }
func (s *sheets) Discard()     {}

// writePNG writes a picture to a file that appears when it is complete. flag is the one that named it, for errors.
func (a *app) writePNG(flag, path string, img image.Image) error {
	file, err := a.createFile(flag, path)
	if err != nil {
		return err
	}
	defer file.Discard()
	if err := png.Encode(file, img); err != nil {
		return fmt.Errorf("%s: %s: %w", flag, path, err)
	}
	return file.Close()
}
