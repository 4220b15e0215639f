package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const configHelp = `Config shows the value of every flag where the command line says nothing, and where that comes from. COMMAND
narrows it to one command.

A flag has the first of these values: that of the command line; of the variable BITGPU_COMMAND_FLAG, as in
BITGPU_RUN_TOPK; of BITGPU_FLAG, as in BITGPU_DEVICE; of the config file, below the command's name; of the config
file, at the top; the flag's own. Dashes are underscores in the names of variables; empty variables count for
nothing.

The config file is bitgpu/config.yaml in $XDG_CONFIG_HOME, or else in the user's directory for such files
(~/.config on Linux). --config FILE names another, --config none leaves it out. It is YAML, such as
  device: 0,1
  precision: fp16
  run:
    topk: 3
    format: json
  bench:
    batch: [1, 8, 32]
A key that no command has as a flag is an error.`

func (a *app) configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "config [COMMAND...]",
		Short:   "Show the defaults of all flags, and where they come from",
		Long:    configHelp,
		Example: "  bitgpu config run\n  BITGPU_DEVICE=cpu bitgpu config bench compare --json",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return a.showConfig(cmd.Root(), args, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		of := cmd.Root()
		for _, name := range args {
			if of = subcommand(of, name); of == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
		return subcommandNames(of), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// flagValue is a line of bitgpu config --json.
type flagValue struct {
	Command  string `json:"command"` // without "bitgpu"
	Flag     string `json:"flag"`
	Value    string `json:"value"`
	Source   string `json:"source"`   // a variable, FILE:LINE or "default"
	Variable string `json:"variable"` // the one that sets it for all commands
}

func (a *app) showConfig(root *cobra.Command, names []string, asJSON bool) error {
	of := root
	for _, name := range names {
		sub := subcommand(of, name)
		if sub == nil {
			return usage("%s has no command %q%s", of.CommandPath(), name, meant(nearest(name, subcommandNames(of))))
		}
		of = sub
	}
	out := a.text()
	if !asJSON {
		fmt.Fprintf(out, "config file: %s\n", a.config.describe())
	}
	for cmd := range commands(of) {
		if !cmd.Runnable() {
			continue
		}
		values, err := a.config.values(cmd)
		if err != nil {
			return err
		}
		if asJSON {
			for _, v := range values {
				if err := jsonLine(out, v); err != nil {
					return err
				}
			}
			continue
		}
		fmt.Fprintf(out, "\n%s\n", styled(a.stdout, bold, cmd.CommandPath()))
		for _, v := range values {
			line := fmt.Sprintf("  --%-16s %-24s %s", v.Flag, printable(v.Value), printable(v.Source))
			if v.Source == builtIn {
				line = styled(a.stdout, faint, line)
			}
			fmt.Fprintln(out, line)
		}
	}
	return out.Flush()
}

// describe names the file, or the places where there is none.
func (c *config) describe() string {
	if c.file != "" {
		return printable(c.file)
	}
	return "none; it could be " + printable(strings.Join(configPlaces(), " or "))
}

// builtIn is the source of a flag's own default.
const builtIn = "default"

// values lists what the flags of a command are when the command line says nothing. Those of the command that is
// running are what they are.
func (c *config) values(cmd *cobra.Command) ([]flagValue, error) {
	cmd.InheritedFlags() // has the command take over its parents' flags
	origins, err := c.apply(cmd)
	if err != nil {
		return nil, err
	}
	var all []flagValue
	for _, name := range presettable(cmd) {
		f := flagOf(cmd, name)
		if f.Hidden {
			continue
		}
		_, variable := variables(cmd, name)
		v := flagValue{strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), name, f.DefValue, builtIn, variable}
		if from, ok := origins[name]; ok {
			v.Source, v.Value = from, f.Value.String()
		}
		all = append(all, v)
	}
	return all, nil
}

func flagOf(cmd *cobra.Command, name string) *pflag.Flag {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f
	}
	return cmd.InheritedFlags().Lookup(name)
}
