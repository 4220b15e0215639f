package main

// This file owns what bitgpu fit tells in the end: the table, and the JSON that the classifier's file has, too.

import (
	"fmt"
	"io"
	"strings"

	"github.com/bitgpu/bitgpu/net/head"
)

// metadataPreprocess is the key of a head's metadata under which is how its pictures were prepared.
const metadataPreprocess = "bitgpu_preprocess"

// fitFacts is the JSON of a training. Shares are 0 to 1, and null where there is nothing to share.
type fitFacts struct {
	Model        string      `json:"model"`
	Trained      int         `json:"trained_on"`
	Held         int         `json:"held_out"`
	Refit        int         `json:"refit_on,omitempty"`
	Shots        int         `json:"shots,omitempty"`
	Holdout      float64     `json:"holdout"`
	Seed         uint64      `json:"seed"`
	Standardized bool        `json:"standardized"`
	L2           float64     `json:"l2"`
	Candidates   []candidate `json:"cross_validation,omitempty"`
	Objective    float64     `json:"objective"`
	Gradient     float64     `json:"gradient"`
	Iterations   int         `json:"iterations"`
	Converged    bool        `json:"converged"`
	TrainedRight *float64    `json:"training_accuracy"`
	Accuracy     *float64    `json:"accuracy"` // and what follows: on what was held out
	Loss         *float64    `json:"loss"`
	Classes      []fitClass  `json:"classes"`
}

// candidate is one weight of the penalty.
type candidate struct {
	L2       float64 `json:"l2"`
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
}

// fitClass is one class.
type fitClass struct {
	Label     string   `json:"label"`
	Trained   int      `json:"trained_on"`
	Held      int      `json:"held_out"`
	Recall    *float64 `json:"accuracy"`
	Precision *float64 `json:"precision"`
}

func newFitFacts(f *fitting, o fitOptions, r *head.Result, own, held *head.Report) fitFacts {
	facts := fitFacts{
		Model: f.space.Model, Trained: own.Examples, Shots: o.split.Shots, Holdout: o.split.Holdout, Seed: o.split.Seed,
		Standardized: !o.train.Raw, L2: r.L2, Objective: r.Objective, Gradient: r.Gradient, Iterations: r.Iterations,
		Converged: r.Converged, TrainedRight: number(own.Accuracy),
	}
	for _, c := range r.Candidates {
		facts.Candidates = append(facts.Candidates, candidate(c))
	}
	if held != nil {
		facts.Held, facts.Accuracy, facts.Loss = held.Examples, number(held.Accuracy), number(held.Loss)
	}
	for k, label := range f.classes {
		c := fitClass{Label: label, Trained: own.Classes[k].Examples}
		if held != nil {
			h := held.Classes[k]
			c.Held, c.Recall, c.Precision = h.Examples, number(h.Recall()), number(h.Precision())
		}
		facts.Classes = append(facts.Classes, c)
	}
	return facts
}

// print prints the report; errors of the writer are its Flush's. width is the terminal's, 0 for none.
func (r *fitted) print(out io.Writer, width int) {
	f := r.facts
	fmt.Fprintf(out, "%d classes, trained on %d pictures, %d held out (seed %d)\n", len(f.Classes), f.Trained, f.Held, f.Seed)
	chosen := ""
	if n := len(f.Candidates); n > 0 {
		chosen = fmt.Sprintf(", chosen of %d by cross-validation", n)
	}
	fmt.Fprintf(out, "L2 %.4g%s; %d iterations, gradient %.2g\n", f.L2, chosen, f.Iterations, f.Gradient)
	if f.Refit > 0 {
		fmt.Fprintf(out, "trained once more, on all %d pictures; what follows is of the first training\n", f.Refit)
	}
	if f.Accuracy == nil {
		return
	}
	fmt.Fprintf(out, "\naccuracy %6.2f %%  %d of %d held out\n", 100**f.Accuracy, r.report.Right, r.report.Examples)
	fmt.Fprintf(out, "         %6.2f %%  on the pictures that it was trained on\n", 100**f.TrainedRight)
	fmt.Fprintf(out, "loss     %8.4f  cross-entropy, mean of the held out\n", *f.Loss)
	const most, others = 40, 42 // columns of a class's name, and of the rest of its line
	longest := len("class")
	for _, c := range f.Classes {
		longest = max(longest, len([]rune(c.Label)))
	}
	if longest = min(longest, most); width > 0 {
		longest = min(longest, max(width-others, 8))
	}
	fmt.Fprintf(out, "\n%-*s  trained  held out  accuracy  precision\n", longest, "class")
	for i, c := range f.Classes {
		if i == mostClasses {
			fmt.Fprintf(out, "and %d more; --json has them all\n", len(f.Classes)-i)
			break
		}
		recall, precision := "-", "-"
		if c.Recall != nil {
			recall = percentOf(*c.Recall)
		}
		if c.Precision != nil {
			precision = percentOf(*c.Precision)
		}
		line := fmt.Sprintf("%-*s  %7d %9d %9s %10s", longest, shorten(printable(c.Label), longest), c.Trained, c.Held, recall, precision)
		fmt.Fprintln(out, shorten(strings.TrimRight(line, " "), width))
	}
}
