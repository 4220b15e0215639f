//go:build desktop

package view

import (
	"image"
	"math"

	"github.com/bitgpu/bitgpu/gpu/present"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// weight is a face of the one family that there is.
type weight uint8

const (
	regular weight = iota
	medium
	bold
)

// style is how a text looks; size is in points, a 72nd part of what the display calls an inch at scale 1.
type style struct {
	weight weight
	size   float32
}

// atlasSize is the width and height of the texture with all glyphs.
const atlasSize = 1024

// steps is how many positions within a pixel glyphs are drawn at.
const steps = 4

// glyphs draws glyphs into an atlas as they are needed.
//
// Invariants: dirty covers what the texture lacks; every entry of cache lies within the atlas. When the atlas is full it is begun anew,
// and what has been laid out before is worth nothing.
type glyphs struct {
	fonts   [3]*opentype.Font
	faces   map[face]font.Face
	cache   map[glyphKey]glyph
	atlas   *image.Alpha
	texture *present.Texture
	x, y    int // where the next glyph goes
	row     int // height of the row
	dirty   image.Rectangle
	begun   int // how often the atlas has been
}

// face is a font at a size in 64ths of a pixel.
type face struct {
	weight weight
	size   int
}

type glyphKey struct {
	face face
	r    rune
	step int
}

// glyph is where a glyph is in the atlas, and where it goes from the dot.
type glyph struct {
	at   image.Rectangle
	x, y int
}

func newGlyphs() (*glyphs, error) {
	g := &glyphs{faces: map[face]font.Face{}}
	for i, ttf := range [][]byte{goregular.TTF, gomedium.TTF, gobold.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			return nil, err
		}
		g.fonts[i] = f
	}
	g.clear()
	return g, nil
}

func (g *glyphs) clear() {
	g.cache = map[glyphKey]glyph{}
	g.atlas = image.NewAlpha(image.Rect(0, 0, atlasSize, atlasSize))
	g.x, g.y, g.row = 1, 1, 0
	g.dirty = g.atlas.Rect
	g.begun++
}

// attach makes the texture on a device.
func (g *glyphs) attach(d *present.Device) (err error) {
	g.texture, err = d.NewTexture(present.R8, atlasSize, atlasSize, 1)
	g.dirty = g.atlas.Rect
	return err
}

// upload brings the texture up to date.
func (g *glyphs) upload() error {
	r := g.dirty.Intersect(g.atlas.Rect)
	if r.Empty() {
		return nil
	}
	pixels := make([]byte, 0, r.Dx()*r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		pixels = append(pixels, g.atlas.Pix[y*g.atlas.Stride+r.Min.X:y*g.atlas.Stride+r.Max.X]...)
	}
	g.dirty = image.Rectangle{}
	return g.texture.Upload(0, r.Min.X, r.Min.Y, r.Dx(), r.Dy(), pixels)
}

// face returns a font for a style at a scale.
func (g *glyphs) face(s style, scale float32) (face, font.Face) {
	key := face{s.weight, int(math.Round(float64(s.size * scale * 64)))}
	if f, ok := g.faces[key]; ok {
		return key, f
	}
	f, err := opentype.NewFace(g.fonts[s.weight], &opentype.FaceOptions{Size: float64(key.size) / 64, DPI: 72, Hinting: font.HintingNone})
	if err != nil { // never, of these fonts and options
		return key, nil
	}
	g.faces[key] = f
	return key, f
}

// glyph returns one in the atlas; ok is false for what has no pixels.
func (g *glyphs) glyph(key glyphKey, f font.Face) (glyph, bool) {
	if found, ok := g.cache[key]; ok {
		return found, !found.at.Empty()
	}
	dot := fixed.Point26_6{X: fixed.Int26_6(key.step * 64 / steps)}
	bounds, mask, from, _, ok := f.Glyph(dot, key.r)
	if !ok || bounds.Empty() {
		g.cache[key] = glyph{}
		return glyph{}, false
	}
	w, h := bounds.Dx(), bounds.Dy()
	if g.x+w+1 > atlasSize {
		g.x, g.y, g.row = 1, g.y+g.row+1, 0
	}
	if g.y+h+1 > atlasSize {
		g.clear()
	}
	at := image.Rect(g.x, g.y, g.x+w, g.y+h)
	for y := range h {
		for x := range w {
			_, _, _, a := mask.At(from.X+x, from.Y+y).RGBA()
			g.atlas.Pix[(at.Min.Y+y)*g.atlas.Stride+at.Min.X+x] = uint8(a >> 8)
		}
	}
	g.x, g.row = g.x+w+1, max(g.row, h)
	g.dirty = g.dirty.Union(at)
	found := glyph{at, bounds.Min.X, bounds.Min.Y}
	g.cache[key] = found
	return found, true
}

// unknown is drawn for what the fonts do not have.
const unknown = '\ufffd'

// each calls do for every glyph of a text with its distance in pixels from the first dot, and returns the text's width. do
// may be nil.
func (g *glyphs) each(f font.Face, text string, do func(r rune, x float32)) float32 {
	var x fixed.Int26_6
	last := rune(-1)
	for _, r := range text {
		if last >= 0 {
			x += f.Kern(last, r)
		}
		advance, ok := f.GlyphAdvance(r)
		if !ok {
			r = unknown
			advance, _ = f.GlyphAdvance(r)
		}
		if do != nil {
			do(r, float32(x)/64)
		}
		x += advance
		last = r
	}
	return float32(x) / 64
}
