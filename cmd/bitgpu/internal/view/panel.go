//go:build desktop

package view

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu/gpu/present"
)

// panel draws the side panel: the picture's name, its answer, the times, the network and the device.
func (s *scene) panel(c *canvas, b box, v *shown) {
	c.fill(b, 0, panelColor)
	c.fill(box{b.x, b.y, 1, b.h}, 0, line)
	in := box{b.x + 24, b.y, b.w - 48, b.h}
	y := float32(40)
	if !v.empty {
		c.text(in.x, y, title, bright, c.elide(title, filepath.Base(v.name), in.w, true))
		where := filepath.Dir(v.name)
		if where == "." {
			where = ""
		}
		c.text(in.x, y+20, small, faint, c.elide(small, where, in.w, true))
		y += 54
		floor := b.h - s.below(v)
		y = s.answerPart(c, in, y, floor, v)
		s.timePart(c, in, y+26, floor, v)
	}
	s.modelPart(c, in, b.h, v)
}

// below is how much of the panel's height modelPart takes.
func (s *scene) below(v *shown) float32 {
	if s.behind(v) {
		return 132
	}
	return 96
}

// behind says whether there are pictures without an answer that the panel counts.
func (s *scene) behind(v *shown) bool { return v.count > 1 && (v.answered < v.count || v.scanning) }

// header is the title of a part, with something at the right.
func header(c *canvas, b box, y float32, text, right string) {
	x := b.x
	for _, r := range strings.ToUpper(text) { // capitals are set apart
		x += c.text(x, y, caption, faint, string(r)) + 0.9
	}
	c.right(b.x+b.w, y, small, muted, right)
}

// grown is how much of the bars is drawn.
func (s *scene) grown() float32 {
	t := float32(time.Since(s.since)) / float32(growing)
	if s.still || t >= 1 {
		return 1
	}
	s.animated = true
	return 1 - (1-t)*(1-t)*(1-t)
}

// answerPart draws the classes with bars, as many as there is room for above floor, or what is in their way.
func (s *scene) answerPart(c *canvas, b box, y, floor float32, v *shown) float32 {
	if v.err != nil {
		return y
	}
	a := &v.answer
	right := ""
	if v.answered1 != nil && a.time > 0 {
		right = duration(a.time)
	}
	header(c, b, y, "answer", right)
	y += 12
	switch {
	case v.openErr != nil:
		return s.trouble(c, b, y, floor, "The network cannot be opened", v.openErr)
	case v.answered1 != nil && a.err != nil:
		return s.trouble(c, b, y, floor, "The network cannot run this picture", a.err)
	case v.answered1 == nil:
		return s.waiting(c, b, y, v)
	case len(a.top) == 0:
		c.text(b.x, y+22, body, muted, "This network has no classes")
		return y + 30
	}
	grown := s.grown()
	const row = 44
	room := max(int((floor-y)/row), 1)
	for i, p := range a.top[:min(len(a.top), room)] {
		face, color, from, to := body, muted, fade(blue, 0.55), fade(sky, 0.55)
		if i == 0 {
			face, color, from, to = strong, bright, blue, sky
		}
		percent := fmt.Sprintf("%.1f %%", 100*p.Prob)
		w := c.right(b.x+b.w, y+20, face, color, percent)
		c.text(b.x, y+20, face, color, c.elide(face, p.Label, b.w-w-12, false))
		s.bar(c, box{b.x, y + 28, b.w, 6}, p.Prob*grown, from, to)
		y += row
	}
	return y - 4
}

// bar draws a share of a whole.
func (s *scene) bar(c *canvas, b box, share float32, from, to present.Color) {
	c.fill(b, b.h/2, fade(raised, 0.8))
	if w := b.w * min(max(share, 0), 1); w > 0.25 {
		c.blend(box{b.x, b.y, max(w, b.h), b.h}, b.h/2, from, to)
	}
}

// trouble draws an error, as much of it as there is room for above floor.
func (s *scene) trouble(c *canvas, b box, y, floor float32, head string, err error) float32 {
	for _, l := range wrap(c, strong, head, b.w, 2) {
		c.text(b.x, y+20, strong, red, l)
		y += 20
	}
	y += 6
	for _, l := range wrap(c, small, plainly(err), b.w, min(max(int((floor-y)/17), 1), 10)) {
		c.text(b.x, y+16, small, muted, l)
		y += 17
	}
	return y + 8
}

// waiting draws how far the network is.
func (s *scene) waiting(c *canvas, b box, y float32, v *shown) float32 {
	text, share := "Waiting", float32(-1)
	switch {
	case !v.open:
		text = "Loading " + v.model.Name
		if v.loaded[1] > 0 {
			share = float32(v.loaded[0]) / float32(v.loaded[1])
		}
	case v.picture == nil:
		text = "Reading"
	case v.running && v.current:
		text = "Computing"
		if v.guess > 0 {
			share = min(float32(time.Since(v.started))/float32(v.guess), 0.98)
		}
	}
	c.text(b.x, y+20, body, muted, c.elide(body, text, b.w, false))
	at := box{b.x, y + 30, b.w, 6}
	s.animated = !s.still
	if share >= 0 {
		s.bar(c, at, share, blue, sky)
		return y + 40
	}
	// Nobody knows how long it takes: a part of the bar goes to and fro.
	c.fill(at, 3, fade(raised, 0.8))
	t := float32(time.Now().UnixMilli()%2400) / 1200
	if t > 1 {
		t = 2 - t
	}
	t = t * t * (3 - 2*t)
	c.blend(box{at.x + t*at.w*0.7, at.y, at.w * 0.3, at.h}, 3, blue, sky)
	return y + 40
}

// timePart draws what took how long.
func (s *scene) timePart(c *canvas, b box, y, floor float32, v *shown) {
	if v.picture == nil || v.answered1 == nil || v.answer.err != nil || len(v.answer.stages) == 0 {
		return
	}
	if y+10+22*float32(len(v.answer.stages)+1) > floor {
		return // a small window has no room
	}
	sum, most := v.picture.decoded, v.picture.decoded
	for _, t := range v.answer.stages {
		sum, most = sum+t.Time, max(most, t.Time)
	}
	header(c, b, y, "time", duration(sum))
	y += 10
	grown := s.grown()
	row := func(name string, t time.Duration, from, to present.Color) {
		c.text(b.x, y+15, small, muted, name)
		c.right(b.x+b.w, y+15, small, muted, duration(t))
		s.bar(c, box{b.x + 84, y + 8, b.w - 84 - 74, 6}, float32(t)/float32(max(most, 1))*grown, from, to)
		y += 22
	}
	row("decode", v.picture.decoded, fade(muted, 0.5), fade(muted, 0.9))
	for i, t := range v.answer.stages {
		if i == 0 {
			row(t.Name, t.Time, fade(muted, 0.5), fade(muted, 0.9))
			continue
		}
		row(t.Name, t.Time, teal, mint)
	}
}

// modelPart draws the network, the device and how many pictures have been answered, from the bottom up.
func (s *scene) modelPart(c *canvas, b box, bottom float32, v *shown) {
	y := bottom - 26
	keys := "H  all keys"
	w := c.width(small, keys)
	c.text(b.x, y, small, faint, keys)
	s.hot(box{b.x - 6, y - 16, w + 12, 22}, func() { s.control.help = !s.control.help })
	y -= 28
	c.fill(box{b.x, y, b.w, 1}, 0, line)
	y -= 16
	for _, part := range []struct {
		text  string
		face  style
		color present.Color
		do    func()
	}{
		{s.dev.Info().Name, small, faint, s.control.deviceMenu},
		{v.model.String(), strong, muted, s.control.modelMenu},
	} {
		text := c.elide(part.face, part.text, b.w, true)
		at := box{b.x - 6, y - 16, b.w + 12, 22}
		color := part.color
		if s.over(at) {
			color = bright
		}
		c.text(b.x, y, part.face, color, text)
		s.hot(at, part.do)
		y -= 22
	}
	if s.behind(v) {
		y -= 8
		s.bar(c, box{b.x, y, b.w, 4}, float32(v.answered)/float32(v.count), fade(blue, 0.6), fade(sky, 0.6))
		c.text(b.x, y-10, small, faint, c.elide(small, fmt.Sprintf("%d of %d pictures answered", v.answered, v.count), b.w, false))
	}
}

// duration writes a time for people: three digits.
func duration(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 9995:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 999.5:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 99.95:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 9.995:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

// wrap breaks a text into lines of a width, at most so many.
func wrap(c *canvas, s style, text string, width float32, most int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		now := ""
		for _, word := range strings.Fields(paragraph) {
			word = c.elide(s, word, width, true)
			if longer := strings.TrimSpace(now + " " + word); c.width(s, longer) <= width {
				now = longer
				continue
			}
			lines = append(lines, now)
			now = word
		}
		if now != "" {
			lines = append(lines, now)
		}
	}
	if len(lines) > most {
		lines = append(lines[:most-1], c.elide(s, lines[most-1]+" …", width, false))
	}
	return lines
}

// dialog draws a dialog in the middle and returns the room in it.
func dialog(c *canvas, w, h, width, height float32, head string) box {
	c.fill(box{0, 0, w, h}, 0, fade(black, 0.5))
	b := box{(w - min(width, w-40)) / 2, max((h-height)/2, 20), min(width, w-40), height}
	c.shadow(box{b.x, b.y + 8, b.w, b.h}, 12, 30, fade(black, 0.6))
	c.fill(b, 12, line)
	c.fill(b.inset(1), 11, panelColor)
	c.text(b.x+24, b.y+38, title, bright, head)
	return box{b.x + 12, b.y + 56, b.w - 24, b.h - 68}
}

// overMenu draws the menu if there is one.
func (s *scene) overMenu(c *canvas, w, h float32) {
	m := s.control.menu
	if m == nil {
		return
	}
	s.control.hot = nil
	const row = 34
	most := max(int((h-140)/row), 1)
	first := 0
	if m.at >= most {
		first = m.at - most + 1
	}
	entries := m.entries[first:min(first+most, len(m.entries))]
	b := dialog(c, w, h, 560, 68+row*float32(len(entries)), m.title)
	for i, e := range entries {
		at := box{b.x, b.y + row*float32(i), b.w, row - 2}
		color := muted
		switch {
		case first+i == m.at:
			c.fill(at, 8, fade(blue, 0.9))
			color = bright
		case at.has(s.control.x, s.control.y):
			c.fill(at, 8, raised)
		}
		c.text(at.x+12, at.y+21, body, color, c.elide(body, e, at.w-24, true))
		s.hot(at, func() { s.control.choose(first + i) })
	}
}

// overHelp draws the keys.
func (s *scene) overHelp(c *canvas, w, h float32) {
	s.control.hot = nil
	keys := [][2]string{
		{"→  ←", "next and previous picture"},
		{"Home  End", "first and last picture"},
		{"A", "activation map of the best answer"},
		{"F", "feature maps"},
		{"0 – 9", "which feature map"},
		{"P  Esc", "the picture alone"},
		{"M", "choose another network"},
		{"D", "choose another device"},
		{"Q", "quit"},
	}
	const row = 28
	b := dialog(c, w, h, 420, 74+row*float32(len(keys)), "Keys")
	for i, k := range keys {
		y := b.y + 18 + row*float32(i)
		c.text(b.x+12, y, strong, bright, k[0])
		c.text(b.x+120, y, body, muted, k[1])
	}
}
