package loader_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	_ "image/gif"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"

	"github.com/bitgpu/bitgpu/loader"
)

// wrapped hides an image's type, so that only its At is left.
type wrapped struct{ image.Image }

// What a Go program decodes itself converts as Decode would have done.
func TestFromGoImageEqualsDecode(t *testing.T) {
	files, err := filepath.Glob(preproc + "/cases/*")
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, file := range files {
		ext := filepath.Ext(file)
		if !slices.Contains([]string{".png", ".bmp", ".tif"}, ext) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := image.Decode(bytes.NewReader(data))
		if ext == ".bmp" && errors.Is(err, bmp.ErrUnsupported) {
			continue // Decode reads more of them
		}
		if err != nil {
			t.Fatal(err)
		}
		if ext == ".tif" && filepath.Base(file)[:7] != "tiff_rg" && filepath.Base(file)[:7] != "tiff_gr" && filepath.Base(file)[:7] != "tiff_pr" {
			continue // those that image/tiff itself does not turn upright
		}
		compared[ext]++
		want := decodePicture(t, file)
		if d, _ := difference(loader.FromGoImage(m), want); d != 0 {
			t.Errorf("%s: %T differs by %d", file, m, d)
		}
	}
	if compared[".png"] < 20 || compared[".bmp"] < 5 || compared[".tif"] < 3 {
		t.Errorf("compared only %v", compared)
	}
}

func TestFromGoImageColors(t *testing.T) {
	r := image.Rect(0, 0, 1, 1)
	palette := color.Palette{color.White, color.NRGBA{200, 100, 50, 0}}
	for name, c := range map[string]struct {
		img  image.Image
		want [3]uint8
	}{
		"Gray":               {&image.Gray{Pix: []uint8{77}, Stride: 1, Rect: r}, [3]uint8{77, 77, 77}},
		"Gray16 high byte":   {&image.Gray16{Pix: []uint8{77, 255}, Stride: 2, Rect: r}, [3]uint8{77, 77, 77}},
		"NRGBA under 0":      {&image.NRGBA{Pix: []uint8{200, 100, 50, 0}, Stride: 4, Rect: r}, [3]uint8{200, 100, 50}},
		"NRGBA64 high bytes": {&image.NRGBA64{Pix: []uint8{200, 255, 100, 255, 50, 255, 0, 0}, Stride: 8, Rect: r}, [3]uint8{200, 100, 50}},
		"RGBA opaque":        {&image.RGBA{Pix: []uint8{200, 100, 50, 255}, Stride: 4, Rect: r}, [3]uint8{200, 100, 50}},
		"RGBA half":          {&image.RGBA{Pix: []uint8{100, 50, 25, 128}, Stride: 4, Rect: r}, [3]uint8{199, 99, 49}},
		"RGBA none":          {&image.RGBA{Pix: []uint8{0, 0, 0, 0}, Stride: 4, Rect: r}, [3]uint8{}},
		"RGBA invalid":       {&image.RGBA{Pix: []uint8{200, 100, 50, 10}, Stride: 4, Rect: r}, [3]uint8{255, 255, 255}},
		"RGBA64 half":        {&image.RGBA64{Pix: []uint8{100, 9, 50, 9, 25, 9, 128, 9}, Stride: 8, Rect: r}, [3]uint8{199, 99, 49}},
		"Paletted":           {&image.Paletted{Pix: []uint8{1}, Stride: 1, Rect: r, Palette: palette}, [3]uint8{200, 100, 50}},
		"Paletted outside":   {&image.Paletted{Pix: []uint8{9}, Stride: 1, Rect: r, Palette: palette}, [3]uint8{}},
		"CMYK":               {&image.CMYK{Pix: []uint8{0, 128, 255, 55}, Stride: 4, Rect: r}, [3]uint8{200, 100, 0}},
		"wrapped NRGBA":      {wrapped{&image.NRGBA{Pix: []uint8{200, 100, 50, 0}, Stride: 4, Rect: r}}, [3]uint8{200, 100, 50}},
		"wrapped NRGBA64":    {wrapped{&image.NRGBA64{Pix: []uint8{200, 9, 100, 9, 50, 9, 0, 0}, Stride: 8, Rect: r}}, [3]uint8{200, 100, 50}},
		"wrapped RGBA half":  {wrapped{&image.RGBA{Pix: []uint8{100, 50, 25, 128}, Stride: 4, Rect: r}}, [3]uint8{199, 99, 49}},
		"uniform":            {image.NewUniform(color.Gray{9}), [3]uint8{9, 9, 9}},
	} {
		img := c.img
		if u, ok := img.(*image.Uniform); ok {
			img = cut{u, r}
		}
		m := loader.FromGoImage(img)
		if m.Width != 1 || m.Height != 1 || [3]uint8(m.Pix) != c.want {
			t.Errorf("%s: %+v, want %v", name, m, c.want)
		}
	}
}

// cut gives an unbounded image bounds.
type cut struct {
	image.Image
	rect image.Rectangle
}

func (c cut) Bounds() image.Rectangle { return c.rect }

// A part of a picture converts to that part of the conversion.
func TestFromGoImageSubImage(t *testing.T) {
	whole, part := image.Rect(0, 0, 12, 9), image.Rect(3, 2, 10, 7)
	fill := func(pix []uint8) {
		for i := range pix {
			pix[i] = uint8(i*37 + i/7)
		}
	}
	rgba, nrgba64, paletted, cmyk := image.NewNRGBA(whole), image.NewNRGBA64(whole), image.NewPaletted(whole, make(color.Palette, 256)), image.NewCMYK(whole)
	for i := range paletted.Palette {
		paletted.Palette[i] = color.RGBA{uint8(i), uint8(i * 3), uint8(i * 5), 255}
	}
	for _, pix := range [][]uint8{rgba.Pix, nrgba64.Pix, paletted.Pix, cmyk.Pix} {
		fill(pix)
	}
	for _, img := range []interface {
		image.Image
		SubImage(image.Rectangle) image.Image
	}{rgba, nrgba64, paletted, cmyk} {
		all, sub := loader.FromGoImage(img), loader.FromGoImage(img.SubImage(part))
		for y := range part.Dy() {
			from := ((y+part.Min.Y)*all.Width + part.Min.X) * 3
			want, got := all.Pix[from:from+part.Dx()*3], sub.Pix[y*part.Dx()*3:(y+1)*part.Dx()*3]
			if !bytes.Equal(got, want) {
				t.Errorf("%T row %d: %v, want %v", img, y, got, want)
			}
		}
	}
	if m := loader.FromGoImage(rgba.SubImage(image.Rect(5, 5, 5, 5))); m.Width != 0 || m.Height != 0 || len(m.Pix) != 0 {
		t.Errorf("empty part: %+v", m)
	}
}

// Subsampled chroma keeps its phase in a part that starts at odd pixels: away
// from the part's border, where the filter sees other samples, nothing changes.
func TestFromGoImageYCbCrSubImage(t *testing.T) {
	const margin = 4
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		img := image.NewYCbCr(image.Rect(0, 0, 33, 31), ratio)
		for _, plane := range [][]uint8{img.Y, img.Cb, img.Cr} {
			for i := range plane {
				plane[i] = uint8(i*29 + i/5)
			}
		}
		all := loader.FromGoImage(img)
		for _, min := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {3, 5}, {6, 2}} {
			part := image.Rectangle{min, image.Pt(29, 28)}
			sub := loader.FromGoImage(img.SubImage(part))
			for y := margin; y < sub.Height-margin; y++ {
				for x := margin; x < sub.Width-margin; x++ {
					got, want := (y*sub.Width+x)*3, ((y+min.Y)*all.Width+x+min.X)*3
					if [3]uint8(sub.Pix[got:]) != [3]uint8(all.Pix[want:]) {
						t.Fatalf("%v from %v: pixel %d,%d differs", ratio, min, x, y)
					}
				}
			}
		}
	}
	negative := image.NewYCbCr(image.Rect(-3, -3, 5, 5), image.YCbCrSubsampleRatio420)
	if m := loader.FromGoImage(negative); m.Width != 8 || m.Height != 8 {
		t.Errorf("picture at negative coordinates: %d x %d", m.Width, m.Height)
	}
}

// NYCbCrA drops its alpha.
func TestFromGoImageNYCbCrA(t *testing.T) {
	img := image.NewNYCbCrA(image.Rect(0, 0, 4, 4), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i * 16)
	}
	if a, b := loader.FromGoImage(img), loader.FromGoImage(&img.YCbCr); !bytes.Equal(a.Pix, b.Pix) {
		t.Errorf("%v, want %v", a.Pix, b.Pix)
	}
}
