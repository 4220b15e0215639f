package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/net"
)

// TestModelsPage wants the table of docs/models.md to be what the registry and timm's results say; make docs writes it.
func TestModelsPage(t *testing.T) {
	const page = "../../docs/models.md"
	const begin, end = "<!-- networks -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatal("docs/models.md has no place for the table")
	}
	want := modelsTable(t)
	switch {
	case old == want:
	case *update:
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table is\n%s\nwant\n%s\nmake docs", old, want)
	}
}

func modelsTable(t *testing.T) string {
	t.Helper()
	f, err := os.Open("../../net/testdata/results-imagenet.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	top1, top5 := map[string]string{}, map[string]string{}
	for _, r := range rows {
		top1[r[0]], top5[r[0]] = r[2], r[4]
	}
	var b strings.Builder
	b.WriteString("| name | classes | pixels | crop | filter | parameters | size | GMAC | top-1 | top-5 |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, v := range net.Variants() {
		fmt.Fprintf(&b, "| %s | %d | %d | %v | %s | %.2f M | %.0f MB | %.2f | %s | %s |\n", v.Name, v.Config.Classes, v.Size, v.CropPct,
			v.Interpolation, float64(v.Parameters())/1e6, 4*float64(v.Parameters())/1e6, float64(v.MACs())/1e9, top1[v.Name], top5[v.Name])
	}
	return b.String()
}
