//go:build desktop

package view

import (
	"image"
	"time"

	"github.com/bitgpu/bitgpu/gpu/present"
	"github.com/bitgpu/bitgpu/loader"
	"golang.org/x/image/draw"
)

// picture is a decoded picture.
type picture struct {
	full    *image.NRGBA
	levels  []*image.NRGBA // what is shown: at most maxShown pixels on a side, and halves of it
	decoded time.Duration  // reading and decoding
}

// maxShown is the largest side of what is shown of a picture; every device has textures of that size.
const maxShown = 2048

func newPicture(img *loader.Image) *picture {
	full := image.NewNRGBA(image.Rect(0, 0, img.Width, img.Height))
	for i, j := 0, 0; i < len(img.Pix); i, j = i+3, j+4 {
		copy(full.Pix[j:], img.Pix[i:i+3])
		full.Pix[j+3] = 255
	}
	return &picture{full: full, levels: levels(full)}
}

// levels makes what is shown: the picture, or a smaller one, and halves down to one pixel.
func levels(img *image.NRGBA) []*image.NRGBA {
	if w, h := img.Rect.Dx(), img.Rect.Dy(); max(w, h) > maxShown {
		k := float64(maxShown) / float64(max(w, h))
		small := image.NewNRGBA(image.Rect(0, 0, max(int(float64(w)*k), 1), max(int(float64(h)*k), 1)))
		for img.Rect.Dx() >= 2*small.Rect.Dx() && img.Rect.Dy() >= 2*small.Rect.Dy() {
			img = half(img)
		}
		draw.BiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
		img = small
	}
	all := []*image.NRGBA{img}
	for img.Rect.Dx() > 1 || img.Rect.Dy() > 1 {
		img = half(img)
		all = append(all, img)
	}
	return all
}

// half makes a picture of half the size, each pixel the mean of four.
func half(img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	dst := image.NewNRGBA(image.Rect(0, 0, max(w/2, 1), max(h/2, 1)))
	right, down := 4, img.Stride
	if w == 1 {
		right = 0
	}
	if h == 1 {
		down = 0
	}
	for y := range dst.Rect.Dy() {
		row := img.Pix[min(2*y, h-1)*img.Stride:]
		out := dst.Pix[y*dst.Stride:]
		for x := range dst.Rect.Dx() {
			at := min(2*x, w-1) * 4
			for c := range 4 {
				i := at + c
				out[4*x+c] = uint8((int(row[i]) + int(row[i+right]) + int(row[i+down]) + int(row[i+right+down]) + 2) / 4)
			}
		}
	}
	return dst
}

// texture makes a texture of a picture's levels, each half of the one before.
func texture(d *present.Device, levels []*image.NRGBA) (*present.Texture, error) {
	size := levels[0].Rect
	t, err := d.NewTexture(present.RGBA8, size.Dx(), size.Dy(), len(levels))
	if err != nil {
		return nil, err
	}
	for i, l := range levels {
		if err := t.Upload(i, 0, 0, l.Rect.Dx(), l.Rect.Dy(), l.Pix); err != nil {
			t.Release()
			return nil, err
		}
	}
	return t, nil
}
