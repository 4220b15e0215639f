package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const manHelp = `Man writes a manual page for each command to DIR, which is made if need be: bitgpu.1, bitgpu-run.1 and so on.
The directory man1 below one of the directories that "man -w" prints makes them known to man.`

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages",
		Long:    manHelp,
		Example: "  bitgpu man ~/.local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: command(func(_ *cobra.Command, args []string) error {
			return a.writeManual(args[0])
		}),
	}
}

func (a *app) writeManual(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	v := newVersion()
	header := doc.GenManHeader{Section: "1", Source: "bitgpu " + v.Version, Manual: "bitgpu"}
	if t, err := time.Parse(time.RFC3339, v.Time); err == nil {
		header.Date = &t
	}
	root := newRoot(a)
	for cmd := range commands(root) {
		cmd.Long = markdown(cmd.Long)
		cmd.DisableAutoGenTag = true // the same program writes the same pages
	}
	for cmd := range commands(root) {
		var page bytes.Buffer
		h := header // GenMan fills it in
		if err := doc.GenMan(cmd, &h, &page); err != nil {
			return err
		}
		file, err := a.createText(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil {
			return err
		}
		defer file.Discard()
		_, _ = file.Write(page.Bytes()) // Close has the error
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// markdown makes of a help text what reads the same in Markdown: lines that begin with spaces are code.
func markdown(help string) string {
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", `\<`, ">", `\>`, "[", `\[`, "]", `\]`, "#", `\#`, "|", `\|`, "~", `\~`, "`", "\\`")
	var b strings.Builder
	code := false
	for line := range strings.Lines(help) {
		indented := strings.HasPrefix(line, " ")
		blank := strings.TrimSpace(line) == ""
		switch {
		case blank:
			b.WriteString("\n")
			continue
		case indented && !code:
			b.WriteString("\n    " + line)
		case indented:
			b.WriteString("    " + line)
		case code:
			b.WriteString("\n" + escape.Replace(line))
		default:
			b.WriteString(escape.Replace(line))
		}
		code = indented
	}
	return b.String()
}
