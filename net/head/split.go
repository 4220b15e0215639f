package head

// This file owns which examples are trained on and which are held out.

import (
	"fmt"
	"math"
	"slices"
)

// SplitOptions of Split.
type SplitOptions struct {
	// Holdout is the part of every class that is held out, 0 to less than 1: rounded, but at least one
	// example and not all, of a class that has two or more.
	Holdout float64
	// Shots is how many examples of every class are trained on, taken from those that are not held out;
	// 0 for all. So what is held out is the same for any number of shots.
	Shots int
	// Seed decides which.
	Seed uint64
}

// Split deals examples out, class by class; y has the class of each, 0 to classes-1. The same y and
// options give the same lists, which are in rising order.
func Split(y []int, classes int, o SplitOptions) (train, held []int, err error) {
	if !(o.Holdout >= 0 && o.Holdout < 1) || o.Shots < 0 {
		return nil, nil, fmt.Errorf("head: split: holdout %v, want 0 to less than 1; %d shots, want at least 0", o.Holdout, o.Shots)
	}
	for i, c := range y {
		if c < 0 || c >= classes {
			return nil, nil, fmt.Errorf("head: split: example %d is of class %d, want 0 to %d", i, c, classes-1)
		}
	}
	for class, members := range byClass(y, classes) {
		shuffle(members, o.Seed, class)
		n := int(math.Round(o.Holdout * float64(len(members))))
		switch {
		case o.Holdout == 0 || len(members) < 2:
			n = 0
		default:
			n = min(max(n, 1), len(members)-1)
		}
		held = append(held, members[:n]...)
		members = members[n:]
		if o.Shots > 0 {
			if len(members) < o.Shots {
				return nil, nil, fmt.Errorf("head: split: class %d has %d examples to train on, want %d", class, len(members), o.Shots)
			}
			members = members[:o.Shots]
		}
		train = append(train, members...)
	}
	slices.Sort(train)
	slices.Sort(held)
	return train, held, nil
}

// Select returns the examples of some rows.
func (d Data) Select(rows []int) Data {
	s := Data{Features: d.Features, Classes: d.Classes, X: make([]float32, 0, len(rows)*d.Features), Y: make([]int, 0, len(rows))}
	for _, i := range rows {
		s.X, s.Y = append(s.X, d.Row(i)...), append(s.Y, d.Y[i])
	}
	return s
}
