//go:build !desktop

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// view says how to get the viewer.
func (a *app) view(_ *cobra.Command, o viewOptions, paths []string) error {
	if err := o.check(paths); err != nil {
		return err
	}
	return cannotOpen(errors.New("this bitgpu has no viewer; `make desktop` builds one that has (go build -tags desktop)"))
}
