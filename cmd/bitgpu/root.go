package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const description = `bitgpu runs Google's Big Transfer (BiT) image networks on any Vulkan device.

PATH is a picture (PNG, JPEG, GIF, BMP, WebP, TIFF), a directory, which is searched through for
pictures, a glob such as 'photos/**/*.jpg', or - for a list of files and directories on standard
input, one a line.

Exit codes: 0 all inputs worked; 1 some failed, or results could not be written; 2 wrong usage;
3 no device or no model could be opened; 130 interrupted.`

// newRoot makes the command with all its subcommands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "bitgpu",
		Short:         "Run BiT image networks on any Vulkan device",
		Long:          description,
		Example:       "  bitgpu run --model demo photo.jpg\n  bitgpu devices",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,

		DisableSuggestions: true, // errors of usage have one line
		CompletionOptions:  cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("bitgpu {{.Version}}\n")
	root.AddCommand(a.runCommand(), a.embedCommand(), a.featuresCommand(), a.preprocessCommand(), a.benchCommand(), a.planCommand(), a.tuneCommand(), a.devicesCommand())
	return root
}

// version is the module's version, or the commit that the program was built from.
func version() string {
	text := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			text = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && text == "(devel)" {
				text = s.Value
			}
		}
	}
	return text + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
