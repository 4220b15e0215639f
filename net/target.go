package net

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// ErrTooLarge says that a batch does not fit a limit of the device. A smaller one may.
var ErrTooLarge = errors.New("net: too large for this device")

// Target is what a Plan needs to know of a device: plain data, so that plans can be made and tested
// without one.
type Target struct {
	Storage   shaders.Storage
	MaxRange  int64     // bytes that one binding may span
	MaxGroups [3]uint32 // workgroups of a dispatch in each dimension
	Align     int64     // offsets of bindings are multiples of it
	Lane      bool      // subgroups of 8 with broadcast, and 64-bit integers: conv_lane runs
	Texel     bool      // also binds whole ranges as texels and shuffles: conv_texel runs
	Address   bool      // also reads by address and shuffles: groupnorm runs
	CutFLOPs  int64     // most floating-point operations of one submission
	CPU       bool
	Panel     bool // conv_panel runs, and then runs every layer

	Tuning *Tuning // what was measured to be fastest; nil for the defaults

	// What conv_coopmat and conv_coopmat2 need: the size of matrices, or what the sides of matrices of any size are multiples of,
	// and the size of the subgroups that multiply them, zero if they do not run, and how large a workgroup may be.
	Matrix         gpu.Matrix
	Flexible       gpu.Matrix
	Subgroup       uint32
	MaxInvocations uint32
	MaxShared      uint32 // bytes
}

// Work of one submission. Watchdogs kill after about two seconds; half a second on the slowest
// device of a kind leaves room: 20 GFLOP/s for CPUs, 200 for integrated and 1,000 for discrete GPUs.
const (
	cutCPU        = 10e9
	cutIntegrated = 100e9
	cutDiscrete   = 500e9
)

// NewTarget describes a device for plans with the given storage type.
func NewTarget(info gpu.Info, storage shaders.Storage) Target {
	t := Target{
		Storage:   storage,
		MaxRange:  info.Limits.MaxStorageBufferRange,
		MaxGroups: info.Limits.MaxWorkGroupCount,
		Align:     max(info.Limits.MinStorageBufferOffsetAlignment, 256),
		CutFLOPs:  cutIntegrated,
		CPU:       info.Type == gpu.CPU,

		MaxInvocations: min(info.Limits.MaxWorkGroupInvocations, info.Limits.MaxWorkGroupSize[0]),
		MaxShared:      info.Limits.MaxSharedMemory,
	}
	if storage == shaders.F16 {
		if t.Matrix, t.Subgroup = chooseMatrix(info); t.Subgroup != 0 {
			t.Flexible = chooseFlexible(info)
		}
	}
	switch info.Type {
	case gpu.CPU:
		t.CutFLOPs = cutCPU
		// On a GPU conv_tile shares loads through shared memory; a CPU has none to share through.
		t.Lane = info.SubgroupBallot && info.Int64 && hasSubgroup(info, 8)
		t.Texel = t.Lane && storage == shaders.F16 && info.SubgroupShuffle && info.Limits.MaxTexels >= t.MaxRange/16
		t.Address = t.Lane && info.BufferAddress && info.SubgroupShuffle
		t.Panel = t.Address && runsPanel(info, storage)
	case gpu.Discrete:
		t.CutFLOPs = cutDiscrete
	}
	return t
}

// hasSubgroup reports whether a kernel can have workgroups of one subgroup of that size.
func hasSubgroup(info gpu.Info, size uint32) bool {
	if info.SubgroupControl {
		return info.MinSubgroupSize <= size && size <= info.MaxSubgroupSize
	}
	return info.SubgroupSize == size && info.MinSubgroupSize == info.MaxSubgroupSize
}

// lavapipe is the driver for whose compiler conv_panel is written, and these are the versions of Mesa, by their first number,
// of which the tests know in which order it runs the subgroups of a workgroup.
const (
	lavapipe  = "llvmpipe"
	firstMesa = 25
	lastMesa  = 26
)

// runsPanel reports whether a device with Address has also what conv_panel needs.
func runsPanel(info gpu.Info, storage shaders.Storage) bool {
	half := storage == shaders.F32 || info.Float16 && info.Storage16
	var mesa int
	if _, err := fmt.Sscanf(info.DriverInfo, "Mesa %d.", &mesa); err != nil || mesa < firstMesa || mesa > lastMesa {
		return false
	}
	return info.DriverName == lavapipe && half && info.Limits.MaxPushConstants >= uint32(shaders.For(storage).ConvPanel.Push)
}

// panelWork is what a network must take for conv_panel, in floating-point operations for one image: the compiler needs
// some seconds for its kernels on the first run, and where layers are small it gains little.
const panelWork = 4e9

// Suited returns the target as it serves a network, given the graph of the pictures that the network is made for.
func (t Target) Suited(g *Graph) Target {
	var flops int64
	for _, n := range g.Nodes {
		flops += 2 * g.MACs(n)
	}
	if flops < panelWork {
		t.Panel = false
	}
	return t
}
