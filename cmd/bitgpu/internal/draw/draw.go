// Package draw makes the command's pictures: tables of cells, sheets of small pictures, charts. What is in them comes
// from elsewhere; here are fonts, margins and colours. Nothing is shared between calls.
package draw

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var (
	white = color.RGBA{255, 255, 255, 255}
	black = color.RGBA{20, 20, 20, 255}
	grey  = color.RGBA{110, 110, 110, 255}
)

// canvas is a picture that text can be put on.
type canvas struct {
	*image.RGBA
	face font.Face
	line int // pixels from one line of text to the next
}

// newCanvas makes a white picture, and text of so many pixels.
func newCanvas(width, height int, size float64) (*canvas, error) {
	f, err := newFace(size)
	if err != nil {
		return nil, err
	}
	c := &canvas{image.NewRGBA(image.Rect(0, 0, width, height)), f, f.Metrics().Height.Ceil()}
	c.fill(c.Bounds(), white)
	return c, nil
}

func newFace(size float64) (font.Face, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("font: %w", err)
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

func (c *canvas) fill(r image.Rectangle, with color.Color) {
	draw.Draw(c, r, image.NewUniform(with), image.Point{}, draw.Src)
}

// width is that of a text in pixels.
func (c *canvas) width(text string) int { return font.MeasureString(c.face, text).Ceil() }

// shorten cuts a text to so many pixels; the cut is marked.
func (c *canvas) shorten(text string, width int) string {
	if c.width(text) <= width {
		return text
	}
	r := []rune(text)
	for len(r) > 0 && c.width(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// text writes a line whose left end and middle are at x and y.
func (c *canvas) text(x, y int, text string, with color.Color) {
	m := c.face.Metrics()
	d := font.Drawer{Dst: c.RGBA, Src: image.NewUniform(with), Face: c.face}
	d.Dot = fixed.P(x, y)
	d.Dot.Y += (m.Ascent - m.Descent) / 2
	d.DrawString(text)
}

// centred writes a line around a point.
func (c *canvas) centred(x, y int, text string, with color.Color) {
	c.text(x-c.width(text)/2, y, text, with)
}

// upward writes a line from the bottom up; its lower end and middle are at x and y.
func (c *canvas) upward(x, y int, text string, with color.Color) {
	width := c.width(text)
	flat := &canvas{image.NewRGBA(image.Rect(0, 0, width+2, c.line)), c.face, c.line}
	flat.text(0, c.line/2, text, with)
	turned := image.NewRGBA(image.Rect(0, 0, c.line, width+2))
	for v := range c.line {
		for u := range width + 2 {
			turned.SetRGBA(v, width+1-u, flat.RGBAAt(u, v))
		}
	}
	at := image.Rect(x-c.line/2, y-width-2, x-c.line/2+c.line, y)
	draw.Draw(c, at, turned, image.Point{}, draw.Over)
}
