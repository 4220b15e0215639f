//go:build desktop

package view

// This file owns the large part of the window: the picture, its activation map or its feature maps, or what there is to say.

import (
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/present"
)

// Of the large part of the window, in points: heights of what is above and below the picture, and the space around it.
const (
	barHeight  = 56
	footHeight = 44
	margin     = 24
)

// stage draws the large part of the window.
func (s *scene) stage(c *canvas, b box, v *shown) {
	area := box{b.x + margin, b.y + barHeight, max(b.w-2*margin, 0), max(b.h-barHeight-footHeight, 0)}
	switch {
	case v.empty && !v.scanning:
		s.invite(c, area)
	case v.empty:
		s.message(c, area, "Looking for pictures", "", muted)
	case v.err != nil:
		s.message(c, area, "This picture cannot be shown", plainly(v.err), red)
	case v.picture == nil:
		s.message(c, area, "Reading", v.name, muted)
	case v.mode == features:
		s.featureStage(c, area, b.h-footHeight, v)
	default:
		s.pictureStage(c, area, b.h-footHeight, v)
	}
	if !v.empty {
		s.tabs(c, box{b.x, b.y, b.w, barHeight}, v)
	}
	s.overNotice(c, area)
}

// invite is what an empty window says.
func (s *scene) invite(c *canvas, b box) {
	w, h := min(b.w, 460), min(b.h, 220)
	frame := box{b.x + (b.w-w)/2, b.y + (b.h-h)/2, w, h}
	c.fill(frame, 14, line)
	c.fill(frame.inset(1), 13, background)
	s.message(c, frame.inset(8), "Drop pictures or folders here", "or start with bitgpu view PATH", muted)
}

// message is a title and a text in the middle.
func (s *scene) message(c *canvas, b box, head, text string, color present.Color) {
	heads := wrap(c, huge, head, b.w, 3)
	lines := wrap(c, body, text, min(b.w, 520), 6)
	y := b.y + b.h/2 - float32(len(lines))*10 - float32(len(heads)-1)*15
	for _, l := range heads {
		c.center(b.x+b.w/2, y, huge, bright, l)
		y += 30
	}
	for _, l := range lines {
		c.center(b.x+b.w/2, y, body, color, l)
		y += 20
	}
}

// plainly is an error's text for a window, which tells by itself what it is about.
func plainly(err error) string {
	text := err.Error()
	for _, prefix := range []string{"bitgpu: ", "loader: ", "present: ", "gpu: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// overNotice draws what has happened at the lower end of a box.
func (s *scene) overNotice(c *canvas, b box) {
	if s.control.notice == "" {
		return
	}
	w := min(b.w, 520)
	lines := wrap(c, body, s.control.notice, w-32, 4)
	h := 20*float32(len(lines)) + 16
	at := box{b.x + (b.w-w)/2, b.y + b.h - h - 8, w, h}
	c.shadow(box{at.x, at.y + 4, at.w, at.h}, 8, 18, fade(black, 0.5))
	c.fill(at, 8, raised)
	for i, l := range lines {
		c.center(at.x+w/2, at.y+24+20*float32(i), body, bright, l)
	}
}

// Ways to write what can be shown of a picture, from the one that takes the most room to that which takes the least.
var tabTexts = []struct {
	texts [3]string
	pad   float32
}{
	{[3]string{"Picture", "Activation map", "Feature maps"}, 24},
	{[3]string{"Picture", "Activation", "Features"}, 24},
	{[3]string{"Picture", "Activation", "Features"}, 12},
}

// tabs draws what can be shown of a picture, and says which of it is.
func (s *scene) tabs(c *canvas, b box, v *shown) {
	const gap, arrow = 6, 30
	arrows := float32(0)
	if v.count > 1 {
		arrows = 2*arrow + gap
	}
	choice := len(tabTexts) - 1
	var need float32
	for i, t := range tabTexts {
		need = 2 * gap
		for _, text := range t.texts {
			need += c.width(strong, text) + t.pad
		}
		if need+arrows <= b.w-2*margin {
			choice = i
			break
		}
	}
	x := b.x + margin
	for m, text := range tabTexts[choice].texts {
		w := c.width(strong, text) + tabTexts[choice].pad
		at := box{x, b.y + 14, w, 28}
		color := muted
		if v.mode == mode(m) {
			c.fill(at, 8, raised)
			color = bright
		} else if s.over(at) {
			c.fill(at, 8, fade(raised, 0.5))
			color = bright
		}
		c.center(x+w/2, b.y+33, strong, color, text)
		s.hot(at, func() { s.g.setMode(mode(m), v.mapIndex) })
		x += w + gap
	}
	if arrows == 0 || need+arrows > b.w-2*margin {
		return // keys go on all the same
	}
	text := fmt.Sprintf("%d of %d", v.index+1, v.count)
	right := b.x + b.w - margin
	for _, a := range []struct {
		sign string
		by   int
	}{{"›", 1}, {"‹", -1}} {
		at := box{right - 28, b.y + 14, 28, 28}
		if s.over(at) {
			c.fill(at, 8, raised)
		}
		c.center(at.x+14, b.y+34.5, huge, muted, a.sign)
		s.hot(at, func() { s.g.move(a.by) })
		right -= arrow
	}
	if room := right - 8 - x; c.width(small, text) < room {
		c.right(right-8, b.y+32.5, small, muted, text)
	}
}

// pictureStage draws the picture and, over it, its activation map.
func (s *scene) pictureStage(c *canvas, b box, foot float32, v *shown) {
	size := v.picture.full.Rect
	w, h := float32(size.Dx()), float32(size.Dy())
	at := b.fit(w, h, max(1, 256/max(w, h))/c.scale*max(c.scale, 2))
	c.shadow(box{at.x, at.y + 6, at.w, at.h}, 4, 22, fade(black, 0.55))
	t, err := s.picture.get(s.dev, v.picture, v.picture.levels)
	if err != nil {
		s.message(c, b, "This picture cannot be shown", plainly(err), red)
		return
	}
	c.image(at, t, whole, 4, 1)
	below := func(color present.Color, text string) {
		c.center(b.x+b.w/2, foot+24, small, color, c.elide(small, text, b.w, false))
	}
	switch {
	case v.mode != activation:
		below(faint, fmt.Sprintf("%d × %d pixels", size.Dx(), size.Dy()))
	case v.heat != nil:
		s.overHeat(c, at, b, foot, v)
	case v.answered1 != nil && v.answer.cells == nil && v.answer.err == nil:
		below(muted, "This network has no classes, and so no activation maps")
	case v.answer.err != nil || v.openErr != nil:
		below(muted, "Without an answer there is no activation map")
	default:
		below(muted, "The activation map comes with the answer")
	}
}

// overHeat draws an activation map over the picture at a box.
func (s *scene) overHeat(c *canvas, at, b box, foot float32, v *shown) {
	size, crop := v.picture.full.Rect, v.answer.crop
	kx, ky := at.w/float32(size.Dx()), at.h/float32(size.Dy())
	part := box{at.x + kx*float32(crop.Min.X), at.y + ky*float32(crop.Min.Y), kx * float32(crop.Dx()), ky * float32(crop.Dy())}
	// What the network does not see is dark.
	dark := fade(background, 0.72)
	for _, d := range []box{
		{at.x, at.y, part.x - at.x, at.h}, {part.x + part.w, at.y, at.x + at.w - part.x - part.w, at.h},
		{part.x, at.y, part.w, part.y - at.y}, {part.x, part.y + part.h, part.w, at.y + at.h - part.y - part.h},
	} {
		if d.w > 0.5 && d.h > 0.5 {
			c.fill(d, 0, dark)
		}
	}
	t, err := s.heat.get(s.dev, v.heat, levels(v.heat))
	if err != nil {
		return
	}
	c.image(part, t, whole, 0, 1)
	s.legend(c, b, foot, v.answer.top[0].Label)
}

// legend says below a box what an activation map shows, with its colours if there is room.
func (s *scene) legend(c *canvas, b box, foot float32, label string) {
	const legend, gap = 110, 16
	head := "Where the network sees "
	colours := float32(gap + legend + 74)
	if c.width(small, head)+60+colours > b.w {
		colours = 0
	}
	if c.width(small, head)+60 > b.w {
		head = ""
	}
	label = c.elide(strong, label, max(b.w-c.width(small, head)-colours, 0), false)
	x := b.x + (b.w-c.width(small, head)-c.width(strong, label)-colours)/2
	x += c.text(x, foot+24, small, muted, head)
	x += c.text(x, foot+24, strong, bright, label) + gap
	if colours == 0 {
		return
	}
	x += c.text(x, foot+24, small, faint, "little") + 8
	const parts = 24
	for i := range parts {
		from, to := bitgpu.Inferno.At(float64(i)/parts), bitgpu.Inferno.At(float64(i+1)/parts)
		c.blend(box{x + legend*float32(i)/parts, foot + 15, float32(legend) / parts, 9}, 0,
			present.Color{from.R, from.G, from.B, 255}, present.Color{to.R, to.G, to.B, 255})
	}
	c.text(x+legend+8, foot+24, small, faint, "much")
}

// featureStage draws a feature map's channels, and the maps that there are.
func (s *scene) featureStage(c *canvas, b box, foot float32, v *shown) {
	names, tabs := make([]string, v.maps), make([]string, v.maps)
	wide := float32(0)
	for i := range names {
		names[i], tabs[i] = fmt.Sprintf("Stage %d", i), fmt.Sprint(i)
		if i == 0 {
			names[i], tabs[i] = "Stem", "Stem"
		}
		wide += c.width(small, names[i]) + 26
	}
	if wide <= b.w {
		tabs = names
	}
	x := b.x
	for i, name := range tabs {
		w := c.width(small, name) + 20
		at := box{x, b.y - 4, w, 24}
		color := muted
		switch {
		case i == v.mapIndex:
			c.fill(at, 12, fade(blue, 0.9))
			color = bright
		case s.over(at):
			c.fill(at, 12, raised)
		default:
			c.fill(at, 12, fade(raised, 0.5))
		}
		c.center(x+w/2, b.y+12.5, small, color, name)
		s.hot(at, func() { s.g.setMode(features, i) })
		x += w + 6
	}
	b.y, b.h = b.y+34, max(b.h-34, 0)
	if v.grid == nil {
		text := "Computing the feature map"
		switch {
		case v.answer.err != nil || v.openErr != nil:
			text = "Without an answer there are no feature maps"
		case v.answered1 == nil:
			text = "The feature maps come after the answer"
		}
		s.message(c, b, text, "", muted)
		return
	}
	g := v.grid
	t, err := s.grid.get(s.dev, g, levels(g.img))
	if err != nil {
		s.message(c, b, "The feature map cannot be shown", plainly(err), red)
		return
	}
	size := g.img.Rect
	at := b.fit(float32(size.Dx()), float32(size.Dy()), 4)
	c.image(at, t, whole, 0, 1)
	what := fmt.Sprintf("%s: the %d liveliest of %d channels, %d × %d cells each", names[g.index], g.channels, g.all, g.width, g.height)
	if g.channels == g.all {
		what = fmt.Sprintf("%s: all %d channels, %d × %d cells each", names[g.index], g.all, g.width, g.height)
	}
	c.center(b.x+b.w/2, foot+24, small, muted, c.elide(small, what, b.w, false))
}
