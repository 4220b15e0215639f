package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/spf13/cobra"
)

const versionHelp = `Version prints how this program was built, the Vulkan loader that it finds, and every device with its
driver: what a report about a fault should begin with. That there is no Vulkan is part of the answer, and no error.`

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the facts about this program, Vulkan and its drivers",
		Long:    versionHelp,
		Example: "  bitgpu version\n  bitgpu version --json",
		Args:    cobra.NoArgs,
		RunE: command(func(*cobra.Command, []string) error {
			out, v := a.text(), newVersion()
			v.findVulkan()
			if asJSON {
				return jsonLine(out, v)
			}
			v.print(out)
			return out.Flush()
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// versionInfo is the JSON of bitgpu version. What is not known is left out.
type versionInfo struct {
	Version  string          `json:"version"` // of the module, or "(devel)"
	Commit   string          `json:"commit,omitempty"`
	Time     string          `json:"time,omitempty"` // of the commit
	Modified bool            `json:"modified"`       // the source was not what the commit has
	Go       string          `json:"go"`
	OS       string          `json:"os"`
	Arch     string          `json:"arch"`
	Tags     string          `json:"tags,omitempty"` // of the build
	Loader   string          `json:"vulkan_loader,omitempty"`
	Vulkan   string          `json:"vulkan_version,omitempty"` // of the loader
	Error    string          `json:"vulkan_error,omitempty"`
	Devices  []versionDevice `json:"devices"`
}

// versionDevice is a device and its driver.
type versionDevice struct {
	Index         int    `json:"index"`
	Name          string `json:"name"`
	Type          string `json:"type"`
	UUID          string `json:"uuid"`
	Driver        string `json:"driver"`
	DriverVersion uint32 `json:"driver_version"` // in the vendor's own encoding
	Vulkan        string `json:"vulkan"`
}

func newVersion() *versionInfo {
	v := &versionInfo{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Devices: []versionDevice{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "-tags":
			v.Tags = s.Value
		}
	}
	return v
}

// findVulkan adds what this machine has.
func (v *versionInfo) findVulkan() {
	loader, err := gpu.FindLoader()
	if err == nil {
		v.Loader, v.Vulkan = loader.Name, loader.Version.String()
		var list []gpu.Info
		list, err = gpu.Enumerate()
		for _, d := range list {
			v.Devices = append(v.Devices, versionDevice{d.Index, d.Name, d.Type.String(), d.UUID.String(), driver(d), d.DriverVersion, d.APIVersion.String()})
		}
	}
	if err != nil {
		v.Error = err.Error()
	}
}

// print writes the facts to read. Errors are those of Flush.
func (v *versionInfo) print(out *textFile) {
	fmt.Fprintf(out, "bitgpu %s\n", v)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(out, "  %-8s %s\n", what, printable(fmt.Sprintf(format, args...)))
	}
	if v.Commit != "" {
		changed := ""
		if v.Modified {
			changed = ", and changes that are not committed"
		}
		line("commit", "%s %s%s", v.Commit, v.Time, changed)
	}
	if v.Tags != "" {
		line("tags", "%s", v.Tags)
	}
	if v.Loader != "" {
		line("loader", "%s, Vulkan %s", v.Loader, v.Vulkan)
	}
	for _, d := range v.Devices {
		line(fmt.Sprintf("device %d", d.Index), "%s, %s, Vulkan %s, driver %s (%#x)", d.Name, d.Type, d.Vulkan, d.Driver, d.DriverVersion)
	}
	if v.Error != "" {
		fmt.Fprintln(out, v.Error)
	}
}

// String is the one line of bitgpu --version, without the name.
func (v *versionInfo) String() string {
	text := v.Version
	if text == "(devel)" && v.Commit != "" {
		text = v.Commit
	}
	return text + " " + v.Go + " " + v.OS + "/" + v.Arch
}
