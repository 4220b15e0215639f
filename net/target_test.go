package net

import (
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// TestNewTarget: limits are taken over, submissions are cut shorter on slower kinds of devices, and
// conv_lane runs on CPUs that can, only.
func TestNewTarget(t *testing.T) {
	limits := gpu.Limits{
		MaxStorageBufferRange: 1 << 27, MaxWorkGroupCount: [3]uint32{65535, 65535, 1000}, MinStorageBufferOffsetAlignment: 16,
		MaxWorkGroupInvocations: 512, MaxWorkGroupSize: [3]uint32{256, 64, 64}, MaxSharedMemory: 48 << 10,
	}
	cpu := gpu.Info{
		Type: gpu.CPU, Limits: limits, SubgroupSize: 16, MinSubgroupSize: 4, MaxSubgroupSize: 16, SubgroupControl: true,
		SubgroupBallot: true, Int64: true,
	}
	change := func(f func(*gpu.Info)) gpu.Info {
		i := cpu
		f(&i)
		return i
	}
	for name, c := range map[string]struct {
		info  gpu.Info
		align int64
		lane  bool
		cut   int64
	}{
		"cpu": {cpu, 256, true, cutCPU},
		"subgroups of 8": {change(func(i *gpu.Info) {
			i.SubgroupControl, i.SubgroupSize, i.MinSubgroupSize, i.MaxSubgroupSize = false, 8, 8, 8
		}), 256, true, cutCPU},
		"size not ours":  {change(func(i *gpu.Info) { i.SubgroupControl, i.SubgroupSize = false, 8 }), 256, false, cutCPU},
		"narrow":         {change(func(i *gpu.Info) { i.MaxSubgroupSize = 4 }), 256, false, cutCPU},
		"wide":           {change(func(i *gpu.Info) { i.MinSubgroupSize = 16 }), 256, false, cutCPU},
		"no ballot":      {change(func(i *gpu.Info) { i.SubgroupBallot = false }), 256, false, cutCPU},
		"no int64":       {change(func(i *gpu.Info) { i.Int64 = false }), 256, false, cutCPU},
		"integrated":     {change(func(i *gpu.Info) { i.Type = gpu.Integrated }), 256, false, cutIntegrated},
		"discrete":       {change(func(i *gpu.Info) { i.Type = gpu.Discrete }), 256, false, cutDiscrete},
		"aligned to 512": {change(func(i *gpu.Info) { i.Limits.MinStorageBufferOffsetAlignment = 512 }), 512, true, cutCPU},
	} {
		want := Target{
			Storage: shaders.F16, MaxRange: 1 << 27, MaxGroups: [3]uint32{65535, 65535, 1000},
			Align: c.align, Lane: c.lane, CutFLOPs: c.cut, CPU: c.info.Type == gpu.CPU, MaxInvocations: 256, MaxShared: 48 << 10,
		}
		if got := NewTarget(c.info, shaders.F16); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestTargetMatrix: matrices are for fp16 storage only.
func TestTargetMatrix(t *testing.T) {
	info := gpu.Info{SubgroupSize: 32, MinSubgroupSize: 32, MaxSubgroupSize: 32, Matrices: []gpu.Matrix{{M: 16, N: 8, K: 16}}}
	if got := NewTarget(info, shaders.F16); got.Matrix != info.Matrices[0] || got.Subgroup != 32 {
		t.Errorf("fp16: %+v", got)
	}
	if got := NewTarget(info, shaders.F32); got.Matrix != (gpu.Matrix{}) || got.Subgroup != 0 {
		t.Errorf("fp32: %+v", got)
	}
}

// TestTargetPanel: conv_panel runs on the versions of lavapipe that are known to run a workgroup's subgroups in turn.
func TestTargetPanel(t *testing.T) {
	info := gpu.Info{
		Type: gpu.CPU, SubgroupControl: true, MinSubgroupSize: 8, MaxSubgroupSize: 8, SubgroupBallot: true, Int64: true, Float16: true,
		Storage16: true, SubgroupShuffle: true, BufferAddress: true, DriverName: lavapipe, Limits: gpu.Limits{MaxPushConstants: 256},
	}
	for driver, want := range map[string]bool{
		"Mesa 24.3.4": false, "Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)": true, "Mesa 26.2.6": true, "Mesa 27.0.0": false, "25.0.7": false, "": false,
	} {
		info.DriverInfo = driver
		if got := NewTarget(info, shaders.F16); got.Panel != want || !got.Address {
			t.Errorf("%q: conv_panel %v, want %v; by address %v, want true", driver, got.Panel, want, got.Address)
		}
	}
	info.DriverInfo, info.DriverName = "Mesa 25.0.7", "radv"
	if NewTarget(info, shaders.F16).Panel {
		t.Error("conv_panel runs on another driver")
	}
	info.DriverName, info.BufferAddress = lavapipe, false
	if got := NewTarget(info, shaders.F16); got.Panel || got.Address {
		t.Errorf("without addresses: %+v", got)
	}
}
