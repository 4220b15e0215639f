//go:build desktop

package view

import (
	"context"
	"errors"
	"image"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
)

// network is what the viewer has of a *bitgpu.Model.
type network interface {
	Info() bitgpu.Info
	Profile(ctx context.Context, img image.Image, want bitgpu.Outputs) (*bitgpu.Output, []bitgpu.StageTime, error)
	ClassMaps(ctx context.Context, unpooled *bitgpu.Tensor, classes ...int) (maps *bitgpu.Tensor, bias []float32, err error)
	Features(ctx context.Context, img image.Image, indices ...int) ([]*bitgpu.Tensor, error)
	Top(logits []float32, k int) []bitgpu.Prediction
	Close() error
}

// opener opens a network.
type opener func(ctx context.Context, name string, o bitgpu.Options) (network, error)

func openModel(ctx context.Context, name string, o bitgpu.Options) (network, error) {
	m, err := bitgpu.Open(ctx, name, o)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// workers fill the gallery while a device is open: one decodes the pictures around the current one, one has the network
// run. They end when the gallery is closed.
type workers struct {
	g       *gallery
	ctx     context.Context // ends with them
	cancel  context.CancelFunc
	open    opener
	options bitgpu.Options // of every model
	wait    sync.WaitGroup
	err     error // of closing models; valid after stop
}

func startWorkers(g *gallery, open opener, o bitgpu.Options) *workers {
	if open == nil {
		open = openModel
	}
	w := &workers{g: g, open: open, options: o}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.wait.Go(w.read)
	w.wait.Go(w.run)
	return w
}

// stop ends the workers, whatever they are at, and closes their model. The error is what the device said then.
func (w *workers) stop() error {
	w.g.close()
	w.cancel()
	w.wait.Wait()
	return w.err
}

// decode reads a picture and decodes it.
func decode(ctx context.Context, i Item) (*picture, error) {
	start := time.Now()
	img, err := i.Decode(ctx)
	if err != nil {
		return nil, err
	}
	taken := time.Since(start)
	p := newPicture(img)
	p.decoded = taken
	return p, nil
}

// read decodes pictures before they are looked at, and draws maps again.
func (w *workers) read() {
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed {
		if it := g.toRead(); it != nil {
			w.readOne(it)
		} else if a := g.toDraw(); a != nil {
			cells, info := a.cells, g.info
			g.mu.Unlock()
			heat := heatOf(cells, info)
			g.mu.Lock()
			a.heat = heat
		} else {
			g.change.Wait()
			continue
		}
		g.changed()
	}
}

// readOne decodes a picture, unless that is given up; g.mu is held before and after.
func (w *workers) readOne(it *item) {
	g := w.g
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	g.reading, g.cancelReading = it, cancel
	g.mu.Unlock()
	p, err := decode(ctx, it.Item)
	g.mu.Lock()
	g.reading, g.cancelReading = nil, nil
	if ctx.Err() == nil || err == nil {
		it.picture, it.err = p, err
		g.giveWay()
	}
}

func heatOf(cells *bitgpu.Tensor, info bitgpu.Info) *image.NRGBA {
	return heatmap(cells.Data, cells.Shape[2], cells.Shape[3], info.Preprocess.Size, info.Config.Stride())
}

// run opens the model that is wanted and has it answer.
func (w *workers) run() {
	g := w.g
	var m network
	closeModel := func() {
		if m != nil {
			w.err = errors.Join(w.err, m.Close())
			m = nil
		}
	}
	defer closeModel()
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed && g.lost == nil {
		if g.open == nil || *g.open != g.want {
			if g.openErr != nil {
				g.change.Wait()
				continue
			}
			g.open = nil
			g.mu.Unlock()
			closeModel()
			m = w.openWanted()
			g.mu.Lock()
			continue
		}
		j, ok := g.toRun()
		if !ok {
			g.change.Wait()
			continue
		}
		w.answer(m, j)
	}
}

// openWanted opens the wanted model; nil if that fails.
func (w *workers) openWanted() network {
	g := w.g
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	g.mu.Lock()
	want := g.want
	g.cancel = cancel
	g.mu.Unlock()
	o := w.options
	o.Weights, o.Precision = want.Weights, want.Precision
	o.Progress = func(done, total int64) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.want == want {
			g.loaded = [2]int64{done, total}
			g.version++
			g.wake()
		}
	}
	m, err := w.open(ctx, want.Name, o)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel = nil
	switch {
	case errors.Is(err, gpu.ErrDeviceLost):
		g.lost = err
	case err != nil && g.want == want && ctx.Err() == nil:
		g.openErr = err
	case err == nil:
		g.open, g.info = &want, m.Info()
		g.mapIndex = min(g.mapIndex, m.Info().Config.Maps()-1)
	}
	g.changed()
	return m
}

// answer does a job; g.mu is held before and after.
func (w *workers) answer(m network, j job) {
	g := w.g
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	key, topk := *g.open, g.topk
	g.running, g.started, g.cancel = j.item, time.Now(), cancel
	p := j.item.picture
	g.version++
	g.wake()
	g.mu.Unlock()

	var err error
	if p == nil {
		p, err = decode(ctx, j.item.Item)
	}
	var a *answer
	var one *grid
	if err == nil {
		if j.grid >= 0 {
			one, err = runGrid(ctx, m, p, j.grid)
		} else {
			a, err = runAnswer(ctx, m, p, topk)
		}
	}

	g.mu.Lock()
	g.running, g.cancel = nil, nil
	switch {
	case ctx.Err() != nil: // somebody wants something else
	case errors.Is(err, gpu.ErrDeviceLost):
		g.lost = err
	case p == nil:
		j.item.err = err
	case j.grid >= 0:
		old := j.item.answers[key]
		if old == nil {
			break
		}
		if err != nil {
			old.err = err
			break
		}
		if old.grids == nil {
			old.grids = map[int]*grid{}
		}
		old.grids[j.grid] = one
	case err != nil:
		j.item.answers[key] = &answer{err: err}
	default:
		j.item.answers[key] = a
		g.guess = time.Since(g.started)
	}
	g.changed()
}

// runAnswer runs a picture for its answer and its activation map.
func runAnswer(ctx context.Context, m network, p *picture, topk int) (*answer, error) {
	info := m.Info()
	classes := info.Config.Classes > 0
	out, stages, err := m.Profile(ctx, p.full, bitgpu.Outputs{Logits: classes, Embedding: !classes, Unpooled: classes})
	if err != nil {
		return nil, err
	}
	a := &answer{stages: stages, time: total(stages), maps: info.Config.Maps(), crop: cropOf(p.full.Rect, info.Preprocess)}
	if !classes {
		return a, nil
	}
	a.top = m.Top(out.Logits.Data, topk)
	if a.cells, _, err = m.ClassMaps(ctx, out.Unpooled, a.top[0].Index); err != nil {
		return nil, err
	}
	a.heat = heatOf(a.cells, info)
	return a, nil
}

// runGrid runs a picture for one of its feature maps.
func runGrid(ctx context.Context, m network, p *picture, index int) (*grid, error) {
	maps, err := m.Features(ctx, p.full, index)
	if err != nil {
		return nil, err
	}
	return drawGrid(index, maps[0]), nil
}

// cropOf is the part of a picture that a network sees.
func cropOf(r image.Rectangle, p loader.Preprocess) image.Rectangle {
	rw, rh, left, top := p.Geometry(r.Dx(), r.Dy())
	scale := func(v, in, out int) int { return (2*v*out + in) / (2 * in) }
	return image.Rect(
		scale(left, rw, r.Dx()), scale(top, rh, r.Dy()),
		scale(left+p.Size, rw, r.Dx()), scale(top+p.Size, rh, r.Dy()),
	)
}
