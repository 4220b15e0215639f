//go:build desktop

package view

import (
	"image"
	"path/filepath"
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

// over says whether the mouse is over a box, where nothing lies above it.
func (s *scene) over(b box) bool {
	return !s.still && s.control.menu == nil && !s.control.help && b.has(s.control.x, s.control.y)
}

// hot has a box do something when it is clicked.
func (s *scene) hot(b box, do func()) { s.control.hot = append(s.control.hot, hotspot{b, do}) }
