package main

// This file owns the command's reference in docs/cli, which is made from the commands themselves: make docs.

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite docs/cli")

const referenceDir = "../../docs/cli"

// TestReference wants the pages to be what the commands say today.
func TestReference(t *testing.T) {
	pages := map[string]string{}
	for cmd := range commands(newRoot(&app{})) {
		pages[pageOf(cmd)] = page(cmd)
	}
	if *update {
		if err := os.RemoveAll(referenceDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(referenceDir, 0o777); err != nil {
			t.Fatal(err)
		}
		for name, text := range pages {
			if err := os.WriteFile(filepath.Join(referenceDir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for name, text := range pages {
		if got, err := os.ReadFile(filepath.Join(referenceDir, name)); err != nil || string(got) != text {
			t.Errorf("docs/cli/%s is not what the command says (%v); make docs", name, err)
		}
	}
	entries, err := os.ReadDir(referenceDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := pages[e.Name()]; !ok {
			t.Errorf("docs/cli/%s is of no command; make docs", e.Name())
		}
	}
}

// pageOf is the file of a command's page.
func pageOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "README.md"
	}
	return strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), " ", "-") + ".md"
}

func page(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Made by make docs from cmd/bitgpu; changes here are lost. -->\n\n# %s\n\n%s.\n\n", cmd.CommandPath(), escape(cmd.Short))
	if cmd.Runnable() {
		fmt.Fprintf(&b, "    %s\n\n", cmd.UseLine())
	} else {
		fmt.Fprintf(&b, "    %s COMMAND\n\n", cmd.CommandPath())
	}
	fmt.Fprintf(&b, "%s\n\n## Examples\n\n", strings.TrimSpace(markdown(cmd.Long)))
	for line := range strings.Lines(cmd.Example + "\n") {
		b.WriteString("  " + line)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n## Commands\n\n| | |\n|---|---|\n")
		for sub := range commands(cmd) {
			if sub != cmd {
				fmt.Fprintf(&b, "| [%s](%s) | %s |\n", sub.CommandPath(), pageOf(sub), escape(sub.Short))
			}
		}
	}
	flagTable(&b, "Flags", cmd.NonInheritedFlags())
	if cmd.HasParent() {
		b.WriteString("\n[Flags of all commands](README.md#flags)\n")
	}
	return b.String()
}

func flagTable(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| flag | default | |\n|---|---|---|\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name, help := flagHelp(f)
		shown := flagDefault(f)
		if shown != "" {
			shown = "`" + inCell(shown) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", inCell(name), shown, escape(help))
	})
}

// inCell is code in a table.
func inCell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// escape is a line of text outside of code.
func escape(s string) string { return strings.TrimSpace(markdown(s)) }
