package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bitgpu/bitgpu"
	"github.com/spf13/cobra"
)

const pullHelp = `Pull fetches models from the Hugging Face Hub, or what of them this machine lacks, and prints where each
checkpoint is. NAME is the name of a published model, which bitgpu models lists, with or without its tag, or any
OWNER/NAME, with or without hf-hub: in front; @REVISION may follow, a branch, a tag or a commit. Other commands fetch a
published model, or hf-hub:OWNER/NAME, by themselves when it is not here, unless --offline is given.

The files lie in the cache of Python's huggingface_hub, for timm and bitgpu alike, and its variables are honoured:
HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT (seconds without a byte), and
HTTPS_PROXY, HTTP_PROXY, NO_PROXY. A download that was interrupted goes on where it was, and what comes is checked by
size and checksum. Several processes may pull the same model: one of them fetches, the others wait.`

func (a *app) pullCommand() *cobra.Command {
	var revision string
	cmd := &cobra.Command{
		Use:     "pull [flags] NAME...",
		Short:   "Fetch models from the Hugging Face Hub",
		Long:    pullHelp,
		Example: "  bitgpu pull resnetv2_50x1_bit\n  bitgpu pull hf-hub:timm/resnetv2_50x1_bit.goog_in21k@main",
		Args:    cobra.MinimumNArgs(1),
		RunE: command(func(cmd *cobra.Command, names []string) error {
			return a.pull(cmd.Context(), names, revision)
		}),
	}
	cmd.Flags().StringVar(&revision, "revision", "", "the branch, tag or `COMMIT` of names that have no @REVISION")
	return cmd
}

// pull fetches one model after the other. Those that fail do not stop the others.
func (a *app) pull(ctx context.Context, names []string, revision string) error {
	out := a.text()
	failed := 0
	for _, name := range names {
		path, err := a.pullOne(ctx, name, revision)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && len(names) == 1:
			return err
		case err != nil:
			failed++
			complain(a.stderr, err)
		case path != "":
			fmt.Fprintln(out, path)
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return errInputs{failed, len(names)}
	}
	return nil
}

// pullOne returns "" for what need not be fetched.
func (a *app) pullOne(ctx context.Context, name, revision string) (string, error) {
	if name == bitgpu.Demo {
		warn(a.stderr, fmt.Errorf("%s is part of the program: nothing to fetch", name))
		return "", nil
	}
	if _, err := os.Stat(name); err == nil {
		warn(a.stderr, fmt.Errorf("%s is a file or directory here: nothing to fetch; hf-hub:%s would be a repository", name, name))
		return "", nil
	}
	fetching := newFetching(a.stderr)
	path, err := bitgpu.Pull(ctx, name, bitgpu.PullOptions{Revision: revision, Progress: fetching.set})
	fetching.stop()
	if errors.Is(err, bitgpu.ErrNoModel) {
		err = modelError(name, err)
	}
	return path, err
}
