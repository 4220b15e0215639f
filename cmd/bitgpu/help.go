package main

// This file owns how help is laid out: as wide as the terminal, or as the help texts where there is none.

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Columns of help: at most, and where lines become too short to read.
const (
	widestHelp    = 110
	narrowestHelp = 30
)

// helpWidth is the columns that help has on standard output.
func (a *app) helpWidth() int {
	width, ok := terminalWidth(a.stdout)
	if !ok {
		return widestHelp
	}
	return min(max(width, narrowestHelp), widestHelp)
}

// setHelp gives a command and all below it the layout of this file.
func (a *app) setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.Short
		}
		out := a.text()
		fmt.Fprintf(out, "%s\n\n%s", wrap(text, a.helpWidth()), a.usageText(cmd))
		_ = out.Flush() // nothing is to be done about help that nobody reads
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.OutOrStderr(), a.usageText(cmd))
		return err
	})
}

// usageText is what follows the help text.
func (a *app) usageText(cmd *cobra.Command) string {
	width := a.helpWidth()
	var b strings.Builder
	head := func(title string) { fmt.Fprintf(&b, "%s\n", styled(a.stdout, bold, title)) }
	head("Usage:")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		b.WriteString("\n")
		head("Examples:")
		b.WriteString(cmd.Example + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n")
		head("Commands:")
		pad := 0
		for sub := range available(cmd) {
			pad = max(pad, len(sub.Name()))
		}
		for sub := range available(cmd) {
			lines := wrap(sub.Short, max(width-pad-4, narrowestHelp/2))
			fmt.Fprintf(&b, "  %-*s  %s\n", pad, sub.Name(), strings.ReplaceAll(lines, "\n", "\n"+strings.Repeat(" ", pad+4)))
		}
	}
	if cmd.HasAvailableLocalFlags() {
		b.WriteString("\n")
		head("Flags:")
		writeFlags(&b, cmd.LocalFlags(), width)
	}
	if cmd.HasAvailableInheritedFlags() {
		b.WriteString("\n")
		head("Flags of all commands:")
		writeFlags(&b, cmd.InheritedFlags(), width)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s\n", wrap(fmt.Sprintf("'%s COMMAND --help' tells more about a command.", cmd.CommandPath()), width))
	}
	return b.String()
}

// writeFlags lists flags, what each means below its name: placeholders are too long for columns.
func writeFlags(b *strings.Builder, flags *pflag.FlagSet, width int) {
	const indent = "        "
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, help := flagHelp(f)
		if shown := flagDefault(f); shown != "" {
			help += " (default " + shown + ")"
		}
		fmt.Fprintf(b, "  %s\n%s%s\n", name, indent, strings.ReplaceAll(wrap(help, width-len(indent)), "\n", "\n"+indent))
	})
}

// flagHelp returns a flag's names with the placeholder of its value, and what it means. A placeholder that only
// stands beside the words, with commas around, is not repeated.
func flagHelp(f *pflag.Flag) (name, help string) {
	placeholder, help := pflag.UnquoteUsage(f)
	name = "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if placeholder == "" || f.Value.Type() == "bool" {
		return name, help
	}
	switch placeholder { // of pflag's, which are names of types
	case "int", "uint":
		placeholder = "N"
	case "ints":
		placeholder = "N,..."
	case "float":
		placeholder = "X"
	case "duration":
		placeholder = "TIME"
	}
	if before, after, ok := strings.Cut(help, ", "+placeholder); ok && (after == "" || strings.ContainsRune(",;:", rune(after[0]))) {
		help = before + after
	}
	return name + " " + placeholder, help
}

// flagDefault is a flag's default, "" where it is nothing, or stands for something that the help text tells.
func flagDefault(f *pflag.Flag) string {
	value := strings.Trim(f.DefValue, "[]")
	if value == "0" || f.Value.Type() == "bool" && value == "false" {
		return ""
	}
	return value
}

// available yields the subcommands that help lists.
func available(cmd *cobra.Command) func(yield func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" && !yield(sub) {
				return
			}
		}
	}
}

// wrap breaks the lines of a text anew where they are wider than width. Empty lines end paragraphs; lines that
// begin with spaces are left as they are.
func wrap(text string, width int) string {
	var b strings.Builder
	at := 0 // columns of the current line
	end := func() {
		if at > 0 {
			b.WriteString("\n")
		}
		at = 0
	}
	for line := range strings.Lines(text) {
		switch line = strings.TrimRight(line, "\n"); {
		case line == "":
			end()
			b.WriteString("\n")
		case line[0] == ' ':
			end()
			b.WriteString(line + "\n")
		default:
			for word := range strings.FieldsSeq(line) {
				columns := uniseg.StringWidth(word)
				switch {
				case at == 0:
				case at+1+columns > width:
					end()
				default:
					b.WriteString(" ")
					at++
				}
				b.WriteString(word)
				at += columns
			}
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
