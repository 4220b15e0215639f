package loader

// This file owns the comparison of the tensors that a checkpoint has with the
// tensors that a network wants.

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// maxListed bounds each list of names in the error of CheckTensors: a
// checkpoint of another network differs in hundreds of tensors, and the first
// few tell which network it is.
const maxListed = 8

// CheckTensors makes sure that have holds exactly the tensors of want: the
// same names, the same shapes, and elements of F32, F16 or BF16 (the DType in
// want is not looked at). Otherwise its one error lists the missing tensors,
// the unexpected ones and those of the wrong shape or type, each list sorted
// by name and cut after a few.
func CheckTensors(have, want []TensorInfo) error {
	wanted := make(map[string]TensorInfo, len(want))
	for _, t := range want {
		wanted[t.Name] = t
	}
	var missing, unexpected, wrong []string
	for _, t := range have {
		w, ok := wanted[t.Name]
		delete(wanted, t.Name)
		switch {
		case !ok:
			unexpected = append(unexpected, t.Name)
		case !slices.Equal(t.Shape, w.Shape):
			wrong = append(wrong, fmt.Sprintf("%q: shape %v, want %v", t.Name, t.Shape, w.Shape))
		case t.DType != F32 && t.DType != F16 && t.DType != BF16:
			wrong = append(wrong, fmt.Sprintf("%q: type %v, want F32, F16 or BF16", t.Name, t.DType))
		}
	}
	for name := range wanted {
		missing = append(missing, name)
	}
	if len(missing)+len(unexpected)+len(wrong) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "loader: the checkpoint's tensors are not the network's (%d of %d missing, %d unexpected, %d wrong)",
		len(missing), len(want), len(unexpected), len(wrong))
	list := func(what string, names []string) {
		if len(names) == 0 {
			return
		}
		sort.Strings(names)
		fmt.Fprintf(&b, "; %s: %s", what, strings.Join(names[:min(len(names), maxListed)], ", "))
		if more := len(names) - maxListed; more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
	}
	list("missing", missing)
	list("unexpected", unexpected)
	list("wrong", wrong)
	return fmt.Errorf("%s", b.String())
}
