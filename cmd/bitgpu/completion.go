package main

// This file owns what a shell completes: commands by themselves, and values by what the help text of a flag or
// the usage line of a command calls them. So new commands and flags are completed without a word more.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const completionHelp = `Completion prints a script that makes a shell complete commands, flags, names of models, devices and formats,
and files. To have it always:

  bash        bitgpu completion bash > ~/.local/share/bash-completion/completions/bitgpu
  zsh         bitgpu completion zsh > "${fpath[1]}/_bitgpu"
  fish        bitgpu completion fish > ~/.config/fish/completions/bitgpu.fish
  powershell  bitgpu completion powershell >> $PROFILE

bash needs the package bash-completion, zsh "autoload -U compinit; compinit" in ~/.zshrc.`

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a script that completes commands in a shell",
		Long:      completionHelp,
		Example:   "  source <(bitgpu completion bash)",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: command(func(cmd *cobra.Command, args []string) error {
			out, root := a.text(), cmd.Root()
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(out, true)
			case "zsh":
				err = root.GenZshCompletion(out)
			case "fish":
				err = root.GenFishCompletion(out, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(out)
			}
			if err != nil {
				return err
			}
			return out.Flush()
		}),
	}
}

// completeValues tells the shell what the flags and arguments of all commands take.
func completeValues(root *cobra.Command) {
	for cmd := range commands(root) {
		complete := func(f *pflag.Flag) {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, flagValues(f)) // fails where the command has its own
		}
		cmd.NonInheritedFlags().VisitAll(complete)
		if cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = argumentValues(cmd.Use)
		}
	}
}

// flagValues completes a flag's value by its placeholder, as in `auto|cpu|N|NAME|UUID`: what is in small letters
// stands for itself.
func flagValues(f *pflag.Flag) cobra.CompletionFunc {
	_, isList := f.Value.(pflag.SliceValue)
	isList = isList || f.Name == "device"
	placeholder, _ := pflag.UnquoteUsage(f)
	var words []string
	rest := cobra.ShellCompDirectiveNoFileComp
	for word := range strings.SplitSeq(strings.TrimSuffix(placeholder, ",..."), "|") {
		switch {
		case strings.HasPrefix(word, "FILE"):
			rest = cobra.ShellCompDirectiveDefault
		case word == "DIR" && rest == cobra.ShellCompDirectiveNoFileComp:
			rest = cobra.ShellCompDirectiveFilterDirs
		case word != "" && strings.ToLower(word) == word && f.Value.Type() != "bool" && strings.Contains(placeholder, "|"):
			words = append(words, word)
		}
	}
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		list := words
		switch f.Name {
		case "model":
			list = slices.Concat(words, modelNames())
		case "device":
			list = slices.Concat(words, deviceNames())
		case "interpolation":
			list = loader.Interpolations()
		}
		if isList {
			before := typed[:strings.LastIndexByte(typed, ',')+1]
			if before != "" {
				list = prefixed(before, list)
			}
		}
		return list, rest
	}
}

// prefixed puts what was typed before the last comma in front of the words.
func prefixed(before string, words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = before + w
	}
	return all
}

// deviceNames are the indices of the devices; their names describe them. There are none without Vulkan.
func deviceNames() []string {
	list, _ := gpu.Enumerate()
	var names []string
	for _, d := range list {
		names = append(names, fmt.Sprintf("%s\t%s", strconv.Itoa(d.Index), printable(d.Name)))
	}
	return names
}

// argumentValues completes arguments by what the usage line calls them.
func argumentValues(use string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		for word := range strings.FieldsSeq(use) {
			switch word = strings.Trim(word, "[].,"); {
			case strings.Contains(word, "MODEL"):
				return modelNames(), cobra.ShellCompDirectiveDefault
			case word == "PATH" || word == "IMAGE":
				return extensions(pictureFiles, tensorFiles), cobra.ShellCompDirectiveFilterFileExt
			case word == "DIR":
				return nil, cobra.ShellCompDirectiveFilterDirs
			case word != "flags" && strings.ToUpper(word) == word:
				return nil, cobra.ShellCompDirectiveDefault
			}
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// extensions are those of file names, without their dots.
func extensions(lists ...[]string) []string {
	var all []string
	for _, e := range slices.Concat(lists...) {
		all = append(all, strings.TrimPrefix(filepath.Ext(e), "."))
	}
	return all
}
