package main

// This file owns the defaults of flags that users set: variables of the environment and a config file. What the
// command line says counts before a variable, that before the file, that before the flag's own default; and what
// is meant for one command before what is meant for all.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// preset is a flag's default from outside of the program.
type preset struct {
	values []string // one, or the elements of a list
	from   string   // a variable's name, or FILE:LINE
}

// presetFrom marks the flags that have their value from a preset.
const presetFrom = "bitgpu_preset_from"

// set gives a flag the value, as if it had been given on the command line.
func (p preset) set(flags *pflag.FlagSet, f *pflag.Flag) error {
	var err error
	if list, ok := f.Value.(pflag.SliceValue); ok && len(p.values) != 1 {
		err = list.Replace(p.values)
		f.Changed = true
	} else {
		err = flags.Set(f.Name, strings.Join(p.values, ","))
	}
	if err == nil {
		err = flags.SetAnnotation(f.Name, presetFrom, []string{p.from})
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err = invalid.Unwrap()
	}
	if err != nil {
		return usage("%s: %q for --%s: %w", p.from, strings.Join(p.values, ","), f.Name, err)
	}
	return nil
}

// config is what a config file says: its keys are names of flags, and of commands with such keys below them.
type config struct {
	file    string // "" if there is none
	presets map[string]preset
}

// key names a flag of a command in config.presets; the root command's is for all commands.
func key(cmd *cobra.Command, flag string) string { return cmd.CommandPath() + " --" + flag }

// noConfig as the value of --config leaves all files out.
const noConfig = "none"

// configPlaces are where the config file is looked for, the first of which counts.
func configPlaces() []string {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return nil
		}
	}
	return []string{filepath.Join(dir, "bitgpu", "config.yaml"), filepath.Join(dir, "bitgpu", "config.yml")}
}

// findConfig reads the file that --config names, or the first of the usual ones.
func findConfig(root *cobra.Command, named string) (*config, error) {
	switch named {
	case noConfig:
		return &config{}, nil
	case "":
		for _, file := range configPlaces() {
			c, err := readConfig(root, file)
			if !errors.Is(err, fs.ErrNotExist) {
				return c, err
			}
		}
		return &config{}, nil
	}
	return readConfig(root, named)
}

// longestConfig bounds a config file in bytes.
const longestConfig = 1 << 20

func readConfig(root *cobra.Command, file string) (*config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, usage("--config: %s: %w", file, reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestConfig+1))
	switch {
	case err != nil:
		return nil, usage("--config: %s: %w", file, reason(err))
	case len(text) > longestConfig:
		return nil, usage("--config: %s has more than %d bytes", file, longestConfig)
	}
	c := &config{file: file, presets: map[string]preset{}}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, usage("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) > 0 {
		if err := c.add(root, document.Content[0]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add reads the keys of a mapping for one command, or at the top for all.
func (c *config) add(cmd *cobra.Command, m *yaml.Node) error {
	if m.Kind == yaml.AliasNode {
		m = m.Alias
	}
	if m.Kind == yaml.ScalarNode && m.Tag == "!!null" {
		return nil
	}
	if m.Kind != yaml.MappingNode {
		return c.wrong(m, "want lines like \"model: demo\"")
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		name, value := m.Content[i], m.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if value.Kind == yaml.MappingNode {
			sub := subcommand(cmd, name.Value)
			if sub == nil {
				return c.wrong(name, "%s has no command %q%s", cmd.CommandPath(), name.Value, meant(nearest(name.Value, subcommandNames(cmd))))
			}
			if err := c.add(sub, value); err != nil {
				return err
			}
			continue
		}
		if err := c.addFlag(cmd, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) addFlag(cmd *cobra.Command, name, value *yaml.Node) error {
	names := presettable(cmd)
	if !cmd.HasParent() {
		names = nil
		for sub := range commands(cmd) {
			names = append(names, presettable(sub)...)
		}
	}
	if !slices.Contains(names, name.Value) {
		who := cmd.CommandPath() + " has no flag"
		if !cmd.HasParent() {
			who = "no command has a flag"
		}
		return c.wrong(name, "%s --%s%s", who, name.Value, meant(nearest(name.Value, names)))
	}
	p := preset{from: fmt.Sprintf("%s:%d", c.file, name.Line)}
	switch value.Kind {
	case yaml.SequenceNode:
		for _, v := range value.Content {
			if v.Kind != yaml.ScalarNode {
				return c.wrong(v, "%s: want a value or a list of values", name.Value)
			}
			p.values = append(p.values, v.Value)
		}
	case yaml.ScalarNode:
		if value.Tag == "!!null" {
			return c.wrong(name, "%s has no value", name.Value)
		}
		p.values = []string{value.Value}
	}
	k := key(cmd, name.Value)
	if before, ok := c.presets[k]; ok {
		return c.wrong(name, "%s is there twice, first at %s", name.Value, before.from)
	}
	c.presets[k] = p
	return nil
}

// wrong is an error about a place in the file.
func (c *config) wrong(at *yaml.Node, format string, args ...any) error {
	return usage("%s:%d: %s", c.file, at.Line, fmt.Sprintf(format, args...))
}

// variables are the names of the environment's that stand for a flag: of its command, and of all commands.
func variables(cmd *cobra.Command, flag string) (own, all string) {
	upper := func(s string) string {
		return strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(s))
	}
	return upper(cmd.CommandPath() + " " + flag), upper(cmd.Root().Name() + " " + flag)
}

// preset finds a flag's default in the environment or the config file.
func (c *config) preset(cmd *cobra.Command, flag string) (preset, bool) {
	own, all := variables(cmd, flag)
	for _, name := range []string{own, all} {
		if value, ok := os.LookupEnv(name); ok && value != "" {
			return preset{[]string{value}, name}, true
		}
	}
	for _, of := range []*cobra.Command{cmd, cmd.Root()} {
		if p, ok := c.presets[key(of, flag)]; ok {
			return p, true
		}
	}
	return preset{}, false
}

// apply sets the flags of a command that the command line has not set, and returns where their values come
// from. Of flags that exclude each other, what the command line says hides a default of the others.
func (c *config) apply(cmd *cobra.Command) (origins map[string]string, err error) {
	origins = map[string]string{}
	flags := cmd.Flags()
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	for _, name := range presettable(cmd) {
		f := flags.Lookup(name)
		if given[name] || excluded(f, given) {
			continue
		}
		if p, ok := c.preset(cmd, name); ok {
			if err := p.set(flags, f); err != nil {
				return nil, err
			}
			origins[name] = p.from
		}
	}
	return origins, nil
}

// excluded says whether a flag that was given excludes f.
func excluded(f *pflag.Flag, given map[string]bool) bool {
	for _, group := range f.Annotations["cobra_annotation_mutually_exclusive"] {
		for name := range strings.FieldsSeq(group) {
			if name != f.Name && given[name] {
				return true
			}
		}
	}
	return false
}

// presettable lists the flags of a command that may have defaults from outside.
func presettable(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !slices.Contains([]string{"help", "version", "config"}, f.Name) {
			names = append(names, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}

// commands yields a command and all below it, without those that are hidden or part of the shell's completion.
func commands(root *cobra.Command) func(yield func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) { walk(root, yield) }
}

func walk(cmd *cobra.Command, yield func(*cobra.Command) bool) bool {
	if cmd.Hidden || cmd.Name() == "help" {
		return true
	}
	if !yield(cmd) {
		return false
	}
	for _, sub := range cmd.Commands() {
		if !walk(sub, yield) {
			return false
		}
	}
	return true
}

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

func subcommandNames(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return names
}
