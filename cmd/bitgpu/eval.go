package main

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/spf13/cobra"
)

const evalHelp = `Eval classifies pictures whose classes are known, and tells how often the model is right: top-1, top-5, the
mean cross-entropy, pictures a second, and the same for each class.

DIR has a folder for each class, as torchvision's ImageFolder and timm's validate.py take it. The class of a
folder is that of its name, where all the folders are named as the model's labels or by WordNet ids
("n01440764"); else, if there are as many folders as classes, their order decides. --classes names takes the
folders that are among the names and fails the pictures of others, sorted goes by the order of bytes
(torchvision's), natural by that in which 9 comes before 10 (timm's). --class-map FILE names the classes
instead: a line for each (timm's .txt), or a JSON object of names and indices. What was done is said with
the result.

--labels FILE.csv gives files and classes without folders: columns file and label (or index), with a header
or without. Files are relative to DIR, or without one to the CSV file; URLs work too.

--out FILE.csv has a row for each picture:
file,target,target_label,index,label,prob,target_prob,target_rank,loss,error, and other_index with
--compare. --confusion FILE.csv or FILE.png, or both with a comma between, is the confusion matrix: a row
for each true class, a column for each answer, of the classes that occur.

--compare FILE.csv tells how far another run agrees, picture by picture: timm's inference.py writes such
files (best with --include-index --fullname), and so do bitgpu eval and bitgpu run. Pictures are found by as
much of their paths as both have.

Pictures that cannot be read are reported and counted, and the shares are of the others.`

// evalOptions are the flags of bitgpu eval.
type evalOptions struct {
	model     modelFlags
	inputs    inputFlags
	labels    string
	classMap  string
	classes   string
	out       string
	confusion []string
	compare   string
	json      bool
}

func (a *app) evalCommand() *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval [flags] DIR",
		Short: "Measure accuracy on pictures whose classes are known",
		Long:  evalHelp,
		Example: "  bitgpu eval imagenet/val\n" +
			"  bitgpu eval --model demo --out answers.csv --confusion confusion.png,confusion.csv test/\n" +
			"  bitgpu eval --labels labels.csv --compare timm.csv pictures/",
		Args: cobra.MaximumNArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.eval(cmd, o, strings.Join(args, ""))
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.pictures.addReading(flags)
	o.inputs.addRunning(flags)
	o.model.addTTA(flags)
	o.model.addHead(flags)
	flags.StringVar(&o.labels, "labels", "", "files and their classes, `FILE.csv`, in place of folders")
	flags.StringVar(&o.classMap, "class-map", "", "names of the classes in the order of the model's, `FILE.txt|FILE.json`")
	flags.StringVar(&o.classes, "classes", classesAuto, "what says which class a folder is, `auto|names|sorted|natural`")
	flags.StringVarP(&o.out, "out", "o", "", "also write every picture's answer to `FILE.csv`")
	flags.StringSliceVar(&o.confusion, "confusion", nil, "write the confusion matrix to `FILE.png|FILE.csv,...`")
	flags.StringVar(&o.compare, "compare", "", "compare with the answers of another run, `FILE.csv`")
	flags.BoolVar(&o.json, "json", false, "one JSON object")
	return cmd
}

// check finds mistakes in the flags before any work.
func (o *evalOptions) check(cmd *cobra.Command, dir string) error {
	if dir == "" && o.labels == "" {
		return usage("no DIR given, and no --labels FILE.csv")
	}
	if err := o.inputs.check(cmd.Flags(), []string{dir}); err != nil {
		return err
	}
	if !slices.Contains([]string{classesAuto, classesNames, classesSorted, classesNatural}, o.classes) {
		return usage("--classes: %q is none of auto, names, sorted and natural", o.classes)
	}
	if o.labels != "" && o.classes != classesAuto {
		return usage("--classes is about folders, and --labels does without them")
	}
	if o.classMap != "" && o.classes != classesAuto {
		return usage("--classes and --class-map cannot both say which class a folder is")
	}
	for _, file := range o.confusion {
		if ext := strings.ToLower(filepath.Ext(file)); ext != ".png" && ext != ".csv" {
			return usage("--confusion: %s is neither a .png nor a .csv file", file)
		}
		if err := checkTarget("--confusion", file); err != nil {
			return err
		}
	}
	return nil
}

// evaluation is one run of bitgpu eval.
type evaluation struct {
	*bitgpu.Evaluation
	info    bitgpu.Info
	rule    string
	rows    *csv.Writer // of --out; nil without
	other   *otherRun   // of --compare; nil without
	agrees  agreement
	elapsed time.Duration
}

func (a *app) eval(cmd *cobra.Command, o evalOptions, dir string) error {
	if err := o.check(cmd, dir); err != nil {
		return err
	}
	var results []result
	var rows *csv.Writer
	if o.out != "" {
		file, err := a.createText(o.out)
		if err != nil {
			return err
		}
		defer file.Discard()
		rows = csv.NewWriter(file)
		results = append(results, csvFile{rows, file})
	}
	return a.with(cmd.Context(), &o.model, &o.inputs, func(m *bitgpu.Model) error {
		e, j, err := a.evaluation(m, o, dir)
		if err != nil {
			return err
		}
		e.rows = rows
		e.head()
		start := time.Now()
		ran := j.run(cmd.Context(), m)
		e.elapsed = time.Since(start)
		if err := finish(ran, results...); err != nil && !isSome(err) {
			return err
		}
		if e.other != nil {
			e.agrees.finish(e.other)
		}
		for _, file := range o.confusion {
			if err := a.writeConfusion(file, e); err != nil {
				return err
			}
		}
		out := a.text()
		if o.json {
			err = jsonLine(out, e.report())
		} else {
			width, _ := terminalWidth(a.stdout)
			e.print(out, width)
			err = out.Flush()
		}
		if err != nil {
			return err
		}
		return ran
	})
}

// evaluation settles which pictures are evaluated, and their classes.
func (a *app) evaluation(m *bitgpu.Model, o evalOptions, dir string) (*evaluation, *job, error) {
	info := m.Info()
	if info.Config.Classes == 0 {
		return nil, nil, cannotOpen(fmt.Errorf("model %s has no classes", info.Name))
	}
	e := &evaluation{Evaluation: bitgpu.NewEvaluation(info.Config.Classes), info: info}
	j := &job{app: a, flags: o.inputs, want: bitgpu.Outputs{Logits: true}, tell: true, answer: e.answer, status: e.status}
	names := classNameSets(info)
	var classMap *classNames
	if o.classMap != "" {
		var err error
		if classMap, err = readClassMap(o.classMap, info.Config.Classes); err != nil {
			return nil, nil, err
		}
		names = []*classNames{classMap}
	}
	if o.labels != "" {
		list := &labelList{path: o.labels, dir: dir, names: names, in: a.inputs(&o.inputs.pictures, nil)}
		if dir == "" {
			list.dir = filepath.Dir(o.labels)
		}
		e.rule, j.source = o.labels, list.files()
		t, err := openCSV(o.labels) // so that a file that cannot be read is an error, not one bad picture
		if err != nil {
			return nil, nil, fmt.Errorf("--labels: %w", err)
		}
		t.close()
	} else {
		tree, err := newClassTree(dir, info, classMap, o.classes)
		if err != nil {
			return nil, nil, err
		}
		extensions := pictureFiles
		if o.inputs.tensor {
			extensions = tensorFiles
		}
		e.rule, j.source = tree.rule, tree.files(extensions)
	}
	if o.compare != "" {
		var err error
		if e.other, err = readOtherRun(o.compare, names); err != nil {
			return nil, nil, err
		}
		e.agrees = agreement{File: o.compare, Differ: []difference{}}
	}
	return e, j, nil
}

// status is the accuracy so far.
func (e *evaluation) status() string {
	if e.Images == 0 {
		return "images"
	}
	return fmt.Sprintf("top-1 %.2f %%", 100*e.Top1())
}

// answer adds one picture's answer.
func (e *evaluation) answer(x *answer) error {
	var v bitgpu.Verdict
	if x.err == nil {
		v, x.err = e.Add(x.class, x.output.Logits.Data)
	}
	if x.err != nil {
		e.Fail()
		return e.row(x.file, v, nil, x.err)
	}
	var other *otherAnswer
	if e.other != nil {
		other = e.other.find(x.file)
		e.agrees.add(difference{File: x.file, Class: v.Class, Ours: v.Answer, Prob: v.Prob}, other)
	}
	return e.row(x.file, v, other, nil)
}

// head writes the names of the columns.
func (e *evaluation) head() {
	if e.rows == nil {
		return
	}
	columns := []string{"file", "target", "target_label", "index", "label", "prob", "target_prob", "target_rank", "loss", "error"}
	if e.other != nil {
		columns = append(columns, "other_index")
	}
	_ = e.rows.Write(columns) // the file's Close has the error
}

// row writes a picture's row.
func (e *evaluation) row(file string, v bitgpu.Verdict, other *otherAnswer, failed error) error {
	if e.rows == nil {
		return nil
	}
	row := []string{file, "", "", "", "", "", "", "", "", ""}
	if failed != nil {
		row[9] = failed.Error()
	} else {
		prob := func(p float32) string { return strconv.FormatFloat(float64(p), 'g', -1, 32) }
		row = []string{
			file, strconv.Itoa(v.Class), e.info.Labels[v.Class], strconv.Itoa(v.Answer), e.info.Labels[v.Answer],
			prob(v.Prob), prob(v.ClassProb), strconv.Itoa(v.Rank + 1), strconv.FormatFloat(v.Loss, 'g', -1, 64), "",
		}
	}
	if e.other != nil {
		index := ""
		if other != nil {
			index = strconv.Itoa(other.class)
		}
		row = append(row, index)
	}
	return e.rows.Write(row)
}

// csvFile is a text file of CSV rows.
type csvFile struct {
	rows *csv.Writer
	file *textFile
}

func (c csvFile) Close() error {
	c.rows.Flush()
	if err := c.rows.Error(); err != nil {
		return err
	}
	return c.file.Close()
}
