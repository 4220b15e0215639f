package main

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// classPictures writes pictures of so many classes, which differ in colour and stripes, into folders.
func classPictures(t *testing.T, dir string, each int, classes ...string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for k, class := range classes {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		for n := range each {
			img := image.NewRGBA(image.Rect(0, 0, 40, 40))
			for y := range 40 {
				for x := range 40 {
					c := [4]uint8{0, 0, 0, 255}
					c[k%3] = 180
					if stripes := []bool{x%10 < 5, y%10 < 5, (x+y)%10 < 5}; stripes[k%3] {
						c[(k+1)%3] = 200
					}
					for i := range 3 {
						c[i] += uint8(r.IntN(50))
					}
					img.SetRGBA(x, y, color.RGBA{c[0], c[1], c[2], c[3]})
				}
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%02d.png", n)))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, img); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
}

// in runs the command in a directory and wants an exit code.
func in(t *testing.T, dir string, code int, args ...string) outcome {
	t.Helper()
	out := run{args: args, dir: dir}.do(t)
	out.exited(t, code, args)
	return out
}

// TestIndexAndSearch makes an index, brings it up to date, and finds pictures with it.
func TestIndexAndSearch(t *testing.T) {
	dir := t.TempDir()
	classPictures(t, filepath.Join(dir, "p"), 6, "red", "green")
	bad := filepath.Join(dir, "p", "bad.png")
	if err := os.WriteFile(bad, []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := in(t, dir, exitFailed, demoArgs("index", "-o", "x.idx", "p")...)
	wants(t, out.stdout, "x.idx: 12 pictures: 12 embedded, 0 unchanged, 0 dropped")
	wants(t, out.stderr, "bad.png: ", "1 of 13 inputs failed")
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "p", "red", "05.png")); err != nil {
		t.Fatal(err)
	}
	// Neither model nor preprocessing is said again.
	var report indexReport
	again := in(t, dir, exitOK, "index", "--validate", "--json", "-o", "x.idx", "p")
	if err := json.Unmarshal([]byte(again.stdout), &report); err != nil || report != (indexReport{"x.idx", 11, 0, 11, 1, 0}) {
		t.Errorf("%v, %s", err, again.stdout)
	}
	onlyFiles(t, dir, "p", "x.idx")

	t.Run("formats", func(t *testing.T) {
		red := filepath.Join("p", "red", "00.png")
		table := in(t, dir, exitOK, "search", "-k", "2", "x.idx", red).stdout
		if all := regexp.MustCompile(`^p/red/00.png\n(  +0\.\d{4}  p/red/0[1-4]\.png\n){2}$`); !all.MatchString(filepath.ToSlash(table)) {
			t.Errorf("%q", table)
		}
		text := in(t, dir, exitFailed, "search", "--format", "json", "-k", "5", "--self", "x.idx", red, "none.png").stdout
		var found struct {
			File    string
			Nearest []struct {
				File       string
				Similarity float32
			}
		}
		first, second, _ := strings.Cut(text, "\n")
		if err := json.Unmarshal([]byte(first), &found); err != nil || found.File != red || len(found.Nearest) != 5 ||
			found.Nearest[0].File != red || found.Nearest[0].Similarity < 0.99999 {
			t.Errorf("%v, %s", err, text)
		}
		for _, n := range found.Nearest {
			if !strings.Contains(n.File, "red") {
				t.Errorf("%s is near to red", n.File)
			}
		}
		wants(t, second, `"error":"none.png: no such file`)
		rows, err := csv.NewReader(strings.NewReader(in(t, dir, exitOK, "search", "--format", "csv", "-k", "3", "x.idx", red).stdout)).ReadAll()
		if err != nil || len(rows) != 4 || !slices.Equal(rows[0], []string{"file", "rank", "neighbour", "similarity", "error"}) || rows[3][1] != "3" {
			t.Errorf("%v, %q", err, rows)
		}
	})
	t.Run("deleted and new pictures", func(t *testing.T) {
		// A picture that is gone is found by its name, without a device; one that is not there is embedded.
		gone := filepath.Join(dir, "p", "green", "00.png")
		data, err := os.ReadFile(gone)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(gone, filepath.Join(dir, "new.png")); err != nil {
			t.Fatal(err)
		}
		out := in(t, dir, exitOK, "search", "--device", "no such device", "-k", "1", "x.idx", "p/green/00.png").stdout
		wants(t, filepath.ToSlash(out), "p/green/00.png\n", "  p/green/0")
		out = in(t, dir, exitOK, "search", "--validate", "--precision", "fp32", "-k", "1", "x.idx", "new.png").stdout
		wants(t, filepath.ToSlash(out), "new.png\n   1.0000  p/green/00.png\n")
		if err := os.WriteFile(gone, data, 0o666); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		tiny, err := filepath.Abs(filepath.Join(nets, "tiny"))
		if err != nil {
			t.Fatal(err)
		}
		out := in(t, dir, exitOpen, "search", "--model", tiny, "x.idx", "new.png")
		wants(t, out.stderr, "embeddings of the model demo, not "+tiny)
		out = in(t, dir, exitOpen, "search", "--size", "48", "x.idx", "new.png")
		wants(t, out.stderr, `"size":64`, `"size":48`)
		out = in(t, dir, exitFailed, "index", "--size", "48", "-o", "x.idx", "p")
		wants(t, out.stderr, "made with another model", "--rebuild")
		wants(t, in(t, dir, exitOpen, "search", "new.png", "new.png").stderr, "new.png", "corrupt")
		wants(t, in(t, dir, exitFailed, "index", "-o", "new.png", "p").stderr, "not a sound index")
		wants(t, in(t, dir, exitFailed, "index", "-o", "x.idx", "nothing/here").stderr, "nothing to index")
		if after := in(t, dir, exitOK, "search", "-k", "1", "x.idx", "p/red/00.png").stdout; !strings.Contains(after, "p") {
			t.Error(after)
		}
	})
	t.Run("page", func(t *testing.T) {
		in(t, dir, exitFailed, "search", "-k", "2", "--html", "page.html", "x.idx", "p/red/00.png", "none.png")
		text, err := os.ReadFile(filepath.Join(dir, "page.html"))
		if err != nil {
			t.Fatal(err)
		}
		pictures := regexp.MustCompile(`src="data:image/jpeg;base64,([^"]+)"`).FindAllSubmatch(text, -1)
		if len(pictures) != 3 || !strings.HasSuffix(string(text), "</html>\n") {
			t.Fatalf("%d pictures in %d bytes", len(pictures), len(text))
		}
		for _, p := range pictures {
			data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(p[1]), "&#43;", "+"))
			if err != nil {
				t.Fatal(err)
			}
			if img, err := jpeg.Decode(strings.NewReader(string(data))); err != nil || img.Bounds().Dx() != 40 {
				t.Error(err)
			}
		}
		wants(t, string(text), "none.png", "2 queries among 11 pictures")
		if regexp.MustCompile(`(src|href)="(https?:|//)`).Match(text) {
			t.Error("the page loads something from elsewhere")
		}
	})
}

// TestShrink keeps the shape of a picture.
func TestShrink(t *testing.T) {
	for _, test := range []struct{ w, h, wantW, wantH int }{{720, 360, 360, 180}, {100, 1000, 36, 360}, {10, 20, 10, 20}, {4000, 1, 360, 1}} {
		got := shrink(&loader.Image{Width: test.w, Height: test.h, Pix: make([]uint8, 3*test.w*test.h)}).Bounds()
		if got.Dx() != test.wantW || got.Dy() != test.wantH {
			t.Errorf("%d x %d becomes %v", test.w, test.h, got)
		}
	}
}
