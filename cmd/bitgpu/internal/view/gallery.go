//go:build desktop

package view

import (
	"context"
	"image"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
)

// Item is a picture that can be read and decoded.
type Item struct {
	Name   string
	Decode func(context.Context) (*loader.Image, error)
}

// Model says which network to open; it is what answers are kept by.
type Model struct {
	Name, Weights string
	Precision     bitgpu.Precision
}

// answer is what a network says of a picture.
type answer struct {
	err    error
	top    []bitgpu.Prediction
	stages []bitgpu.StageTime
	time   time.Duration // of the network: the stages on the device, or as the host sees it
	maps   int           // feature maps that the network has

	crop  image.Rectangle // the part of the picture that the network has seen, in pixels
	cells *bitgpu.Tensor  // [1, 1, H, W] class activation map of top[0]; nil without
	heat  *image.NRGBA    // of cells, near the current picture
	grids map[int]*grid   // by feature map, near the current picture
}

// item is a picture of the gallery.
type item struct {
	Item
	picture *picture // near the current one
	err     error    // of reading or decoding
	answers map[Model]*answer
}

// mode is what is shown of a picture.
type mode int

const (
	plain mode = iota
	activation
	features
)

// near is how far from the current picture decoded pictures and images of answers are kept.
const near = 2

// gallery is the pictures, and what there is to do for them. All fields are guarded by mu, and so are those of items
// and answers; the images that they point to do not change once they are there.
type gallery struct {
	mu      sync.Mutex
	change  *sync.Cond // of anything that gives workers something to do
	wake    func()     // tells the window
	version int        // counts changes

	items    []*item
	index    int
	scanning int // sequences that still give pictures
	mode     mode
	mapIndex int
	topk     int

	want    Model // to be open
	open    *Model
	openErr error
	info    bitgpu.Info // of the open one
	loaded  [2]int64    // parameters of the one being opened: done, all
	running *item       // that the network computes, nil if it is idle
	started time.Time   // when it began
	cancel  context.CancelFunc
	reading *item         // that is being decoded to be shown
	lost    error         // why the device is of no use any more
	closed  bool          // the workers end, until a device is open again
	ended   bool          // and no more pictures are wanted
	guess   time.Duration // what the last answer took

	cancelReading context.CancelFunc
}

func newGallery(m Model, wake func()) *gallery {
	g := &gallery{want: m, topk: 5, mapIndex: 4, wake: wake}
	g.change = sync.NewCond(&g.mu)
	return g
}

// changed tells everybody; mu is held.
func (g *gallery) changed() {
	g.version++
	g.change.Broadcast()
	g.wake()
}

// now is the number of changes so far.
func (g *gallery) now() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.version
}

// add appends pictures as they come, in a goroutine of its own. show has the first of them become the current one.
func (g *gallery) add(items iter.Seq[Item], show bool) {
	g.mu.Lock()
	g.scanning++
	g.mu.Unlock()
	go func() {
		for i := range items {
			g.mu.Lock()
			if g.ended {
				g.mu.Unlock()
				break
			}
			g.items = append(g.items, &item{Item: i, answers: map[Model]*answer{}})
			if show {
				g.moveTo(len(g.items) - 1)
				show = false
			}
			g.changed()
			g.mu.Unlock()
		}
		g.mu.Lock()
		g.scanning--
		g.changed()
		g.mu.Unlock()
	}()
}

// current is the current picture, nil if there is none; mu is held.
func (g *gallery) current() *item {
	if len(g.items) == 0 {
		return nil
	}
	return g.items[g.index]
}

// moveTo makes another picture the current one; mu is held. Work for a picture that has been left is given up, and what
// is far away is dropped.
func (g *gallery) moveTo(index int) {
	n := len(g.items)
	if n == 0 {
		return
	}
	g.index = ((index % n) + n) % n
	g.giveWay()
	for i, it := range g.items {
		if g.distance(i) <= near {
			continue
		}
		it.picture = nil
		for _, a := range it.answers {
			a.heat, a.grids = nil, nil
		}
	}
	g.changed()
}

// giveWay has work for other pictures be given up if the current one is waiting; mu is held.
func (g *gallery) giveWay() {
	it := g.current()
	if it == nil || it.err != nil {
		return
	}
	if g.running != nil && g.running != it && it.answers[g.want] == nil {
		g.cancel()
	}
	if g.reading != nil && g.reading != it && it.picture == nil {
		g.cancelReading()
	}
}

// distance is how many steps away from the current picture another is, around the ends.
func (g *gallery) distance(i int) int {
	d := max(i-g.index, g.index-i)
	return min(d, len(g.items)-d)
}

// move goes so many pictures on.
func (g *gallery) move(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moveTo(g.index + by)
}

// setMode changes what is shown, and of feature maps which one.
func (g *gallery) setMode(m mode, mapIndex int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode, g.mapIndex = m, mapIndex
	g.changed()
}

// setModel has another network opened.
func (g *gallery) setModel(m Model) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.want == m && g.openErr == nil {
		return
	}
	g.want, g.openErr, g.loaded = m, nil, [2]int64{}
	if g.cancel != nil {
		g.cancel()
	}
	g.changed()
}

// toRead is the next picture to decode, nil if there is none; mu is held.
func (g *gallery) toRead() *item {
	for d := range near {
		for _, i := range []int{g.index + d, g.index - d} {
			if n := len(g.items); n > 0 {
				it := g.items[((i%n)+n)%n]
				if it.picture == nil && it.err == nil {
					return it
				}
			}
		}
	}
	return nil
}

// job is what the network is to compute: of a picture the answer, or with grid a feature map.
type job struct {
	item *item
	grid int // -1 for the answer
}

// toRun is the next job, ok is false if there is none; mu is held. The current picture comes first, then the others in the order in
// which they would be looked at.
func (g *gallery) toRun() (j job, ok bool) {
	it := g.current()
	if it == nil || g.open == nil {
		return job{}, false
	}
	if a := it.answers[g.want]; a != nil && a.err == nil && it.err == nil && g.mode == features && a.grids[g.mapIndex] == nil {
		return job{it, g.mapIndex}, true
	}
	for d := range g.items {
		i := (g.index + d) % len(g.items)
		it := g.items[i]
		if it.picture == nil && g.distance(i) < near {
			continue // it is going to be read
		}
		if it.err == nil && it.answers[g.want] == nil {
			return job{it, -1}, true
		}
	}
	return job{}, false
}

// toDraw is a picture near the current one whose activation map has been dropped; mu is held.
func (g *gallery) toDraw() *answer {
	if it := g.current(); it != nil {
		if a := it.answers[g.want]; a != nil && a.cells != nil && a.heat == nil {
			return a
		}
	}
	return nil
}

// count returns how many pictures have an answer or an error; mu is held.
func (g *gallery) count() int {
	n := 0
	for _, it := range g.items {
		if it.err != nil || it.answers[g.want] != nil {
			n++
		}
	}
	return n
}

// close ends the workers; what they have done stays.
func (g *gallery) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.cancel != nil {
		g.cancel()
	}
	g.change.Broadcast()
}

// end is close for good.
func (g *gallery) end() {
	g.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
}

// reopen has the workers begin again. What failed may work now.
func (g *gallery) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.open, g.openErr, g.lost, g.running, g.cancel, g.loaded = false, nil, nil, nil, nil, nil, [2]int64{}
	for _, it := range g.items {
		maps.DeleteFunc(it.answers, func(_ Model, a *answer) bool { return a.err != nil })
	}
}

// forget drops all answers: another device gives others, and in other times.
func (g *gallery) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.guess = 0
	for _, it := range g.items {
		clear(it.answers)
	}
}

// total adds stage times up, without those before the network.
func total(stages []bitgpu.StageTime) (sum time.Duration) {
	for _, s := range stages[min(1, len(stages)):] {
		sum += s.Time
	}
	return sum
}
