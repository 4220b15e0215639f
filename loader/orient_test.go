package loader_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// TestOrientationEqualsPillow: all eight values, in every format that has them, and what is damaged.
func TestOrientationEqualsPillow(t *testing.T) {
	var files []struct {
		File   string
		Size   [2]int
		SHA256 string
	}
	readJSON(t, preproc+"/orient/manifest.json", &files)
	turned := 0
	for _, f := range files {
		file, err := loader.ReadImageFile(preproc+"/orient/"+f.File, loader.DecodeLimits{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := file.Decode()
		if err != nil {
			t.Fatal(err)
		}
		up := m.Oriented(file.Orientation())
		if up != m {
			turned++
		}
		if [2]int{up.Width, up.Height} != f.Size || sum(up.Pix) != f.SHA256 {
			t.Errorf("%s: orientation %d gives another picture than Pillow", f.File, file.Orientation())
		}
	}
	if turned < 3*7 {
		t.Errorf("only %d pictures were turned", turned)
	}
}

// TestOrientationOfDamagedFiles: whatever the file holds, there is an answer.
func TestOrientationOfDamagedFiles(t *testing.T) {
	for _, name := range []string{"6.jpg", "6.png", "6.webp", "6.tif"} {
		data, err := os.ReadFile(preproc + "/orient/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			changed := bytes.Clone(data)
			changed[i] ^= 0xff
			for _, d := range [][]byte{changed, data[:i]} {
				e, err := loader.ReadImage(bytes.NewReader(d), name, loader.DecodeLimits{})
				if err != nil {
					continue
				}
				if o := e.Orientation(); o < 1 || o > 8 {
					t.Fatalf("%s, byte %d: orientation %d", name, i, o)
				}
			}
		}
	}
}
