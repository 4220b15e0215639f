package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bitgpu/bitgpu"
)

const photos = "../../docs/photos/"

// mjpeg is pictures as JPEG files one after the other.
func mjpeg(t *testing.T, names ...string) (all []byte) {
	t.Helper()
	for _, name := range names {
		f, err := os.Open(photos + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		picture, _, err := image.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, picture, nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Bytes()...)
	}
	return all
}

// Frames are cut where they end, wherever reads end; a picture in a JPEG's metadata is none.
func TestReadMJPEG(t *testing.T) {
	one := mjpeg(t, "rocket.jpg")
	thumbnail := append([]byte{0xFF, 0xE1, byte((len(one[:900]) + 4) >> 8), byte((len(one[:900]) + 4) & 255)}, append(one[:900:900], 0xFF, 0xD9)...)
	other := append(append([]byte{0xFF, 0xD8}, thumbnail...), one[2:]...)
	data := append(append(bytes.Clone(one), other...), one...)
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(data), "bytes": iotest.OneByteReader(bytes.NewReader(data))} {
		var sizes []int
		err := readMJPEG(r, func(in bitgpu.Input) {
			f, err := in.Open()
			if err != nil {
				t.Fatal(err)
			}
			frame, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jpeg.Decode(bytes.NewReader(frame)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sizes = append(sizes, len(frame))
		})
		if want := []int{len(one), len(other), len(one)}; err != nil || fmt.Sprint(sizes) != fmt.Sprint(want) {
			t.Errorf("%s: frames of %v bytes, want %v; %v", name, sizes, want, err)
		}
		if name == "bytes" {
			break
		}
	}
	if err := readMJPEG(bytes.NewReader(one[:len(one)-9]), func(bitgpu.Input) {}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that breaks off: %v", err)
	}
	if err := readMJPEG(strings.NewReader("GIF89a"), func(bitgpu.Input) {}); !errors.Is(err, errNoJPEG) {
		t.Errorf("no JPEG: %v", err)
	}
}

// The latest frame wins, and nobody waits.
func TestLatest(t *testing.T) {
	l := newLatest()
	for i := range 5 {
		l.put(bitgpu.Input{Class: i})
	}
	if f := <-l.frame; f.Class != 4 || l.came.Load() != 5 || l.dropped.Load() != 4 {
		t.Errorf("frame %d; %d came, %d dropped", f.Class, l.came.Load(), l.dropped.Load())
	}
}

// TestWatch has a camera that shows a cat and waits until somebody has looked, and then a damaged frame.
func TestWatch(t *testing.T) {
	m, err := bitgpu.Open(t.Context(), bitgpu.Demo, bitgpu.Options{CacheDir: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	in, camera := io.Pipe()
	out := make(lines, 100)
	done := make(chan error, 1)
	go func() {
		done <- watch(t.Context(), m, func(put func(bitgpu.Input)) error { return readMJPEG(in, put) }, out, 10*time.Millisecond)
	}()
	wait := func(text string) {
		for line := range out {
			if strings.Contains(line, text) {
				return
			}
		}
	}
	cat := mjpeg(t, "chelsea.png")
	_, _ = camera.Write(cat)
	wait("cat, ")
	damaged := bytes.Clone(cat)
	copy(damaged[2:], "\xff\xda") // pixels without all that tells what they are
	_, _ = camera.Write(damaged)
	wait("JPEG")
	_, _ = camera.Write(cat)
	wait("cat, ")
	camera.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	forever := func(func(bitgpu.Input)) error { <-t.Context().Done(); return nil }
	if err := watch(ctx, m, forever, io.Discard, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// lines gets what is printed, while there is room.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

// TestCommand moves over a cat.
func TestCommand(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", ".", "-over", photos+"chelsea.png", "-frames", "40", "-fps", "100").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := all[len(all)-1]
	m := regexp.MustCompile(`^.+, \d+ %  \((\d+) frames, (\d+) run, (\d+) dropped; `).FindStringSubmatch(last)
	var came, run, dropped int
	if m != nil {
		_, _ = fmt.Sscan(strings.Join(m[1:], " "), &came, &run, &dropped)
	}
	if came != 40 || run < 1 || run+dropped != came {
		t.Errorf("%s", out)
	}
}
