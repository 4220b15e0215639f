package loader_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// configurations are those of the BiT models, by the golden data's names.
var configurations = map[string]loader.Preprocess{
	"384":   {Size: 384, CropPct: 1, Interpolation: loader.Bicubic},
	"224":   {Size: 224, CropPct: 0.875, Interpolation: loader.Bicubic},
	"448bl": {Size: 448, CropPct: 1, Interpolation: loader.Bilinear},
	"224bl": {Size: 224, CropPct: 0.875, Interpolation: loader.Bilinear},
}

// picture is an entry of the manifest: what Pillow made of one file.
type picture struct {
	File   string
	Size   [2]int
	SHA256 string // of the decoded picture; empty where it is the file's own pixels
	Crops  map[string]struct {
		Resized [2]int
		LeftTop [2]int `json:"left_top"`
		SHA256  string
	}
}

func pictures(t testing.TB) []picture {
	t.Helper()
	var ps []picture
	readJSON(t, preproc+"/manifest.json", &ps)
	if len(ps) != 29 {
		t.Fatalf("%d pictures in the manifest", len(ps))
	}
	return ps
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sum(pix []uint8) string {
	s := sha256.Sum256(pix)
	return hex.EncodeToString(s[:])
}

// pillowDecoded is what Pillow decodes the file to: what we do, but for 16-bit
// grey, which is saturated here as Pillow does.
func pillowDecoded(t *testing.T, file string) *loader.Image {
	t.Helper()
	m := decodePicture(t, preproc+"/src/"+file)
	if file == "gray16.png" {
		grey := grey16(t, preproc+"/src/"+file)
		for i := range m.Pix {
			m.Pix[i] = uint8(min(grey.Gray16At(i/3%m.Width, i/3/m.Width).Y, 255))
		}
	}
	return m
}

func TestPreprocessEqualsPillow(t *testing.T) {
	for _, p := range pictures(t) {
		t.Run(p.File, func(t *testing.T) {
			m := pillowDecoded(t, p.File)
			if [2]int{m.Width, m.Height} != p.Size {
				t.Fatalf("decoded to %d x %d, want %v", m.Width, m.Height, p.Size)
			}
			if got := sum(m.Pix); p.SHA256 != "" && got != p.SHA256 {
				t.Errorf("decoded: SHA-256 %s, want %s", got, p.SHA256)
			}
			for name, want := range p.Crops {
				c := configurations[name]
				rw, rh, left, top := c.Geometry(m.Width, m.Height)
				if [2]int{rw, rh} != want.Resized || [2]int{left, top} != want.LeftTop {
					t.Errorf("%s: geometry %d x %d + %d, %d; want %v", name, rw, rh, left, top, want)
				}
				crop, err := c.Apply(m)
				if err != nil {
					t.Fatal(err)
				}
				if got := sum(crop.Pix); got != want.SHA256 {
					t.Errorf("%s: SHA-256 %s, want %s", name, got, want.SHA256)
				}
			}
		})
	}
}

// TestFiltersEqualPillow compares crops of every filter by their SHA-256.
func TestFiltersEqualPillow(t *testing.T) {
	var cases []struct {
		Filter, File string
		Crop         int
		CropPct      float64 `json:"crop_pct"`
		SHA256       string
	}
	readJSON(t, preproc+"/filters.json", &cases)
	seen := map[string]bool{}
	for _, c := range cases {
		filter, err := loader.ParseInterpolation(c.Filter)
		if err != nil {
			t.Fatal(err)
		}
		crop, err := loader.Preprocess{Size: c.Crop, CropPct: c.CropPct, Interpolation: filter}.Apply(decodePicture(t, preproc+"/src/"+c.File))
		if err != nil {
			t.Fatal(err)
		}
		if sum(crop.Pix) != c.SHA256 {
			t.Errorf("%s at %d, %v by %s: not Pillow's bytes", c.File, c.Crop, c.CropPct, c.Filter)
		}
		seen[c.Filter] = true
	}
	if len(seen) != len(loader.Interpolations()) {
		t.Errorf("filters %v, want all of %v", seen, loader.Interpolations())
	}
}

func TestGeometryEqualsTorchvision(t *testing.T) {
	var rows [][7]any
	readJSON(t, preproc+"/geometry.json", &rows)
	if len(rows) != 1272 {
		t.Fatalf("%d cases", len(rows))
	}
	for _, r := range rows {
		n := func(i int) int { return int(r[i].(float64)) }
		rw, rh, left, top := configurations[r[2].(string)].Geometry(n(0), n(1))
		if rw != n(3) || rh != n(4) || left != n(5) || top != n(6) {
			t.Errorf("%v: got %d x %d + %d, %d", r, rw, rh, left, top)
		}
	}
}

func TestGeometryOfOtherConfigurations(t *testing.T) {
	for _, c := range []struct {
		p    loader.Preprocess
		w, h int
		want [4]int
	}{
		{loader.Preprocess{Size: 64}, 200, 100, [4]int{128, 64, 32, 0}},                  // no crop_pct: the whole shorter side
		{loader.Preprocess{Size: 224, CropPct: 0.9}, 500, 400, [4]int{310, 248, 43, 12}}, // 248.9 is cut, not rounded
		{loader.Preprocess{Size: 1, CropPct: 0.5}, 1, 1 << 29, [4]int{2, 1 << 30, 0, 1 << 29}},
	} {
		rw, rh, left, top := c.p.Geometry(c.w, c.h)
		if got := [4]int{rw, rh, left, top}; got != c.want {
			t.Errorf("%+v of %d x %d: %v, want %v", c.p, c.w, c.h, got, c.want)
		}
	}
}

func TestNormalizeEqualsPyTorch(t *testing.T) {
	data, err := os.ReadFile(preproc + "/normalize_lut_f32.npy")
	if err != nil {
		t.Fatal(err)
	}
	data = data[len(data)-256*4:]
	crop := make([]uint8, 256*3)
	for v := range 256 {
		crop[3*v], crop[3*v+1], crop[3*v+2] = uint8(v), uint8(v), uint8(255-v)
	}
	p := loader.Preprocess{Mean: [3]float32{0.5, 0.485, 0.5}, Std: [3]float32{0.5, 0.229, 0.5}}
	got := make([]float32, 256*3)
	if err := p.Normalize(got, crop); err != nil {
		t.Fatal(err)
	}
	for v := range 256 {
		want := math.Float32frombits(binary.LittleEndian.Uint32(data[4*v:]))
		if got[v] != want || got[512+255-v] != want {
			t.Errorf("%d: %v and %v, want %v", v, got[v], got[512+255-v], want)
		}
		// The other channel has its own mean and deviation.
		centred := float32(v)/255 - p.Mean[1]
		if want := centred / p.Std[1]; got[256+v] != want {
			t.Errorf("%d: %v, want %v", v, got[256+v], want)
		}
	}
}

func TestNormalizeWrongArguments(t *testing.T) {
	half := [3]float32{0.5, 0.5, 0.5}
	for name, c := range map[string]struct {
		p      loader.Preprocess
		values int
		bytes  int
	}{
		"destination too small": {loader.Preprocess{Mean: half, Std: half}, 5, 6},
		"broken pixel":          {loader.Preprocess{Mean: half, Std: half}, 7, 7},
		"no deviation":          {loader.Preprocess{Mean: half}, 6, 6},
		"deviation NaN":         {loader.Preprocess{Mean: half, Std: [3]float32{0.5, float32(math.NaN()), 0.5}}, 6, 6},
	} {
		if err := c.p.Normalize(make([]float32, c.values), make([]uint8, c.bytes)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPreprocessWrongArguments(t *testing.T) {
	good := &loader.Image{Width: 2, Height: 2, Pix: make([]uint8, 12)}
	for name, c := range map[string]struct {
		p    loader.Preprocess
		img  *loader.Image
		want string
	}{
		"no size":             {loader.Preprocess{}, good, "size 0"},
		"huge size":           {loader.Preprocess{Size: 1 << 20}, good, "size 1048576"},
		"crop over 1":         {loader.Preprocess{Size: 8, CropPct: 1.5}, good, "crop_pct 1.5"},
		"crop negative":       {loader.Preprocess{Size: 8, CropPct: -1}, good, "crop_pct -1"},
		"crop NaN":            {loader.Preprocess{Size: 8, CropPct: math.NaN()}, good, "crop_pct NaN"},
		"crop tiny":           {loader.Preprocess{Size: 8, CropPct: 1e-9}, good, "crop_pct 1e-09"},
		"unknown filter":      {loader.Preprocess{Size: 8, Interpolation: 7}, good, "Interpolation(7)"},
		"no picture":          {loader.Preprocess{Size: 8}, nil, "empty"},
		"empty picture":       {loader.Preprocess{Size: 8}, &loader.Image{}, "empty"},
		"picture without pix": {loader.Preprocess{Size: 8}, &loader.Image{Width: 1 << 20, Height: 1 << 20, Pix: make([]uint8, 9)}, "9 bytes"},
	} {
		if _, err := c.p.Apply(c.img); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (loader.Preprocess{Size: 8}).ApplyTo(make([]uint8, 8*8*3-1), good); err == nil {
		t.Error("small destination: no error")
	}
}

// Any number of goroutines may share a Preprocess and a picture.
func TestPreprocessConcurrent(t *testing.T) {
	m := decodePicture(t, preproc+"/src/wide.png")
	c := configurations["224"]
	want, err := c.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := c.Apply(m); err != nil || !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("another result: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestInterpolationNames(t *testing.T) {
	for i := loader.Bilinear; i <= loader.Nearest; i++ {
		if got, err := loader.ParseInterpolation(i.String()); err != nil || got != i {
			t.Errorf("%v: %v, %v", i, got, err)
		}
	}
	if _, err := loader.ParseInterpolation("cubic"); err == nil {
		t.Error("cubic: no error")
	}
}

func BenchmarkPreprocess(b *testing.B) {
	for name, m := range map[string]*loader.Image{
		"4000x3000": {Width: 4000, Height: 3000, Pix: make([]uint8, 4000*3000*3)},
		"640x480":   {Width: 640, Height: 480, Pix: make([]uint8, 640*480*3)},
	} {
		for i := range m.Pix {
			m.Pix[i] = uint8(i * 31)
		}
		for config, c := range configurations {
			dst := make([]uint8, c.Size*c.Size*3)
			b.Run(name+"/"+config, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.ApplyTo(dst, m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
