//go:build desktop

package view

import (
	"github.com/go-gl/glfw/v3.3/glfw"
)

// control is the state of the window that the user changes. It belongs to the main thread.
type control struct {
	g       *gallery
	expand  func(paths []string) // adds dropped files and folders
	models  []Model
	devices []string // names, in gpu's order
	device  int      // of devices: that which the window is on

	menu    *menu
	help    bool
	notice  string // what has happened, until the user does something
	quit    bool
	restart int // the device to change to, -1 for none
	dirty   bool
	hot     []hotspot // of the last frame, the topmost last
	x, y    float32   // of the mouse
}

// hotspot is a part of the window that does something when it is clicked.
type hotspot struct {
	at box
	do func()
}

// menu is a list to choose from.
type menu struct {
	title   string
	entries []string
	at      int
	choose  func(i int)
}

func (b box) has(x, y float32) bool { return x >= b.x && y >= b.y && x < b.x+b.w && y < b.y+b.h }

func (c *control) redraw() { c.dirty = true }

// acted says that the user is there, and has seen the notice.
func (c *control) acted() { c.dirty, c.notice = true, "" }

// key does what a key says that has no letter.
func (c *control) key(key glfw.Key, mods glfw.ModifierKey) {
	c.acted()
	if m := c.menu; m != nil {
		switch key {
		case glfw.KeyUp:
			m.at = (m.at + len(m.entries) - 1) % len(m.entries)
		case glfw.KeyDown:
			m.at = (m.at + 1) % len(m.entries)
		case glfw.KeyEnter, glfw.KeyKPEnter, glfw.KeySpace:
			c.choose(m.at)
		case glfw.KeyEscape:
			c.menu = nil
		}
		return
	}
	switch key {
	case glfw.KeyRight, glfw.KeyDown, glfw.KeySpace, glfw.KeyPageDown:
		c.g.move(1)
	case glfw.KeyLeft, glfw.KeyUp, glfw.KeyBackspace, glfw.KeyPageUp:
		c.g.move(-1)
	case glfw.KeyHome:
		c.first()
	case glfw.KeyEnd:
		c.first()
		c.g.move(-1)
	case glfw.KeyEscape:
		if c.help {
			c.help = false
		} else if m, i := c.view(); m != plain {
			c.g.setMode(plain, i)
		}
	case glfw.KeyW, glfw.KeyQ:
		c.quit = c.quit || mods&(glfw.ModControl|glfw.ModSuper) != 0
	}
}

// first goes to the first picture.
func (c *control) first() {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	c.g.moveTo(0)
}

// view is what is shown.
func (c *control) view() (mode, int) {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	return c.g.mode, c.g.mapIndex
}

// char does what a letter says, wherever it is on the keyboard.
func (c *control) char(r rune) {
	c.acted()
	if c.menu != nil {
		return
	}
	m, i := c.view()
	switch r {
	case 'a', 'A':
		c.toggle(activation)
	case 'f', 'F':
		c.toggle(features)
	case 'p', 'P':
		c.g.setMode(plain, i)
	case 'm', 'M':
		c.modelMenu()
	case 'd', 'D':
		c.deviceMenu()
	case 'h', 'H', '?':
		c.help = !c.help
	case 'q', 'Q':
		c.quit = true
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if index := int(r - '0'); m == features && index < c.maps() {
			c.g.setMode(features, index)
		}
	}
}

// maps is how many feature maps the open network has.
func (c *control) maps() int {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	if c.g.open == nil {
		return 0
	}
	return c.g.info.Config.Maps()
}

// toggle shows something, or the picture alone if that is shown already.
func (c *control) toggle(want mode) {
	m, i := c.view()
	if m == want {
		want = plain
	}
	c.g.setMode(want, i)
}

func (c *control) modelMenu() {
	c.g.mu.Lock()
	want := c.g.want
	c.g.mu.Unlock()
	m := &menu{title: "Model", choose: func(i int) { c.g.setModel(c.models[i]) }}
	for i, model := range c.models {
		if model == want {
			m.at = i
		}
		m.entries = append(m.entries, model.String())
	}
	c.menu = m
}

func (c *control) deviceMenu() {
	c.menu = &menu{title: "Device", entries: c.devices, at: c.device, choose: func(i int) {
		if i != c.device {
			c.restart = i
		}
	}}
}

// String is what a menu calls a model.
func (m Model) String() string {
	if m.Weights != "" {
		return m.Name + " (generated weights)"
	}
	return m.Name
}

func (c *control) choose(i int) {
	m := c.menu
	c.menu = nil
	m.choose(i)
}

func (c *control) scroll(y float64) {
	c.dirty = true
	switch {
	case c.menu != nil:
	case y < 0:
		c.g.move(1)
	case y > 0:
		c.g.move(-1)
	}
}

func (c *control) drop(names []string) {
	c.dirty = true
	c.expand(names)
}

func (c *control) hover(x, y float32) {
	if c.under(c.x, c.y) != c.under(x, y) {
		c.dirty = true
	}
	c.x, c.y = x, y
}

// under is the index of the hotspot at a place, -1 if there is none.
func (c *control) under(x, y float32) int {
	for i := len(c.hot) - 1; i >= 0; i-- {
		if c.hot[i].at.has(x, y) {
			return i
		}
	}
	return -1
}

func (c *control) click(x, y float32) {
	c.acted()
	if i := c.under(x, y); i >= 0 {
		c.hot[i].do()
	} else if c.menu != nil || c.help {
		c.menu, c.help = nil, false
	}
}
