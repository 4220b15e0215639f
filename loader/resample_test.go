package loader_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// resampled is a crop as Resample's comment says that it is made.
func resampled(t *testing.T, p loader.Preprocess, m *loader.Image) []uint8 {
	t.Helper()
	r, err := p.Resample(m.Width, m.Height)
	if err != nil {
		t.Fatal(err)
	}
	pass := func(a loader.Axis, i int, sample func(j int) uint8) uint8 {
		sum := int64(1 << 21)
		for j, k := range a.Coeffs[i*a.Taps : (i+1)*a.Taps] {
			if k != 0 {
				sum += int64(k) * int64(sample(int(a.First[i])+j))
			}
		}
		if sum != int64(int32(sum)) {
			t.Fatalf("a sum of %d", sum)
		}
		return uint8(min(max(sum>>22, 0), 255))
	}
	n := p.Size
	rows := make([]uint8, r.Height*n*3)
	for y := range r.Height {
		for x := range n * 3 {
			rows[y*n*3+x] = pass(r.Columns, x/3, func(j int) uint8 {
				if j >= r.Width {
					t.Fatalf("column %d of %d", j, r.Width)
				}
				return m.Pix[((r.Top+y)*m.Width+r.Left+j)*3+x%3]
			})
		}
	}
	crop := make([]uint8, n*n*3)
	for i := range crop {
		crop[i] = pass(r.Rows, i/(n*3), func(j int) uint8 { return rows[j*n*3+i%(n*3)] })
	}
	return crop
}

func TestResampleDescribesApply(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, size := range [][2]int{{1, 1}, {1, 90}, {90, 1}, {40, 40}, {33, 57}, {131, 60}, {20, 27}, {64, 40}} {
		m := &loader.Image{Width: size[0], Height: size[1], Pix: make([]uint8, size[0]*size[1]*3)}
		for i := range m.Pix {
			m.Pix[i] = uint8(rng.IntN(2) * 255) // the largest overshoot
		}
		for _, p := range []loader.Preprocess{
			{Size: 40, CropPct: 0.875, Interpolation: loader.Bicubic}, {Size: 40, Interpolation: loader.Bilinear},
			{Size: 7, CropPct: 0.5, Interpolation: loader.Bicubic},
		} {
			want, err := p.Apply(m)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(resampled(t, p, m), want.Pix) {
				t.Errorf("%+v of %v: another crop", p, size)
			}
		}
	}
}

// A panorama's ends do not reach its crop.
func TestResampleNeedsAPartOnly(t *testing.T) {
	r, err := loader.Preprocess{Size: 100, CropPct: 1, Interpolation: loader.Bicubic}.Resample(10000, 100)
	if err != nil || r.Left != 4950 || r.Width != 100 || r.Top != 0 || r.Height != 100 || r.Columns.Taps != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestResampleOfWrongSizes(t *testing.T) {
	good := loader.Preprocess{Size: 8}
	for want, f := range map[string]func() (*loader.Resample, error){
		"0 x 5":  func() (*loader.Resample, error) { return good.Resample(0, 5) },
		"5 x -1": func() (*loader.Resample, error) { return good.Resample(5, -1) },
		"size 0": func() (*loader.Resample, error) { return loader.Preprocess{}.Resample(5, 5) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
