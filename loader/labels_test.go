package loader_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

func TestImageNet1k(t *testing.T) {
	names := loader.ImageNet1k()
	if len(names) != 1000 {
		t.Fatalf("%d names", len(names))
	}
	seen := map[string]bool{}
	for i, name := range names {
		if name == "" || seen[name] {
			t.Errorf("class %d: %q is empty or there twice", i, name)
		}
		seen[name] = true
	}
	for i, want := range map[int]string{
		0: "tench", 1: "goldfish", 207: "golden retriever", 281: "tabby", 388: "giant panda",
		409: "analog clock", 817: "sports car", 985: "daisy", 999: "toilet tissue",
	} {
		if names[i] != want {
			t.Errorf("class %d is %q, want %q", i, names[i], want)
		}
	}
	names[0] = "changed"
	if loader.ImageNet1k()[0] != "tench" {
		t.Error("the list is shared between callers")
	}
}

func TestLabels(t *testing.T) {
	named := &loader.Config{
		LabelNames:        []string{"cat", "n01440764", "n00000001"},
		LabelDescriptions: map[string]string{"cat": "a small feline", "n01440764": "tench, Tinca tinca"},
	}
	for _, tt := range []struct {
		name    string
		cfg     *loader.Config
		classes int
		want    []string
	}{
		{"from the config", named, 3, []string{"cat", "tench, Tinca tinca", "n00000001"}},
		{"config of another count", named, 2, []string{"class 0", "class 1"}},
		{"no config", nil, 2, []string{"class 0", "class 1"}},
		{"no classes", named, 0, []string{}},
		{"negative", nil, -1, []string{}},
	} {
		if got := loader.Labels(tt.cfg, tt.classes); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := loader.Labels(&loader.Config{}, 1000)[999]; got != "toilet tissue" {
		t.Errorf("class 999 of 1000 is %q", got)
	}
	if got := loader.Labels(nil, 21843); len(got) != 21843 || got[21842] != "class 21842" {
		t.Errorf("%d labels, the last %q", len(got), got[len(got)-1])
	}
}

// TestSynsets are in the order of the logits, which is their own.
func TestSynsets(t *testing.T) {
	ids, labels := loader.Synsets(nil, 1000), loader.ImageNet1k()
	if len(ids) != 1000 || !slices.IsSorted(ids) {
		t.Fatalf("%d ids", len(ids))
	}
	for i, want := range map[int][2]string{0: {"n01440764", "tench"}, 285: {"n02124075", "Egyptian cat"}, 999: {"n15075141", "toilet tissue"}} {
		if ids[i] != want[0] || !strings.EqualFold(labels[i], want[1]) {
			t.Errorf("class %d: %s, %s; want %s", i, ids[i], labels[i], want)
		}
	}
	for _, id := range ids {
		if len(id) != 9 || id[0] != 'n' {
			t.Errorf("%q is no WordNet id", id)
		}
	}
	named := &loader.Config{LabelNames: []string{"n02124075", "n01440764"}}
	if got := loader.Synsets(named, 2); !slices.Equal(got, named.LabelNames) {
		t.Errorf("%v of a config", got)
	}
	if got := loader.Synsets(&loader.Config{LabelNames: []string{"n02124075", "cat"}}, 2); got != nil {
		t.Errorf("%v for names that are no ids", got)
	}
	if got := loader.Synsets(nil, 10); got != nil {
		t.Errorf("%v for 10 classes", got)
	}
}
