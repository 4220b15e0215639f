//go:build desktop

package view

import (
	"math"

	"github.com/bitgpu/bitgpu/gpu/present"
)

// canvas collects a frame's quads. All lengths are points: pixels at scale 1.
type canvas struct {
	scale  float32
	glyphs *glyphs
	quads  []present.Quad
}

// box is a rectangle in points.
type box struct{ x, y, w, h float32 }

// inset makes a box smaller on all sides.
func (b box) inset(d float32) box { return box{b.x + d, b.y + d, max(b.w-2*d, 0), max(b.h-2*d, 0)} }

// fit centres something of a size in a box, as large as it can be, but not larger than most times its size.
func (b box) fit(w, h, most float32) box {
	k := min(b.w/w, b.h/h, most)
	return box{b.x + (b.w-k*w)/2, b.y + (b.h-k*h)/2, k * w, k * h}
}

// snap moves a length in points to a whole pixel.
func (c *canvas) snap(v float32) float32 { return float32(math.Round(float64(v * c.scale))) }

func (c *canvas) quad(b box) present.Quad {
	x, y := c.snap(b.x), c.snap(b.y)
	return present.Quad{X: x, Y: y, W: c.snap(b.x+b.w) - x, H: c.snap(b.y+b.h) - y}
}

// fill draws a box of one colour.
func (c *canvas) fill(b box, radius float32, color present.Color) { c.blend(b, radius, color, color) }

// blend draws a box that changes its colour from left to right.
func (c *canvas) blend(b box, radius float32, from, to present.Color) {
	q := c.quad(b)
	q.From, q.To, q.Radius = from, to, min(radius*c.scale, q.W/2, q.H/2)
	c.quads = append(c.quads, q)
}

// shadow draws what a box throws on what is below it.
func (c *canvas) shadow(b box, radius, soft float32, color present.Color) {
	q := c.quad(b)
	q.From, q.To, q.Radius, q.Soft = color, color, (radius+soft/2)*c.scale, soft*c.scale
	c.quads = append(c.quads, q)
}

// whole is all of a texture.
var whole = [4]float32{0, 0, 1, 1}

// image draws a texture, or the part uv of it, of which so much is seen.
func (c *canvas) image(b box, t *present.Texture, uv [4]float32, radius, opacity float32) {
	q := c.quad(b)
	q.Kind, q.Texture, q.UV, q.Radius = present.Image, t, uv, radius*c.scale
	q.From = present.Color{255, 255, 255, uint8(255*opacity + 0.5)}
	q.To = q.From
	c.quads = append(c.quads, q)
}

// text draws a text from a point of its baseline on, and returns its width.
func (c *canvas) text(x, baseline float32, s style, color present.Color, text string) float32 {
	key, f := c.glyphs.face(s, c.scale)
	if f == nil {
		return 0
	}
	left, y := x*c.scale, c.snap(baseline)
	return c.glyphs.each(f, text, func(r rune, at float32) {
		pos := float64(left + at)
		whole := math.Floor(pos)
		k := glyphKey{key, r, int((pos - whole) * steps)}
		g, ok := c.glyphs.glyph(k, f)
		if !ok {
			return
		}
		c.quads = append(c.quads, present.Quad{
			X: float32(whole) + float32(g.x), Y: y + float32(g.y), W: float32(g.at.Dx()), H: float32(g.at.Dy()),
			Kind: present.Text, Texture: c.glyphs.texture, From: color, To: color,
			UV: [4]float32{
				float32(g.at.Min.X) / atlasSize, float32(g.at.Min.Y) / atlasSize,
				float32(g.at.Max.X) / atlasSize, float32(g.at.Max.Y) / atlasSize,
			},
		})
	}) / c.scale
}

// width is that of a text.
func (c *canvas) width(s style, text string) float32 {
	_, f := c.glyphs.face(s, c.scale)
	if f == nil {
		return 0
	}
	return c.glyphs.each(f, text, nil) / c.scale
}

// right draws a text that ends at x, and returns its width.
func (c *canvas) right(x, baseline float32, s style, color present.Color, text string) float32 {
	w := c.width(s, text)
	c.text(x-w, baseline, s, color, text)
	return w
}

// center draws a text around x.
func (c *canvas) center(x, baseline float32, s style, color present.Color, text string) {
	c.text(x-c.width(s, text)/2, baseline, s, color, text)
}

// elide shortens a text to a width; the cut is marked. Of names the middle is cut out, for their ends tell files apart.
func (c *canvas) elide(s style, text string, width float32, middle bool) string {
	if c.width(s, text) <= width {
		return text
	}
	r := []rune(text)
	for n := len(r) - 1; n > 0; n-- {
		short := string(r[:n]) + "…"
		if middle {
			short = string(r[:n-n/2]) + "…" + string(r[len(r)-n/2:])
		}
		if c.width(s, short) <= width {
			return short
		}
	}
	return "…"
}
