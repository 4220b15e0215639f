package main

// This file owns the streams that results and messages go to: whether they may have colour, and how much is
// said on stderr.

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// console is a stream with what the user wants of it.
type console struct {
	io.Writer
	color bool // styles are written
	quiet bool // no progress and no warnings
}

// globalFlags are those of all commands.
type globalFlags struct {
	config         string
	color          string
	quiet, verbose bool
}

func (g *globalFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&g.config, "config", "", "the `FILE` with defaults of flags, or none; see bitgpu config")
	flags.StringVar(&g.color, "color", "auto", "whether there are colours, `auto|always|never`; auto is on a terminal, unless NO_COLOR is set")
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "only errors on standard error: no progress, no warnings")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "also say what was loaded, on which device, and how long it took")
}

// use gives the streams the wanted properties.
func (g *globalFlags) use(a *app) error {
	if g.quiet && g.verbose {
		return usage("--quiet and --verbose exclude each other")
	}
	switch g.color {
	case "auto", "always", "never":
	default:
		return usage("--color: %q is none of auto, always and never", g.color)
	}
	a.verbose = g.verbose
	a.stdout = &console{plain(a.stdout), hasColor(g.color, a.stdout), g.quiet}
	a.stderr = &console{plain(a.stderr), hasColor(g.color, a.stderr), g.quiet}
	return nil
}

// plain is the stream below a console.
func plain(w io.Writer) io.Writer {
	if c, ok := w.(*console); ok {
		return c.Writer
	}
	return w
}

// hasColor says whether styles are written to w. NO_COLOR is that of no-color.org: set to anything but nothing.
func hasColor(mode string, w io.Writer) bool {
	switch mode {
	case "always":
		return true
	case "never":
		return false
	}
	f, ok := plain(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && enableColor(f)
}

// style is an SGR sequence of ECMA-48, section 8.3.117: what a terminal does to the text after it.
type style string

const (
	bold    style = "\x1b[1m"
	failing style = "\x1b[1;31m" // bold red
	warning style = "\x1b[1;33m" // bold yellow
	faint   style = "\x1b[2m"

	endStyle = "\x1b[0m"
)

// styled puts a style around text if w shows styles.
func styled(w io.Writer, s style, text string) string {
	if c, ok := w.(*console); !ok || !c.color {
		return text
	}
	return string(s) + text + endStyle
}

// isQuiet says whether only errors are wanted on w.
func isQuiet(w io.Writer) bool {
	c, ok := w.(*console)
	return ok && c.quiet
}

// message is an error's text without the names of packages before it, which say nothing to users of the command.
func message(err error) string {
	text := err.Error()
	for _, name := range []string{"bitgpu: ", "loader: ", "gpu: ", "net: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}

// complain prints an error with the command's name in front.
func complain(w io.Writer, err error) {
	fmt.Fprintln(w, styled(w, failing, "bitgpu:"), message(err))
}

// warn prints what is a pity but no error; nothing with --quiet.
func warn(w io.Writer, err error) {
	if !isQuiet(w) {
		fmt.Fprintln(w, styled(w, warning, "bitgpu:"), "warning:", message(err))
	}
}

// mention prints a line for --verbose.
func (a *app) mention(format string, args ...any) {
	if a.verbose {
		fmt.Fprintln(a.stderr, styled(a.stderr, faint, "bitgpu: "+printable(fmt.Sprintf(format, args...))))
	}
}
