package main

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestFeatureSheets draws a sheet for each map of each picture, whatever their names, and finds channels that are not there.
func TestFeatureSheets(t *testing.T) {
	dir := t.TempDir()
	sheets, maps := filepath.Join(dir, "sheets"), filepath.Join(dir, "maps")
	other := copyFile(t, coffee, dir, "other/chelsea.png")
	bad := writeFile(t, filepath.Join(dir, "bad.png"), "x")
	args := demoArgs("features", "--png", sheets, "--out", maps, "--indices", "1,4", "--channels", "8-23", cat, bad, other)
	wants(t, bitgpuRun(t, exitFailed, args...).stderr, "bad.png", "1 of 3 inputs failed")
	onlyFiles(t, sheets, "chelsea-2.feat1.png", "chelsea-2.feat4.png", "chelsea.feat1.png", "chelsea.feat4.png")
	onlyFiles(t, maps, "feat1.npy", "feat4.npy")
	img := readPNG(t, filepath.Join(sheets, "chelsea.feat1.png"))
	x := array(t, filepath.Join(maps, "feat1.npy"))
	// The first tile is channel 8, its highest value the end of the colours: 16x16 cells of 3x3 pixels.
	plane := rowOf(x, 0)[8*16*16 : 9*16*16]
	at := slices.Index(plane, slices.Max(plane))
	found := false
	for y := range 60 { // below the title, which is no higher
		r, g, b, _ := img.At(4+3*(at%16)+1, y+3*(at/16)+1).RGBA()
		found = found || r>>8 == 0xfd && g>>8 == 0xe7 && b>>8 == 0x25
	}
	if !found {
		t.Error("the highest value of channel 8 is not where it should be")
	}
	out := bitgpuRun(t, exitFailed, demoArgs("features", "--png", sheets, "--indices", "4", "--channels", "1024", cat)...)
	wants(t, out.stderr, "--channels: 1024-1024, but this map has 0 to 1023")
	for _, bad := range [][]string{{"--channels", "5-2"}, {"--channels", "x"}, {"--scale", "log"}} {
		bitgpuRun(t, exitUsage, demoArgs("features", append(bad, "--png", sheets, cat)...)...)
	}
}
