package draw

import (
	"image"
	"image/draw"
)

// Tile is a small picture with a line of text below it.
type Tile struct {
	Image   image.Image
	Caption string
}

// Sheet puts tiles side by side, in rows of so many columns, all in the room of the largest, and a title above if it is not
// empty. Captions that are wider than a tile are cut; without any there is no room for them.
func Sheet(title string, tiles []Tile, columns int) (image.Image, error) {
	const gap = 4
	width, height, captions := 1, 1, false
	for _, t := range tiles {
		width, height = max(width, t.Image.Bounds().Dx()), max(height, t.Image.Bounds().Dy())
		captions = captions || t.Caption != ""
	}
	text := 10.0
	if width >= 200 {
		text = 15
	}
	measure, err := newCanvas(1, 1, text)
	if err != nil {
		return nil, err
	}
	line := 0
	if captions {
		line = measure.line
	}
	columns = max(min(columns, len(tiles)), 1)
	rows := (len(tiles) + columns - 1) / columns
	top := gap
	if title != "" {
		top += measure.line + gap
	}
	full := max(columns*(width+gap)+gap, 2*gap+measure.width(title))
	c, err := newCanvas(full, top+rows*(height+line+gap), text)
	if err != nil {
		return nil, err
	}
	c.text(gap, gap+c.line/2, title, black)
	for i, t := range tiles {
		x, y := gap+i%columns*(width+gap), top+i/columns*(height+line+gap)
		b := t.Image.Bounds()
		draw.Draw(c, image.Rect(x, y, x+b.Dx(), y+b.Dy()), t.Image, b.Min, draw.Src)
		if t.Caption != "" {
			c.centred(x+width/2, y+height+line/2, c.shorten(t.Caption, width), grey)
		}
	}
	return c.RGBA, nil
}
