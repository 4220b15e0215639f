package main

import (
	"context"
	"fmt"
	"image"
	"time"

	_ "image/jpeg"
	_ "image/png"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"

	"github.com/bitgpu/bitgpu"
)

const bars = 5

// picker is the content of the window. All of it belongs to the thread of the toolkit, which waits for nothing: files,
// the device and the network are goroutines' business, and fyne.Do brings what they find.
type picker struct {
	window  fyne.Window
	open    *widget.Button
	loading *widget.ProgressBar
	picture *canvas.Image
	labels  [bars]*widget.Label
	probs   [bars]*widget.ProgressBar

	ctx     context.Context
	cancel  context.CancelFunc
	opening *bitgpu.Opening
	latest  int // number of the picture that was chosen last

	opened   func()       // if set, called when the network is there
	answered func(string) // if set, told every answer or error
}

// newPicker fills a window and begins to open the network.
func newPicker(ctx context.Context, window fyne.Window, model string) *picker {
	p := &picker{window: window, loading: widget.NewProgressBar(), picture: &canvas.Image{FillMode: canvas.ImageFillContain}}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.open = widget.NewButton("Open a picture …", p.pick)
	p.open.Disable()
	answers := container.NewGridWithColumns(2)
	for i := range bars {
		p.labels[i], p.probs[i] = widget.NewLabel(""), widget.NewProgressBar()
		answers.Add(p.labels[i])
		answers.Add(p.probs[i])
	}
	window.SetContent(container.NewBorder(container.NewVBox(p.open, p.loading), answers, nil, nil, p.picture))
	window.SetOnDropped(func(_ fyne.Position, files []fyne.URI) {
		if !p.open.Disabled() {
			p.show(files[0])
		}
	})
	p.opening = bitgpu.OpenAsync(p.ctx, model, bitgpu.Options{})
	go p.load()
	return p
}

// load moves the bar while the network is opened.
func (p *picker) load() {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.opening.Done():
			_, err := p.opening.Model()
			fyne.Do(func() { p.loaded(err) })
			return
		case <-ticker.C:
			at := p.opening.Progress()
			fyne.Do(func() {
				p.loading.TextFormatter = at.Phase.String
				if at.Total > 0 {
					p.loading.SetValue(float64(at.Done) / float64(at.Total))
				}
				p.loading.Refresh()
			})
		}
	}
}

func (p *picker) loaded(err error) {
	p.loading.Hide()
	if err != nil {
		p.fail(err)
		return
	}
	p.open.Enable()
	if p.opened != nil {
		p.opened()
	}
}

// pick lets the user choose a picture.
func (p *picker) pick() {
	d := dialog.NewFileOpen(p.picked, p.window)
	d.SetFilter(storage.NewExtensionFileFilter([]string{".png", ".jpg", ".jpeg"}))
	d.Show()
}

// picked is what the dialog calls, with neither a file nor an error if it was left.
func (p *picker) picked(file fyne.URIReadCloser, err error) {
	switch {
	case err != nil:
		p.fail(err)
	case file != nil:
		file.Close()
		p.show(file.URI())
	}
}

// show shows a picture and what it is, unless another one is chosen meanwhile.
func (p *picker) show(file fyne.URI) {
	p.latest++
	number := p.latest
	go func() {
		picture, top, err := p.classify(file)
		fyne.Do(func() {
			switch {
			case number != p.latest:
			case err != nil:
				p.fail(err)
			default:
				p.answer(picture, top)
			}
		})
	}()
}

// classify runs in a goroutine of its own.
func (p *picker) classify(file fyne.URI) (image.Image, []bitgpu.Prediction, error) {
	r, err := storage.Reader(file)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	picture, _, err := image.Decode(r)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	m, err := p.opening.Model()
	if err != nil {
		return nil, nil, err
	}
	top, err := m.Classify(p.ctx, picture, bars)
	return picture, top, err
}

func (p *picker) answer(picture image.Image, top []bitgpu.Prediction) {
	p.picture.Image = picture
	p.picture.Refresh()
	for i, t := range top {
		p.labels[i].SetText(t.Label)
		p.probs[i].SetValue(float64(t.Prob))
	}
	p.tell(fmt.Sprintf("%s, %.0f %%", top[0].Label, 100*top[0].Prob))
}

func (p *picker) fail(err error) {
	dialog.ShowError(err, p.window)
	p.tell(err.Error())
}

func (p *picker) tell(text string) {
	if p.answered != nil {
		p.answered(text)
	}
}

// close ends what is under way, when the window is gone.
func (p *picker) close() {
	p.cancel()
	if m, err := p.opening.Model(); err == nil {
		m.Close()
	}
}
