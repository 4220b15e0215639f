package main

// This file owns what errors suggest: the names that were probably meant.

import (
	"errors"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearest returns the names that differ least from one that is wrong, in a third of its letters at most (or in
// two, which may only have changed places); and those that begin with it. There are no more than three.
func nearest(wrong string, names []string) []string {
	const most = 3
	wrong = strings.ToLower(wrong)
	least := len([]rune(wrong)) / 3
	if len(wrong) >= 4 {
		least = max(least, 2)
	}
	least = max(least, 1)
	var best []string
	for _, name := range names {
		switch d := levenshtein.ComputeDistance(wrong, strings.ToLower(name)); {
		case slices.Contains(best, name):
		case d < least:
			least, best = d, []string{name}
		case d == least:
			best = append(best, name)
		}
	}
	for _, name := range names {
		if len(best) < most && len(wrong) > 2 && strings.HasPrefix(strings.ToLower(name), wrong) && !slices.Contains(best, name) {
			best = append(best, name)
		}
	}
	return best[:min(len(best), most)]
}

// meant is the end of an error: the names that were probably meant, nothing if there are none.
func meant(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "; did you mean " + names[0] + "?"
	}
	last := len(names) - 1
	return "; did you mean " + strings.Join(names[:last], ", ") + " or " + names[last] + "?"
}

// flagError adds to pflag's error about an unknown flag those with similar names.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	name := unknown.GetSpecifiedName()
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		name, _, _ = strings.Cut(letters, "=") // -model for --model
	}
	if len(name) == 1 {
		return err
	}
	return usage("%w%s", err, meant(nearest("--"+name, names)))
}

// commandError adds to cobra's error about an unknown command those with similar names, on the error's own line.
func commandError(cmd *cobra.Command, err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n") // cobra's own suggestions follow
	rest, ok := strings.CutPrefix(first, `unknown command "`)
	wrong, _, also := strings.Cut(rest, `" for `)
	if !ok || !also {
		return err
	}
	return errors.New(first + meant(nearest(wrong, subcommandNames(cmd))))
}

// modelError adds the published names that are similar to one that is not known.
func modelError(name string, err error) error {
	if _, known := net.FindVariant(name); known || !errors.Is(err, bitgpu.ErrNoModel) {
		return err
	}
	if names := nearest(name, modelNames()); len(names) > 0 {
		return &suggestion{err, strings.TrimPrefix(meant(names), "; ")}
	}
	return err
}

// suggestion is an error with a next step on a line of its own.
type suggestion struct {
	error
	next string
}

func (s *suggestion) Error() string {
	return s.error.Error() + "\n" + strings.ToUpper(s.next[:1]) + s.next[1:]
}

func (s *suggestion) Unwrap() error { return s.error }

// modelNames are the names that --model takes: with the tag, and without it.
func modelNames() []string {
	names := []string{bitgpu.Demo}
	for _, v := range net.Variants() {
		names = append(names, v.Name)
		if arch := v.Architecture(); !slices.Contains(names, arch) {
			names = append(names, arch)
		}
	}
	return names
}
