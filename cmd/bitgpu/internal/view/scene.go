//go:build desktop

package view

import (
	"fmt"
	"image"
	"path/filepath"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu/present"
)

// Colours.
var (
	background = present.Color{14, 16, 20, 255}
	panelColor = present.Color{22, 25, 31, 255}
	raised     = present.Color{36, 41, 50, 255}
	line       = present.Color{38, 43, 52, 255}
	bright     = present.Color{236, 239, 244, 255}
	muted      = present.Color{146, 154, 168, 255}
	faint      = present.Color{98, 106, 120, 255}
	blue       = present.Color{64, 128, 255, 255}
	sky        = present.Color{112, 200, 255, 255}
	teal       = present.Color{30, 158, 148, 255}
	mint       = present.Color{112, 226, 190, 255}
	red        = present.Color{255, 128, 120, 255}
	black      = present.Color{0, 0, 0, 255}
)

// fade is a colour that lets something through.
func fade(c present.Color, opacity float32) present.Color {
	c[3] = uint8(float32(c[3])*opacity + 0.5)
	return c
}

// Text styles.
var (
	title   = style{medium, 16}
	strong  = style{medium, 13.5}
	body    = style{regular, 13.5}
	small   = style{regular, 12}
	caption = style{medium, 11}
	huge    = style{medium, 22}
)

// The width of the side panel: in points, or a share of a narrow window.
const (
	panelWidth = 348
	panelShare = 0.45
)

// growing is how long the bars of an answer grow.
const growing = 350 * time.Millisecond

// scene draws the gallery. It holds textures of what is shown.
type scene struct {
	dev     *present.Device
	g       *gallery
	control *control
	glyphs  *glyphs
	still   bool // nothing moves: for pictures of the window

	version  int       // of the gallery in the last frame
	name     string    // of the picture in it
	animated bool      // something in the last frame moves
	since    time.Time // when the answer came that is shown
	answer   *answer

	picture, heat, grid cached
}

// cached is a texture and what it was made of.
type cached struct {
	of      any
	texture *present.Texture
}

func newScene(d *present.Device, g *gallery, c *control, t *glyphs, still bool) *scene {
	return &scene{dev: d, g: g, control: c, glyphs: t, still: still, version: -1}
}

// get returns the texture of something, made anew if the last one was of something else.
func (c *cached) get(d *present.Device, of any, levels []*image.NRGBA) (*present.Texture, error) {
	if c.of == of {
		return c.texture, nil
	}
	t, err := texture(d, levels)
	if err != nil {
		return nil, err
	}
	c.texture.Release()
	c.of, c.texture = of, t
	return t, nil
}

// changed says whether a frame would look different from the last one.
func (s *scene) changed() bool {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	return s.control.dirty || s.g.version != s.version
}

// moving says whether something moves by itself.
func (s *scene) moving() bool { return s.animated }

// skip counts as a frame that nobody sees.
func (s *scene) skip() { s.version, s.control.dirty, s.animated = s.g.now(), false, false }

// title is that of the window.
func (s *scene) title() string {
	if s.name == "" {
		return program
	}
	return filepath.Base(s.name) + " – " + program
}

// program is what the window is called by itself.
const program = "bitgpu"

// shown is what a frame shows, taken from the gallery at one moment.
type shown struct {
	empty, scanning  bool
	name             string
	index, count     int
	answered         int
	mode             mode
	mapIndex, maps   int
	picture          *picture
	err, openErr     error
	answer           answer
	answered1        *answer // which one that is a copy of, nil without
	heat             *image.NRGBA
	grid             *grid
	model            Model
	open             bool
	info             bitgpu.Info
	loaded           [2]int64
	running, current bool // the network runs, and for this picture
	started          time.Time
	guess            time.Duration
}

func (s *scene) snapshot() shown {
	g := s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	s.version = g.version
	v := shown{
		empty: len(g.items) == 0, scanning: g.scanning > 0, index: g.index, count: len(g.items), answered: g.count(),
		mode: g.mode, mapIndex: g.mapIndex, openErr: g.openErr, model: g.want, open: g.open != nil && *g.open == g.want, info: g.info,
		loaded: g.loaded, running: g.running != nil, started: g.started, guess: g.guess,
	}
	if v.open {
		v.maps = g.info.Config.Maps()
	}
	it := g.current()
	if it == nil {
		return v
	}
	v.name, v.picture, v.err, v.current = it.Name, it.picture, it.err, g.running == it
	if a := it.answers[g.want]; a != nil {
		v.answer, v.answered1, v.maps = *a, a, max(v.maps, a.maps)
		v.heat, v.grid = a.heat, a.grids[g.mapIndex]
	}
	return v
}

// draw lays a frame of width x height pixels out. complete says that nothing that it should show is missing.
func (s *scene) draw(width, height int, scale float32) (quads []present.Quad, complete bool, err error) {
	s.control.dirty, s.animated = false, false
	v := s.snapshot()
	s.name = v.name
	if v.answered1 != s.answer {
		s.answer, s.since = v.answered1, time.Now()
	}
	c := &canvas{scale: scale, glyphs: s.glyphs}
	w, h := float32(width)/scale, float32(height)/scale
	begun := s.glyphs.begun
	s.lay(c, w, h, &v)
	if s.glyphs.begun != begun { // what was laid out before is where other glyphs are now
		c.quads = nil
		s.lay(c, w, h, &v)
	}
	if err := s.glyphs.upload(); err != nil {
		return nil, false, err
	}
	return c.quads, s.complete(&v), nil
}

// lay lays out a window of w x h points.
func (s *scene) lay(c *canvas, w, h float32, v *shown) {
	s.control.hot = nil
	side := min(panelWidth, w*panelShare)
	s.stage(c, box{0, 0, w - side, h}, v)
	s.panel(c, box{w - side, 0, side, h}, v)
	s.overMenu(c, w, h)
	if s.control.help {
		s.overHelp(c, w, h)
	}
}

// complete says whether all that belongs to what is shown is there.
func (s *scene) complete(v *shown) bool {
	switch {
	case v.err != nil || v.openErr != nil || v.answer.err != nil:
		return true
	case v.empty:
		return !v.scanning
	case v.picture == nil || v.answered1 == nil || v.scanning || v.answered < v.count:
		return false
	case v.mode == features:
		return v.grid != nil
	case v.mode == activation:
		return v.heat != nil || v.answer.cells == nil
	}
	return true
}

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

// over says whether the mouse is over a box, where nothing lies above it.
func (s *scene) over(b box) bool {
	return !s.still && s.control.menu == nil && !s.control.help && b.has(s.control.x, s.control.y)
}

// hot has a box do something when it is clicked.
func (s *scene) hot(b box, do func()) { s.control.hot = append(s.control.hot, hotspot{b, do}) }

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
