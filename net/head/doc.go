// Package head trains the classifier of a network, its head, on embeddings: multinomial logistic
// regression with an L2 penalty, the weight of which is chosen by cross-validation.
//
// A head takes embeddings as the network gives them, so Linear can stand where the network's own
// classifier stands. All is computed in float64 on the CPU and gives the same result for any number of
// processors. The package knows no network, no device and no file.
package head

import (
	"errors"
	"fmt"
)

// Data is examples. It is not written to.
type Data struct {
	X        []float32 // embeddings, [len(Y), Features]
	Y        []int     // the class of each
	Features int
	Classes  int
}

// Row returns the embedding of example i.
func (d Data) Row(i int) []float32 { return d.X[i*d.Features : (i+1)*d.Features] }

// check makes sure that there is something to train on.
func (d Data) check() error {
	switch {
	case d.Features < 1 || len(d.X) != len(d.Y)*d.Features:
		return fmt.Errorf("head: %d values for %d embeddings of %d", len(d.X), len(d.Y), d.Features)
	case d.Classes < 2:
		return fmt.Errorf("head: %d classes, want at least 2", d.Classes)
	case len(d.Y) == 0:
		return errors.New("head: no examples")
	}
	for i, y := range d.Y {
		if y < 0 || y >= d.Classes {
			return fmt.Errorf("head: example %d is of class %d, want 0 to %d", i, y, d.Classes-1)
		}
	}
	for i, x := range d.X {
		if x-x != 0 {
			return fmt.Errorf("head: example %d has %v in it", i/d.Features, x)
		}
	}
	return nil
}

// Linear is a classifier: logits = Weight x + Bias.
type Linear struct {
	Classes, Features int
	Weight            []float64 // [Classes, Features]
	Bias              []float64 // [Classes]
}
