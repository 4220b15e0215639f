package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
)

// TestFit trains a head, reports, and uses it in run and eval.
func TestFit(t *testing.T) {
	dir := t.TempDir()
	classPictures(t, filepath.Join(dir, "p"), 10, "red", "green", "blue")
	in(t, dir, exitOK, demoArgs("index", "-o", "x.idx", "p")...)

	var facts fitFacts
	fit := func(args ...string) {
		t.Helper()
		facts = fitFacts{}
		out := in(t, dir, exitOK, append([]string{"fit", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out.stdout), &facts); err != nil {
			t.Fatal(err, out.stdout)
		}
	}
	fit(append(demoFlags, "-o", "h.safetensors", "--predictions", "p.csv", "--seed", "5", "p")...)
	if facts.Trained != 24 || facts.Held != 6 || facts.Accuracy == nil || *facts.Accuracy != 1 || !facts.Converged ||
		len(facts.Candidates) < 3 || len(facts.Classes) != 3 || facts.Classes[0].Label != "blue" || facts.Classes[0].Held != 2 {
		t.Errorf("%+v", facts)
	}
	text, err := os.ReadFile(filepath.Join(dir, "p.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	held := 0
	for _, r := range rows[1:] {
		if r[2] == "holdout" {
			held++
		}
		if r[1] != r[3] || filepath.Base(filepath.Dir(r[0])) != r[1] {
			t.Errorf("%q", r)
		}
	}
	if err != nil || len(rows) != 31 || held != 6 {
		t.Errorf("%v, %d rows, %d held out", err, len(rows), held)
	}
	h, err := loader.ReadHead(filepath.Join(dir, "h.safetensors"))
	if err != nil || !slices.Equal(h.Labels, []string{"blue", "green", "red"}) || h.Metadata["bitgpu_model"] != "demo" {
		t.Fatalf("%v, %+v", err, h)
	}

	// From the index the same, without any device; float32 products of length and direction round.
	first := facts
	fit("--device", "no such device", "--from-index", "x.idx", "-o", "i.safetensors", "--seed", "5", "p")
	if facts.L2 != first.L2 || *facts.Accuracy != 1 || !(max(facts.Objective-first.Objective, first.Objective-facts.Objective) < 1e-5*first.Objective) {
		t.Errorf("from the index %+v, before %+v", facts, first)
	}
	fit("--from-index", "x.idx", "-o", "s.safetensors", "--shots", "2", "--refit", "--l2", "0.5", "--raw", "p")
	if facts.Trained != 6 || facts.Held != 6 || facts.Refit != 12 || facts.L2 != 0.5 || facts.Standardized || facts.Candidates != nil {
		t.Errorf("%+v", facts)
	}
	wants(t, in(t, dir, exitOK, "fit", "--from-index", "x.idx", "-o", "n.safetensors", "--holdout", "0", "p").stdout,
		"3 classes, trained on 30 pictures, 0 held out")

	// The model need not be said: the head knows it.
	out := in(t, dir, exitOK, "run", "--validate", "--head", "h.safetensors", "--format", "json", "--topk", "9", "p/green/03.png")
	got := lines(t, out.stdout)
	if len(got) != 1 || len(got[0].Top) != 3 || got[0].Top[0].Label != "green" || got[0].Top[0].Index != 1 {
		t.Errorf("%s", out.stdout)
	}
	wants(t, in(t, dir, exitOK, "eval", "--validate", "--head", "h.safetensors", "p").stdout, "top-1  100.00 %  30 of 30")

	// Pictures are prepared as for the training, unless the command line says otherwise.
	fit(append(demoFlags, "--size", "48", "-o", "48.safetensors", "p")...)
	top := func(args ...string) float32 {
		t.Helper()
		args = append(demoArgs("run", "--head", "48.safetensors", "--format", "json"), append(args, "p/green/03.png")...)
		return lines(t, in(t, dir, exitOK, args...).stdout)[0].Top[0].Prob
	}
	if own, same, other := top(), top("--size", "48"), top("--size", "64"); own != same || own == other {
		t.Errorf("probability %v, with its own size %v, with another %v", own, same, other)
	}

	tiny, err := filepath.Abs(filepath.Join(nets, "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, in(t, dir, exitOpen, "run", "--model", tiny, "--head", "h.safetensors", "p/red/00.png").stderr, "head", "1024", "256")
	wants(t, in(t, dir, exitOpen, "run", "--head", "none.safetensors", "p/red/00.png").stderr, "--head", "none.safetensors")
	wants(t, in(t, dir, exitOpen, "run", "--head", "x.idx", "p/red/00.png").stderr, "--head", "x.idx", "head.fc.weight")
}

// TestFitRefuses trees that nothing can be learned from.
func TestFitRefuses(t *testing.T) {
	dir := t.TempDir()
	classPictures(t, filepath.Join(dir, "one"), 2, "red")
	classPictures(t, filepath.Join(dir, "two"), 3, "red", "green")
	if err := os.MkdirAll(filepath.Join(dir, "empty", "x"), 0o777); err != nil {
		t.Fatal(err)
	}
	classPictures(t, filepath.Join(dir, "empty"), 1, "red")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"none"}, "none: no such file"},
		{[]string{"one"}, "1 folders of classes"},
		{[]string{"empty"}, `no pictures of the class "x"`},
		{[]string{"--shots", "3", "two"}, `--shots: 2 pictures of the class "green"`},
	} {
		wants(t, in(t, dir, exitFailed, append([]string{"fit", "--model", "demo", "-o", "h.safetensors"}, test.args...)...).stderr, test.want)
	}
	onlyFiles(t, dir, "empty", "one", "two")
}
