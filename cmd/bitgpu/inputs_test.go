package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files and links and returns the directory that holds them.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"b.png", "a.JPG", "notes.txt", "sub/c.webp", "sub/deep/d.tif", ".hidden/e.png", ".f.png", "z[1].png", "x.npy"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"linked.png": "b.png", "loop.png": ".", "gone.png": "nothing"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	return dir
}

func TestInputs(t *testing.T) {
	dir := tree(t)
	pictures := "a.JPG b.png gone.png linked.png sub/c.webp sub/deep/d.tif z[1].png"
	toDir := filepath.Join(t.TempDir(), "to-dir")
	if err := os.Symlink(dir, toDir); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for _, test := range []struct {
		name  string
		paths []string // below dir, unless absolute
		stdin string
		want  string // files below dir; "!" before one that is an error
	}{
		{"directory", []string{"."}, "", pictures},
		{"directory twice", []string{"sub", "sub/"}, "", "sub/c.webp sub/deep/d.tif sub/c.webp sub/deep/d.tif"},
		{"linked directory", []string{toDir}, "", pictures},
		{"hidden directory that is named", []string{".hidden"}, "", ".hidden/e.png"},
		{"any file that is named", []string{"notes.txt", "b.png"}, "", "notes.txt b.png"},
		{"missing", []string{"none.png", "b.png"}, "", "!none.png b.png"},
		{"glob", []string{"*.png"}, "", ".f.png b.png gone.png linked.png z[1].png"},
		{"glob over directories", []string{"sub/**"}, "", "sub/c.webp sub/deep/d.tif"},
		{"glob with alternatives", []string{"{b,a}.*"}, "", "a.JPG b.png"},
		{"glob without match", []string{"*.gif"}, "", "!*.gif"},
		{"bad glob", []string{"b[.png"}, "", "!b[.png"},
		{"file that looks like a glob", []string{"z[1].png"}, "", "z[1].png"},
		{"list", []string{"a.JPG", "-", "b.png"}, "sub\nDIR/notes.txt\r\n\nDIR/*.png", "a.JPG !sub notes.txt !*.png b.png"},
		{"list of directories", []string{"-"}, "DIR/sub", "sub/c.webp sub/deep/d.tif"},
		{"list with a line without end", []string{"-"}, strings.Repeat("x", longestPath+1), "!-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := inputs{stdin: strings.NewReader(strings.ReplaceAll(test.stdin, "DIR", dir)), extensions: pictureFiles}
			for _, p := range test.paths {
				if p != "-" && !filepath.IsAbs(p) {
					p = dir + string(filepath.Separator) + p
				}
				in.paths = append(in.paths, p)
			}
			var got []string
			for i := range in.all() {
				name := i.file
				for _, base := range []string{dir, toDir} {
					if below, ok := strings.CutPrefix(name, base+string(filepath.Separator)); ok {
						name = filepath.ToSlash(below)
					}
				}
				if i.err != nil {
					name = "!" + name
				}
				got = append(got, name)
			}
			if want := strings.Fields(test.want); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			in.stdin = nil
			want := len(got)
			if slices.Contains(test.paths, "-") {
				want = -1
			}
			if n := in.count(context.Background()); n != want {
				t.Errorf("count is %d, want %d", n, want)
			}
		})
	}
}

// TestInputsStop ends the sequence early, at every place.
func TestInputsStop(t *testing.T) {
	dir := tree(t)
	for stop := range 14 {
		in := inputs{paths: []string{dir, dir + "/**", dir + "/none", "-"}, stdin: strings.NewReader(dir), extensions: pictureFiles}
		n := 0
		for range in.all() {
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 {
			t.Errorf("%d inputs, want %d", n, stop+1)
		}
	}
}

// TestInputsEmptyDirectory: a directory without a file of the kind is an error.
func TestInputsEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	var got []input
	for i := range (inputs{paths: []string{dir}, extensions: tensorFiles}).all() {
		got = append(got, i)
	}
	if len(got) != 1 || got[0].file != dir || got[0].err == nil || !strings.Contains(got[0].err.Error(), "no .npy file") {
		t.Errorf("%v", got)
	}
}
