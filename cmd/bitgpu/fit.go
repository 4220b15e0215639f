package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/bitgpu/bitgpu/net/head"
	"github.com/spf13/cobra"
)

const fitHelp = `Fit trains a classifier for a network on pictures of your own: multinomial logistic regression on their
embeddings, with L-BFGS. bitgpu run and eval take it with --head.

DIR has a folder for each class, whose name is the class's. --holdout of every class is kept back and tells how
good the classifier is; the same --seed keeps back the same pictures. --shots N trains on N pictures of every
class only, and keeps back the same ones for every N. --refit trains once more, on all pictures, after that.

What is minimized is the mean cross-entropy and L2/2 times the squared weights (scikit-learn's C is
1/(L2 x pictures)); without --l2 the L2 with the least cross-entropy in a cross-validation among the pictures
that are trained on. Features are brought to mean 0 and variance 1 for this, but for --raw; either way the
classifier takes embeddings as they are.

--from-index takes the embeddings of unchanged pictures from an index, and which model they are of; none is
opened if all are there.

The file is safetensors: head.fc.weight [classes,D,1,1] and head.fc.bias, timm's names, so its tensors can
take the place of those in a checkpoint. The metadata has the classes, as label_names, the model and
the facts of the training. --predictions FILE.csv has a row for each picture:
file,label,part,predicted,prob.`

// fitOptions are the flags of bitgpu fit.
type fitOptions struct {
	model       modelFlags
	inputs      inputFlags
	train       head.Options
	split       head.SplitOptions
	out         string
	index       string
	predictions string
	refit       bool
	json        bool
}

func (a *app) fitCommand() *cobra.Command {
	var o fitOptions
	cmd := &cobra.Command{
		Use:   "fit [flags] -o FILE.safetensors DIR",
		Short: "Train a classifier on pictures of your own",
		Long:  fitHelp,
		Example: "  bitgpu fit -o birds.safetensors birds/\n  bitgpu run --head birds.safetensors garden.jpg\n" +
			"  bitgpu fit --shots 5 --from-index birds.idx -o birds5.safetensors birds/",
		Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.fit(cmd, o, args[0])
		}),
	}
	flags := cmd.Flags()
	o.model.add(flags)
	o.inputs.pictures.addReading(flags)
	flags.Var(&o.inputs.batch, "batch", "pictures that run at once")
	o.model.addTTA(flags)
	flags.StringVarP(&o.out, "out", "o", "", "the classifier, `FILE.safetensors`")
	flags.StringVar(&o.index, "from-index", "", "take embeddings from an index, `FILE` of bitgpu index")
	flags.Float64Var(&o.train.L2, "l2", 0, "the `weight` of the penalty, in place of the cross-validation's choice")
	flags.IntVar(&o.train.Folds, "folds", 5, "parts of the cross-validation")
	flags.BoolVar(&o.train.Raw, "raw", false, "do not bring features to mean 0 and variance 1 for the training")
	flags.Float64Var(&o.split.Holdout, "holdout", 0.2, "the `part` of every class that is kept back to judge by; 0 for none")
	flags.IntVar(&o.split.Shots, "shots", 0, "train on so many pictures of every class; 0 for all")
	flags.Uint64Var(&o.split.Seed, "seed", 0, "which pictures are kept back, and their parts of the cross-validation")
	flags.BoolVar(&o.refit, "refit", false, "train once more on all pictures, with the same penalty")
	flags.StringVar(&o.predictions, "predictions", "", "also write every picture's answer to `FILE.csv`")
	flags.BoolVar(&o.json, "json", false, "one JSON object")
	return cmd
}

// check finds mistakes in the flags before any work.
func (o *fitOptions) check(cmd *cobra.Command, dir string) error {
	if err := o.inputs.check(cmd.Flags(), []string{dir}); err != nil {
		return err
	}
	switch given := cmd.Flags().Changed; {
	case o.out == "":
		return usage("-o FILE.safetensors is missing")
	case given("l2") && !(o.train.L2 > 0):
		return usage("--l2: %v, want more than 0", o.train.L2)
	case o.train.Folds < 2:
		return usage("--folds: %d, want at least 2", o.train.Folds)
	case !(o.split.Holdout >= 0 && o.split.Holdout < 1):
		return usage("--holdout: %v, want 0 to less than 1", o.split.Holdout)
	case o.split.Shots < 0:
		return usage("--shots: %d, want at least 1, or 0 for all", o.split.Shots)
	}
	return checkTarget("--out", o.out)
}

// fitting is one run of bitgpu fit.
type fitting struct {
	classes []string
	inputs  []input // that are trained on or kept back, class by class
	held    []bool  // of inputs
	missed  []error // of inputs

	space      index.Space
	features   int
	embeddings []float32 // [inputs, features]; of a missed one zero
}

func (a *app) fit(cmd *cobra.Command, o fitOptions, dir string) error {
	ctx := cmd.Context()
	if err := o.check(cmd, dir); err != nil {
		return err
	}
	var results []result
	var rows *csv.Writer
	if o.predictions != "" {
		file, err := a.createText(o.predictions)
		if err != nil {
			return err
		}
		defer file.Discard()
		rows = csv.NewWriter(file)
		results = append(results, csvFile{rows, file})
	}
	f, count, err := a.listPictures(ctx, dir, o)
	if err != nil {
		return err
	}
	if err := a.embedAll(ctx, f, o, &count); err != nil {
		return err
	}
	o.train.Seed = o.split.Seed
	r, err := a.train(ctx, f, o)
	if err != nil {
		return err
	}
	if err := r.write(o.out, f); err != nil {
		return err
	}
	if rows != nil {
		r.predictions(rows, f)
	}
	if err := finish(nil, results...); err != nil {
		return err
	}
	out := a.text()
	if o.json {
		err = jsonLine(out, r.facts)
	} else {
		width, _ := terminalWidth(a.stdout)
		r.print(out, width)
		err = out.Flush()
	}
	return cmp.Or(err, count.result(ctx))
}

// listPictures finds the pictures and chooses those that are needed.
func (a *app) listPictures(ctx context.Context, dir string, o fitOptions) (*fitting, tally, error) {
	count := tally{app: a, tell: true, start: time.Now()}
	folders, err := classFolders(dir)
	if err != nil {
		return nil, count, err
	}
	tree := &classTree{dir: dir, folders: folders, class: map[string]int{}}
	if err := tree.byOrder(classesSorted, len(folders)); err != nil {
		return nil, count, err
	}
	if len(folders) < 2 {
		return nil, count, fmt.Errorf("%s: %d folders of classes in this directory, want at least 2", dir, len(folders))
	}
	var all []input
	var y []int
	sizes := make([]int, len(folders))
	for i := range tree.files(pictureFiles) {
		if ctx.Err() != nil {
			return nil, count, ctx.Err()
		}
		if i.err != nil {
			count.add(i.file, i.err)
			continue
		}
		all, y = append(all, i), append(y, i.class)
		sizes[i.class]++
	}
	for class, n := range sizes {
		if n == 0 {
			return nil, count, fmt.Errorf("%s: no pictures of the class %q", dir, tree.folders[class])
		}
		if o.split.Shots > 0 {
			part, _, err := head.Split(make([]int, n), 1, head.SplitOptions{Holdout: o.split.Holdout})
			if err != nil {
				return nil, count, err
			}
			if len(part) < o.split.Shots {
				return nil, count, fmt.Errorf("--shots: %d pictures of the class %q are left to train on, want %d", len(part), tree.folders[class], o.split.Shots)
			}
		}
	}
	train, held, err := head.Split(y, len(folders), o.split)
	if err != nil {
		return nil, count, err
	}
	f := &fitting{classes: tree.folders}
	kept := map[int]bool{}
	for _, i := range held {
		kept[i] = true
	}
	rows := slices.Concat(train, held)
	slices.Sort(rows)
	for _, i := range rows {
		f.inputs, f.held = append(f.inputs, all[i]), append(f.held, kept[i])
	}
	f.missed = make([]error, len(f.inputs))
	return f, count, nil
}

// embedAll takes embeddings from the index, or else makes them.
func (a *app) embedAll(ctx context.Context, f *fitting, o fitOptions, count *tally) error {
	var fresh []int
	if o.index == "" {
		for i := range f.inputs {
			fresh = append(fresh, i)
		}
		return a.embedFresh(ctx, f, nil, o, fresh, count)
	}
	x, err := index.Open(o.index)
	if err != nil {
		return cannotOpen(fmt.Errorf("--from-index: %w", err))
	}
	f.space = x.Space()
	f.room(x.Features())
	for i, in := range f.inputs {
		e, err := index.File(in.file)
		row, ok := 0, false
		if err == nil {
			row, ok = x.Unchanged(e)
		}
		if !ok {
			fresh = append(fresh, i)
			continue
		}
		v, err := x.Embedding(row)
		if err != nil {
			return errors.Join(err, x.Close())
		}
		copy(f.embeddings[i*f.features:], v)
		count.add(in.file, nil)
	}
	if len(fresh) > 0 {
		a.mention("%d of %d pictures are not in %s", len(fresh), len(f.inputs), o.index)
		o.model.prefer(a, f.space.Model)
		o.inputs.pictures.like(f.space.Preprocess, o.model.given)
		o.model.flipLike(f.space.Preprocess)
		err = a.embedFresh(ctx, f, x, o, fresh, count)
	}
	return errors.Join(err, x.Close())
}

// room makes room for all embeddings.
func (f *fitting) room(features int) {
	f.features, f.embeddings = features, make([]float32, len(f.inputs)*features)
}

// embedFresh makes the embeddings of some inputs; x is the index that has the others, or nil.
func (a *app) embedFresh(ctx context.Context, f *fitting, x *index.Index, o fitOptions, fresh []int, count *tally) error {
	return a.with(ctx, &o.model, &o.inputs, func(m *bitgpu.Model) error {
		if x != nil {
			if err := m.CheckIndex(x); err != nil {
				return cannotOpen(err)
			}
		} else {
			f.room(m.Info().Config.Features())
			f.space = m.Space()
		}
		next := 0
		j := &job{
			app: a, flags: o.inputs, want: bitgpu.Outputs{Embedding: true}, tell: true,
			source: func(yield func(input) bool) {
				for _, i := range fresh {
					if !yield(f.inputs[i]) {
						return
					}
				}
			},
			answer: func(x *answer) error {
				i := fresh[next]
				next++
				count.count.total++
				if f.missed[i] = x.err; x.err != nil {
					count.count.failed++
					return nil
				}
				copy(f.embeddings[i*f.features:], x.output.Embedding.Data)
				return nil
			},
		}
		if err := j.run(ctx, m); err != nil && !isSome(err) {
			return err
		}
		return nil
	})
}

// data is the examples of one part, and which inputs they are.
func (f *fitting) data(wanted func(held bool) bool) (head.Data, []int) {
	d := head.Data{Features: f.features, Classes: len(f.classes)}
	var rows []int
	for i, in := range f.inputs {
		if f.missed[i] == nil && wanted(f.held[i]) {
			d.X, d.Y = append(d.X, f.embeddings[i*f.features:(i+1)*f.features]...), append(d.Y, in.class)
			rows = append(rows, i)
		}
	}
	return d, rows
}

// fitted is the outcome of bitgpu fit.
type fitted struct {
	facts   fitFacts
	head    *head.Linear // that is written
	trained *head.Linear // that is judged
	report  *head.Report // on what was kept back; nil if nothing was
}

// train fits, judges, and fits again where that is wanted.
func (a *app) train(ctx context.Context, f *fitting, o fitOptions) (*fitted, error) {
	train, _ := f.data(func(held bool) bool { return !held })
	kept, _ := f.data(func(held bool) bool { return held })
	var bar *bar
	if _, terminal := terminalWidth(a.stderr); terminal && o.train.L2 == 0 {
		bar = newBar(a.stderr, -1, "cross-validation")
	}
	o.train.Progress = func(c head.Candidate) {
		bar.add()
		a.mention("L2 %.3g: cross-entropy %.4f, accuracy %.4f in the cross-validation", c.L2, c.Loss, c.Accuracy)
	}
	result, err := head.Train(ctx, train, o.train)
	bar.end()
	if err != nil {
		return nil, err
	}
	r := &fitted{head: result.Linear, trained: result.Linear}
	if len(kept.Y) > 0 {
		if r.report, err = result.Evaluate(kept); err != nil {
			return nil, err
		}
	}
	own, err := result.Evaluate(train)
	if err != nil {
		return nil, err
	}
	r.facts = newFitFacts(f, o, result, own, r.report)
	if o.refit && len(kept.Y) > 0 {
		all, _ := f.data(func(bool) bool { return true })
		o.train.L2 = result.L2
		if result, err = head.Train(ctx, all, o.train); err != nil {
			return nil, err
		}
		r.head, r.facts.Refit = result.Linear, len(all.Y)
	}
	if !result.Converged {
		warn(a.stderr, fmt.Errorf("the training has not converged after %d iterations: gradient %.2g", result.Iterations, result.Gradient))
	}
	return r, nil
}

// write writes the classifier.
func (r *fitted) write(path string, f *fitting) error {
	h := &loader.Head{Labels: f.classes, Features: r.head.Features, Metadata: map[string]string{
		bitgpu.MetadataModel: f.space.Model, bitgpu.MetadataTrunk: f.space.Trunk,
	}}
	for _, w := range r.head.Weight {
		h.Weight = append(h.Weight, float32(w))
	}
	for _, b := range r.head.Bias {
		h.Bias = append(h.Bias, float32(b))
	}
	for key, value := range map[string]any{metadataPreprocess: f.space.Preprocess, "bitgpu_fit": r.facts} {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		h.Metadata[key] = string(text)
	}
	return h.Write(path)
}

// predictions writes a row for every picture; the writer's Flush has the error.
func (r *fitted) predictions(rows *csv.Writer, f *fitting) {
	_ = rows.Write([]string{"file", "label", "part", "predicted", "prob"})
	all, at := f.data(func(bool) bool { return true })
	report, err := r.trained.Evaluate(all)
	if err != nil {
		return // of other widths than have been trained on, which cannot be
	}
	for n, i := range at {
		part := "train"
		if f.held[i] {
			part = "holdout"
		}
		answer := report.Answers[n]
		_ = rows.Write([]string{f.inputs[i].file, f.classes[f.inputs[i].class], part, f.classes[answer.Class], strconv.FormatFloat(answer.Prob, 'g', 6, 64)})
	}
}
