package main

// This file owns the page of bitgpu search: one HTML file with every picture in it, small, as JPEG. It is
// written query by query.

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"runtime"
	"slices"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"golang.org/x/image/draw"
)

//go:embed contactsheet.html
var contactSheetHTML string

// thumbnailSide is the longer side of a picture in the page, in pixels: enough for a screen with two to a dot.
const thumbnailSide = 360

// contactSheet is a page that is being written.
type contactSheet struct {
	*textFile
	html *template.Template
	path string
}

func (a *app) newContactSheet(path string) (*contactSheet, error) {
	html, err := template.New("").Parse(contactSheetHTML)
	if err != nil {
		return nil, err
	}
	if path == "-" {
		return nil, usage("--html: want a file, for the answers go to standard output")
	}
	file, err := a.createText(path)
	if err != nil {
		return nil, fmt.Errorf("--html: %w", err)
	}
	return &contactSheet{file, html, path}, nil
}

// begin writes what comes before the first query.
func (s *contactSheet) begin(path string, x *index.Index, queries int) error {
	return s.write("head", struct {
		Index, Model      string
		Pictures, Queries int
	}{path, x.Space().Model, x.Len(), queries})
}

// write executes a part of the page; what could not be written Close says.
func (s *contactSheet) write(part string, data any) error {
	if err := s.html.ExecuteTemplate(s.textFile, part, data); err != nil {
		return fmt.Errorf("--html: %s: %w", s.path, err)
	}
	return nil
}

// picture is one of the page's.
type picture struct {
	File       string
	Source     template.URL // the thumbnail; empty if there is none
	Width      int
	Height     int
	Missing    string // why there is no thumbnail
	Similarity string
	Share      float64 // of the bar that shows the similarity, 0 to 100
}

// add writes a query with its neighbours.
func (s *contactSheet) add(ctx context.Context, f pictureFlags, q *query) error {
	if q.err != nil {
		return s.write("failed", struct{ File, Error string }{q.input.file, message(q.err)})
	}
	inputs := []input{q.input}
	if q.row >= 0 {
		inputs[0].err = nil // the index has it
	}
	for _, n := range q.nearest {
		inputs = append(inputs, input{file: n.file})
	}
	var all []picture
	for p := range ordered(ctx, slices.Values(inputs), runtime.GOMAXPROCS(0), func(i input) picture { return f.thumbnail(ctx, i) }) {
		all = append(all, p)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, n := range q.nearest {
		all[i+1].Similarity = fmt.Sprintf("%.4f", n.similarity)
		all[i+1].Share = 100 * float64(min(max(n.similarity, 0), 1))
	}
	return s.write("query", struct {
		Query   picture
		Nearest []picture
	}{all[0], all[1:]})
}

// Close writes what comes after the last query, and completes the file.
func (s *contactSheet) Close() error {
	if s.file == nil {
		return nil
	}
	if err := s.write("foot", nil); err != nil {
		return err
	}
	return s.textFile.Close()
}

// thumbnail makes a small picture, or says why there is none.
func (f *pictureFlags) thumbnail(ctx context.Context, i input) picture {
	p := picture{File: i.file}
	if i.open != nil && i.file == standardInput {
		p.Missing = "from standard input"
		return p
	}
	whole, err := f.decode(ctx, i)
	if err != nil {
		p.Missing = message(err)
		return p
	}
	small := shrink(whole)
	var data bytes.Buffer
	if err := jpeg.Encode(&data, small, &jpeg.Options{Quality: 85}); err != nil {
		p.Missing = message(err)
		return p
	}
	p.Width, p.Height = small.Rect.Dx(), small.Rect.Dy()
	p.Source = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(data.Bytes()))
	return p
}

// shrink makes a picture fit into thumbnailSide; small ones stay as they are.
func shrink(m *loader.Image) *image.RGBA {
	from := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(from.Pix[4*i:], m.Pix[3*i:3*i+3])
		from.Pix[4*i+3] = 255
	}
	longer := max(m.Width, m.Height)
	if longer <= thumbnailSide {
		return from
	}
	to := image.NewRGBA(image.Rect(0, 0, max(m.Width*thumbnailSide/longer, 1), max(m.Height*thumbnailSide/longer, 1)))
	draw.CatmullRom.Scale(to, to.Rect, from, from.Rect, draw.Src, nil)
	return to
}
