package net

import (
	"encoding/csv"
	"fmt"
	"os"
	"testing"
)

// TestVariantsAgainstResults compares the registry with the rows of BiT's networks in timm's published results.
func TestVariantsAgainstResults(t *testing.T) {
	f, err := os.Open("testdata/results-imagenet.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]map[string]string{}
	for _, row := range rows[1:] {
		values := map[string]string{}
		for i, name := range rows[0] {
			values[name] = row[i]
		}
		published[values["model"]] = values
	}
	for _, v := range Variants() {
		want := published[v.Name]
		delete(published, v.Name)
		if want == nil {
			if v.Top1 != 0 || v.Config.Classes == 1000 {
				t.Errorf("%s has %d classes and top-1 %v, and nothing is published", v.Name, v.Config.Classes, v.Top1)
			}
			continue
		}
		for column, got := range map[string]string{
			"img_size": fmt.Sprint(v.Size), "top1": fmt.Sprintf("%.3f", v.Top1), "crop_pct": fmt.Sprintf("%.3f", v.CropPct),
			"interpolation": v.Interpolation, "param_count": fmt.Sprintf("%.2f", float64(v.Parameters())/1e6),
		} {
			if got != want[column] {
				t.Errorf("%s: %s %s, want %s", v.Name, column, got, want[column])
			}
		}
	}
	if len(published) > 0 {
		t.Errorf("no variants of %v", published)
	}
}

// TestVariantMACs: those of the default model, as TestGraphMACs has them, and of a small one as torchvision
// has them for ResNet-50 with the stride in the 3x3: 4.09e9.
func TestVariantMACs(t *testing.T) {
	for name, want := range map[string]int64{DefaultModel: 1346, "resnetv2_50x1_bit": 41} {
		v, ok := FindVariant(name)
		if got := v.MACs(); !ok || (got+5e7)/1e8 != want {
			t.Errorf("%s: %d multiply-adds, want %d e8", name, got, want)
		}
	}
}
