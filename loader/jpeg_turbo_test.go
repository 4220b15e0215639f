//go:build turbojpeg

package loader

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const preprocFiles = "testdata/preproc/"

// TestTurboJPEGEqualsGo: libjpeg-turbo decodes the usual files by itself, to the same bytes.
func TestTurboJPEGEqualsGo(t *testing.T) {
	files, err := filepath.Glob(preprocFiles + "*/*.jpg")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	alone := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decodeJPEG(data, DecodeLimits{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := turboJPEG(data, DecodeLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if got == nil {
			t.Log("left to the Go decoder:", file)
			continue
		}
		alone++
		if got.Width != want.Width || got.Height != want.Height || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: other pixels", file)
		}
	}
	if alone < len(files)*3/4 {
		t.Errorf("libjpeg-turbo decoded only %d of %d files", alone, len(files))
	}
}

// BenchmarkDecodeJPEG runs both decoders on the same files.
func BenchmarkDecodeJPEG(b *testing.B) {
	for _, file := range []string{preprocFiles + "src/base_420.jpg", preprocFiles + "src/base_444.jpg", preprocFiles + "src/progressive.jpg", "../docs/photos/rocket.jpg"} {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range []struct {
			name   string
			decode func([]byte, DecodeLimits) (*Image, error)
		}{{"go", decodeJPEG}, {"turbojpeg", turboJPEG}} {
			b.Run(filepath.Base(file)+"/"+d.name, func(b *testing.B) {
				for b.Loop() {
					if m, err := d.decode(data, DecodeLimits{}); m == nil || err != nil {
						b.Fatal(m, err)
					}
				}
			})
		}
	}
}
