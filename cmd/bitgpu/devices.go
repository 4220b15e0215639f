package main

import (
	"fmt"
	"io"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/spf13/cobra"
)

const devicesHelp = `Devices lists every Vulkan device that can be used, by the index that --device takes. The one marked
with a star is what --device auto opens. With --json there is one object a line.`

func (a *app) devicesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "devices",
		Short:   "List the Vulkan devices",
		Long:    devicesHelp,
		Example: "  bitgpu devices\n  bitgpu devices --json",
		Args:    cobra.NoArgs,
		RunE: command(func(*cobra.Command, []string) error {
			list, err := gpu.Enumerate()
			if err != nil {
				return cannotOpen(err)
			}
			out := a.text()
			for _, d := range list {
				if asJSON {
					err = jsonLine(out, newDevice(d))
				} else {
					describeDevice(out, d)
					err = out.Flush()
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// device is a line of bitgpu devices --json. Sizes are in bytes.
type device struct {
	Index                 int       `json:"index"`
	Auto                  bool      `json:"auto"`
	Name                  string    `json:"name"`
	UUID                  string    `json:"uuid"`
	Type                  string    `json:"type"`
	Driver                string    `json:"driver"`
	Vulkan                string    `json:"vulkan"`
	Memory                int64     `json:"memory_bytes"`
	Free                  int64     `json:"free_bytes"`
	MaxStorageBufferRange int64     `json:"max_storage_buffer_range"`
	MaxAllocation         int64     `json:"max_memory_allocation_size"`
	MaxSharedMemory       uint32    `json:"max_shared_memory"`
	MaxInvocations        uint32    `json:"max_workgroup_invocations"`
	MaxWorkGroups         [3]uint32 `json:"max_workgroup_count"`
	SubgroupSize          uint32    `json:"subgroup_size"`
	MinSubgroupSize       uint32    `json:"min_subgroup_size"`
	MaxSubgroupSize       uint32    `json:"max_subgroup_size"`
	SubgroupControl       bool      `json:"subgroup_size_control"`
	Storage16             bool      `json:"fp16_storage"`
	Float16               bool      `json:"fp16_arithmetic"`
	Int64                 bool      `json:"int64"`
	TransferQueue         bool      `json:"transfer_queue"`
	Timestamps            bool      `json:"timestamps"`
}

func newDevice(d gpu.Info) device {
	return device{
		Index: d.Index, Auto: d.Auto, Name: d.Name, UUID: d.UUID.String(), Type: d.Type.String(), Driver: driver(d), Vulkan: d.APIVersion.String(),
		Memory: d.MemoryBytes, Free: d.BudgetBytes,
		MaxStorageBufferRange: d.Limits.MaxStorageBufferRange, MaxAllocation: d.Limits.MaxMemoryAllocationSize,
		MaxSharedMemory: d.Limits.MaxSharedMemory, MaxInvocations: d.Limits.MaxWorkGroupInvocations, MaxWorkGroups: d.Limits.MaxWorkGroupCount,
		SubgroupSize: d.SubgroupSize, MinSubgroupSize: d.MinSubgroupSize, MaxSubgroupSize: d.MaxSubgroupSize, SubgroupControl: d.SubgroupControl,
		Storage16: d.Storage16, Float16: d.Float16, Int64: d.Int64, TransferQueue: d.TransferQueue, Timestamps: d.Limits.TimestampPeriod > 0,
	}
}

// driver is the driver's name and what it says of its version.
func driver(d gpu.Info) string {
	if d.DriverInfo == "" {
		return d.DriverName
	}
	return d.DriverName + " " + d.DriverInfo
}

// describeDevice prints a device as a block of text. Errors of w are its Flush's.
func describeDevice(w io.Writer, d gpu.Info) {
	mark := " "
	if d.Auto {
		mark = "*"
	}
	fmt.Fprintf(w, "%s %d  %s\n", mark, d.Index, printable(d.Name))
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "     %-10s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("type", "%v, Vulkan %v, %s", d.Type, d.APIVersion, printable(driver(d)))
	line("UUID", "%v", d.UUID)
	line("memory", "%s, %s free", size(d.MemoryBytes), size(d.BudgetBytes))
	line("limits", "binding %s, allocation %s, shared memory %s, workgroup %d invocations",
		size(d.Limits.MaxStorageBufferRange), size(d.Limits.MaxMemoryAllocationSize), size(int64(d.Limits.MaxSharedMemory)), d.Limits.MaxWorkGroupInvocations)
	subgroup := fmt.Sprint(d.SubgroupSize)
	if d.SubgroupControl && d.MinSubgroupSize != d.MaxSubgroupSize {
		subgroup = fmt.Sprintf("%d, or %d to %d on request", d.SubgroupSize, d.MinSubgroupSize, d.MaxSubgroupSize)
	}
	line("subgroup", "%s", subgroup)
	line("fp16", "storage %s, arithmetic %s", yes(d.Storage16), yes(d.Float16))
	line("queues", "own one for transfers %s, timestamps %s", yes(d.TransferQueue), yes(d.Limits.TimestampPeriod > 0))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// size prints a number of bytes in the largest binary unit of which there is one.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return fmt.Sprintf("%.4g %s", v, units[i])
}
