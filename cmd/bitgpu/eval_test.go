package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
)

// copyFile puts a copy of a file into a directory that is made if need be.
func copyFile(t *testing.T, from, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(dir, name), string(data))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// animals makes a tree of class folders: three pictures of cats, a cup among the frogs, and what is no picture.
func animals(t *testing.T) string {
	dir := t.TempDir()
	copyFile(t, cat, dir, "cat/a.png")
	copyFile(t, cat, dir, "cat/more/b.PNG")
	copyFile(t, coffee, dir, "cat/c.png")
	copyFile(t, coffee, dir, "frog/d.png")
	writeFile(t, filepath.Join(dir, "cat/notes.txt"), "not looked at")
	return dir
}

// reference are the shares and the loss of logits, in float64.
func reference(logits [][]float32, classes []int) (top1, top5, loss float64) {
	n := float64(len(logits))
	for i, row := range logits {
		own, better, sum := float64(row[classes[i]]), 0, 0.0
		for _, x := range row {
			if float64(x) > own {
				better++
			}
			sum += math.Exp(float64(x))
		}
		if better == 0 {
			top1 += 1 / n
		}
		if better < 5 {
			top5 += 1 / n
		}
		loss += (math.Log(sum) - own) / n
	}
	return top1, top5, loss
}

// evalJSON runs bitgpu eval --json.
func evalJSON(t *testing.T, code int, args ...string) (r evalReport, stderr string) {
	t.Helper()
	out := bitgpuRun(t, code, demoArgs("eval", append([]string{"--json"}, args...)...)...)
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, out.stdout)
	}
	return r, out.stderr
}

func TestEval(t *testing.T) {
	dir, answers := animals(t), filepath.Join(t.TempDir(), "answers.csv")
	r, _ := evalJSON(t, exitOK, "--out", answers, dir)
	var logits [][]float32
	for _, o := range outputs(t, openModel(t, "demo"), bitgpu.Outputs{Logits: true}, cat, coffee, cat, coffee) {
		logits = append(logits, o.Logits.Data)
	}
	top1, top5, loss := reference(logits, []int{3, 3, 3, 6})
	if r.Images != 4 || r.Failed != 0 || *r.Top1 != top1 || *r.Top5 != top5 || math.Abs(*r.Loss-loss) > 1e-5*loss {
		t.Errorf("%d images, %v, %v, %v; want 4, %v, %v, %v", r.Images, *r.Top1, *r.Top5, *r.Loss, top1, top5, loss)
	}
	if !strings.Contains(r.Rule, "labels") || len(r.Classes) != 2 || r.Classes[0].Label != "cat" || r.Classes[0].Images != 3 ||
		*r.Classes[0].Top1 != 2./3 || *r.Classes[0].Mistake != 1 || r.Classes[1].Precision != nil {
		t.Errorf("%+v", r)
	}
	rows := table(t, answers)
	if len(rows) != 5 || rows[1][0] != filepath.Join(dir, "cat/a.png") || !slices.Equal(rows[1][1:5], []string{"3", "cat", "3", "cat"}) ||
		rows[2][0] != filepath.Join(dir, "cat/c.png") || rows[4][1] != "6" || rows[1][7] != "1" {
		t.Errorf("%v", rows)
	}
	prob, err := strconv.ParseFloat(rows[1][5], 32)
	if want := bitgpu.Softmax(logits[0])[3]; err != nil || math.Abs(prob-float64(want)) > 1e-4 {
		t.Errorf("probability %v, want %v", rows[1][5], want)
	}
}

// table reads a CSV file.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestEvalBadPictures are told of and counted; the others have their answers, and every file is complete.
func TestEvalBadPictures(t *testing.T) {
	dir, results := animals(t), t.TempDir()
	writeFile(t, filepath.Join(dir, "frog/bad.jpg"), "no picture")
	copyFile(t, cat, dir, "stray.png")
	if err := os.Mkdir(filepath.Join(dir, "truck"), 0o777); err != nil {
		t.Fatal(err)
	}
	answers, matrix, drawn := filepath.Join(results, "a.csv"), filepath.Join(results, "m.csv"), filepath.Join(results, "m.png")
	args := demoArgs("eval", "--out", answers, "--confusion", matrix+","+drawn, dir)
	out := bitgpuRun(t, exitFailed, args...)
	wants(t, out.stderr, "frog/bad.jpg", "stray.png: lies in no folder of a class", "truck: no .png", "3 of 7 inputs failed")
	wants(t, out.stdout, "4 images, 3 more failed", "top-1   50.00 %", "frog", "automobile (1)")
	if rows := table(t, answers); len(rows) != 8 || rows[1][9] == "" || rows[5][0] != filepath.Join(dir, "frog/bad.jpg") || rows[5][3] != "" {
		t.Errorf("%v", rows)
	}
	want := [][]string{{`true\answer`, "automobile", "cat", "frog"}, {"automobile", "0", "0", "0"}, {"cat", "1", "2", "0"}, {"frog", "1", "0", "0"}}
	if got := table(t, matrix); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
	f, err := os.Open(drawn)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
	onlyFiles(t, results, "a.csv", "m.csv", "m.png")
}

// TestEvalLabels takes classes by name and by index, with a header and without.
func TestEvalLabels(t *testing.T) {
	dir := animals(t)
	for name, text := range map[string]string{
		"plain.csv":  "cat/a.png,cat\ncat/c.png,1\n",
		"header.csv": "label,path\nCAT,cat/a.png\nautomobile,cat/c.png\n",
	} {
		r, _ := evalJSON(t, exitOK, "--labels", writeFile(t, filepath.Join(dir, name), text))
		if r.Images != 2 || *r.Top1 != 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	list := writeFile(t, filepath.Join(t.TempDir(), "l.csv"), "cat/a.png,cat\ncat/a.png,lion\ncat/a.png,10\nnone.png,cat\ncat/a.png\n")
	r, stderr := evalJSON(t, exitFailed, "--labels", list, dir)
	wants(t, stderr, `l.csv:2: class "lion" is not among the model's labels`, "l.csv:3: class 10, this network has 0 to 9", "none.png", "l.csv:5: want a file and a class")
	if r.Images != 1 || r.Failed != 4 {
		t.Errorf("%+v", r)
	}
}

// TestEvalCompare reads what timm and the command itself write.
func TestEvalCompare(t *testing.T) {
	dir, own, other := animals(t), filepath.Join(t.TempDir(), "own.csv"), filepath.Join(t.TempDir(), "other.csv")
	bitgpuRun(t, exitOK, demoArgs("run", "--format", "csv", "--out", own, dir)...)
	for name, test := range map[string]struct {
		text                    string
		compared, same, missing int
	}{
		"timm, full names":     {"filename,index,label,prob\ncat/a.png,3,cat,0.5\ncat/more/b.PNG,5,dog,0.5\ncat/c.png,1,automobile,1\nfrog/d.png,1,automobile,1\n", 4, 3, 0},
		"timm, labels":         {"filename,label,prob\na.png,cat,0.5\nc.png,\"automobile, motorcar\",1\n", 2, 2, 2},
		"timm, several":        {"filename,index,prob\na.png,[3 5],[0.5 0.2]\nb.PNG,[ 3  5],[0.5 0.2]\n", 2, 2, 2},
		"timm, labels in list": {"filename,label\na.png,['cat' 'dog']\nc.png,\"['dog' 'cat, tom']\"\n", 2, 1, 2},
		"timm, columns":        {"filename,index_0,index_1\na.png,3,5\nc.png,2,5\n", 2, 1, 2},
		"two of one name":      {"filename,index\nx/a.png,3\ny/a.png,3\nd.png,1\n", 1, 1, 3},
	} {
		r, _ := evalJSON(t, exitOK, "--compare", writeFile(t, other, test.text), dir)
		if a := r.Agreement; a.Compared != test.compared || a.Same != test.same || a.Missing != test.missing || len(a.Differ) != test.compared-test.same {
			t.Errorf("%s: %+v", name, r.Agreement)
		}
	}
	r, _ := evalJSON(t, exitOK, "--compare", own, dir)
	if a := r.Agreement; a.Share != 1 || a.Compared != 4 || a.Unused != 0 {
		t.Errorf("own answers: %+v", a)
	}
	writeFile(t, other, "filename,label\ncat/a.png,lion\ncat/c.png,dog\n")
	out := bitgpuRun(t, exitOK, demoArgs("eval", "--compare", other, dir)...)
	wants(t, out.stdout, "0 of 1 images, 0.00 %", "c.png: automobile (", "there dog", `1 of its rows cannot be read`, `"lion" is not among`, "for 3 images it has no answer")
	writeFile(t, other, "a,b\n1,2\n")
	wants(t, bitgpuRun(t, exitFailed, demoArgs("eval", "--compare", other, dir)...).stderr, "want a header")
}

// TestClassRules are which class a folder is.
func TestClassRules(t *testing.T) {
	info := func(labels, synsets string) (i bitgpu.Info) {
		i.Labels, i.Synsets = strings.Split(labels, ","), strings.FieldsFunc(synsets, func(r rune) bool { return r == ',' })
		if len(i.Synsets) == 0 {
			i.Synsets = nil
		}
		i.Config.Classes = len(i.Labels)
		return i
	}
	numbered := info("class 0,class 1,class 2", "")
	birds := info("crane,great grey owl,crane,hen", "n1,n2,n3,n4")
	for _, test := range []struct {
		info              bitgpu.Info
		folders, how, out string // classes of the folders, or a part of the error
	}{
		{birds, "Great_Grey-Owl,hen", classesAuto, "1,3"},
		{birds, "n2,n4", classesAuto, "1,3"},
		{birds, "hen,cock", classesAuto, `1 of 2 folders are not among the model's labels, such as "cock"`},
		{birds, "hen,cock", classesNames, "3,-1"},
		{birds, "crane,hen", classesAuto, `"crane"`},
		{numbered, "a,b", classesAuto, "the model has 3 classes"},
		{numbered, "b10,b9,a", classesAuto, "2,1,0"},
		{numbered, "b10,b9,a", classesSorted, "1,2,0"},
		{numbered, "b10,B9,a", classesNatural, "2,1,0"},
		{numbered, "b,a", classesSorted, "1,0"},
		{numbered, "a,b,c,d", classesNatural, "4 folders, but the model has 3 classes"},
	} {
		dir := t.TempDir()
		folders := strings.Split(test.folders, ",")
		for _, f := range append(folders, ".hidden") {
			if err := os.Mkdir(filepath.Join(dir, f), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := newClassTree(dir, test.info, nil, test.how)
		if err != nil {
			wants(t, err.Error(), test.out)
			continue
		}
		var got []string
		for _, f := range folders {
			class, ok := tree.class[f]
			if !ok {
				class = -1
			}
			got = append(got, fmt.Sprint(class))
		}
		if s := strings.Join(got, ","); s != test.out {
			t.Errorf("%s by %s: %s, want %s", test.folders, test.how, s, test.out)
		}
	}
}

func TestClassMap(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct{ text, out string }{
		"a.txt":  {"hen\n cock \n", "1"},
		"b.json": {`{"cock": 2, "hen": 0}`, "2"},
		"c.txt":  {"a\nb\nc\nd\n", "class 3 (d), but the model has 0 to 2"},
		"d.json": {`["cock"]`, "want a JSON object"},
		"e.pkl":  {"x", "a Python pickle"},
		"f.txt":  {"", "no names"},
		"g.txt":  {"a\n\nb\n", "line 2 is empty"},
	} {
		names, err := readClassMap(writeFile(t, filepath.Join(dir, name), test.text), 3)
		if err != nil {
			wants(t, err.Error(), name, test.out)
		} else if class, err := names.find("Cock"); err != nil || fmt.Sprint(class) != test.out {
			t.Errorf("%s: %d, %v; want %s", name, class, err, test.out)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"", "007", "7a", "7b", "10", "a", "A2", "a02b", "a10", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturalOrder)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestEvalUsage finds mistakes before any work.
func TestEvalUsage(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "no DIR given"},
		{[]string{dir, dir}, exitUsage, "accepts at most 1 arg"},
		{[]string{"--classes", "random", dir}, exitUsage, "none of auto, names, sorted and natural"},
		{[]string{"--classes", "names", "--labels", "x.csv"}, exitUsage, "--classes is about folders"},
		{[]string{"--confusion", "x.gif", dir}, exitUsage, "neither a .png nor a .csv"},
		{[]string{"--confusion", filepath.Join(dir, "none", "x.png"), dir}, exitFailed, "--confusion"},
		{[]string{dir}, exitFailed, "no folders of classes"},
		{[]string{filepath.Join(dir, "none")}, exitFailed, "no such file"},
		{[]string{"--labels", filepath.Join(dir, "none.csv")}, exitFailed, "none.csv: no such file"},
	} {
		out := bitgpuRun(t, test.code, demoArgs("eval", test.args...)...)
		wants(t, out.stderr, test.want)
	}
	onlyFiles(t, dir)
}
