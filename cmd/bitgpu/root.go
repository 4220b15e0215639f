package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"
)

const description = `bitgpu runs Google's Big Transfer (BiT) image networks on any Vulkan device.

PATH is a picture (PNG, JPEG, GIF, BMP, WebP, TIFF), a directory, which is searched through for
pictures, a glob such as 'photos/**/*.jpg', an http or https URL, or - for a list of files,
directories and URLs on standard input, one a line. --input - is a picture on standard input.

Flags that are always the same can be set in a config file or by variables named BITGPU_FLAG: bitgpu config tells.

Exit codes: 0 all inputs worked; 1 some failed, or results could not be written; 2 wrong usage;
3 no device or no model could be opened; 130 interrupted.`

// newRoot makes the command with all its subcommands.
func newRoot(a *app) *cobra.Command {
	var global globalFlags
	root := &cobra.Command{
		Use:           "bitgpu",
		Short:         "Run BiT image networks on any Vulkan device",
		Long:          description,
		Example:       "  bitgpu run --model demo photo.jpg\n  bitgpu devices",
		Version:       newVersion().String(),
		SilenceErrors: true,
		SilenceUsage:  true,

		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd, &global)
		},
	}
	root.SetVersionTemplate("bitgpu {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	global.add(root.PersistentFlags())
	root.MarkFlagsMutuallyExclusive("quiet", "verbose")
	root.AddCommand(
		a.runCommand(), a.embedCommand(), a.featuresCommand(), a.preprocessCommand(), a.evalCommand(), a.explainCommand(),
		a.indexCommand(), a.searchCommand(), a.fitCommand(), a.viewCommand(),
		a.benchCommand(), a.planCommand(), a.tuneCommand(), a.devicesCommand(), a.modelsCommand(), a.pullCommand(),
		a.inspectCommand(), a.convertCommand(),
		a.configCommand(), a.completionCommand(), a.manCommand(), a.versionCommand(),
	)
	a.setHelp(root)
	completeValues(root)
	return root
}

// configure takes the defaults from outside into a command's flags, before it runs. Scripts of shells do without.
func (a *app) configure(cmd *cobra.Command, global *globalFlags) error {
	switch cmd.Name() {
	case "help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return nil
	}
	named := global.config
	if !cmd.Flags().Changed("config") {
		named = cmp.Or(os.Getenv("BITGPU_CONFIG"), named)
	}
	var err error
	if a.config, err = findConfig(cmd.Root(), named); err != nil {
		return err
	}
	if a.origins, err = a.config.apply(cmd); err != nil {
		return err
	}
	return global.use(a)
}
