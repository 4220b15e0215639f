package gpu

import (
	"fmt"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Type says what kind of device it is.
type Type int

const (
	Other Type = iota
	Integrated
	Discrete
	Virtual
	CPU
)

func (t Type) String() string {
	switch t {
	case Integrated:
		return "integrated"
	case Discrete:
		return "discrete"
	case Virtual:
		return "virtual"
	case CPU:
		return "cpu"
	}
	return "other"
}

// SharesMemory says whether the device works in the host's memory: then copying to memory of its own gains nothing.
func (t Type) SharesMemory() bool { return t == CPU || t == Integrated }

// UUID identifies a device: the same on every start, and in every program, as long as neither the device nor its driver changes.
type UUID [16]byte

func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Version is a Vulkan version.
type Version uint32

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", uint32(v)>>22&0x7f, uint32(v)>>12&0x3ff, uint32(v)&0xfff)
}

// Limits of a device. Sizes are in bytes.
type Limits struct {
	MaxStorageBufferRange           int64 // bound to one binding of a kernel
	MaxMemoryAllocationSize         int64
	MaxBufferSize                   int64
	MaxWorkGroupSize                [3]uint32 // invocations in x, y, z
	MaxWorkGroupInvocations         uint32
	MaxWorkGroupCount               [3]uint32
	MaxSharedMemory                 uint32
	MaxPushConstants                uint32
	MaxStorageBuffers               uint32 // bindings of one kernel
	MinStorageBufferOffsetAlignment int64
	MaxTexels                       int64 // of 16 bytes, that a kernel can bind as texels at once
	MinTexelBufferOffsetAlignment   int64
	MaxAllocations                  uint32
	NonCoherentAtomSize             int64
	TimestampPeriod                 float64 // ns per tick; 0: no timestamps
}

// Info describes a device.
type Info struct {
	Index         int  // in Enumerate's list; 0 for an adopted one
	Auto          bool // what Options.Device "auto" would open
	Name          string
	UUID          UUID
	Type          Type
	DriverName    string
	DriverInfo    string
	APIVersion    Version
	DriverVersion uint32 // in the vendor's own encoding
	Limits        Limits

	SubgroupSize       uint32 // what kernels get when they do not ask
	MinSubgroupSize    uint32
	MaxSubgroupSize    uint32
	SubgroupControl    bool // OneSubgroup kernels can have any power of 2 from MinSubgroupSize to MaxSubgroupSize
	SubgroupBallot     bool // subgroup broadcast and ballot
	SubgroupShuffle    bool // subgroup shuffle
	SubgroupArithmetic bool // sums over a subgroup
	Float16            bool // fp16 arithmetic
	Storage16          bool // 16-bit types in storage buffers
	Int64              bool // 64-bit integers
	BufferAddress      bool // kernels read buffers by their address

	// Matrices are the sizes that a subgroup multiplies at once, fp16 products with fp32 sums
	// (VK_KHR_cooperative_matrix); none without matrix units.
	Matrices []Matrix
	// FlexibleMatrices are granularities: where there is one, the sides of such matrices may be any multiples of its sides, up
	// to 1024, their elements can be worked on one by one, and summed up (VK_NV_cooperative_matrix2).
	FlexibleMatrices []Matrix

	MemoryBytes   int64 // size of the device's own memory; of an integrated or CPU device, what it may have of the system's
	BudgetBytes   int64 // of that, what this process could still allocate at the time of asking
	TransferQueue bool  // uploads have a queue of their own, and readbacks where there is a second one
}

// Matrix is the size of a cooperative matrix product: MxN of sums, of MxK and KxN values.
type Matrix struct{ M, N, K uint32 }

// describe makes an Info of what a physical device says. families may lack a transfer queue.
func describe(p *vk.Physical, f families, features vk.Features) Info {
	l := p.Limits
	info := Info{
		Name: p.Name, UUID: p.UUID, Type: typeOf(p.Type), DriverName: p.DriverName, DriverInfo: p.DriverInfo,
		APIVersion: Version(p.DeviceVersion), DriverVersion: p.DriverVersion,
		Limits: Limits{
			MaxStorageBufferRange:           l.MaxStorageBufferRange,
			MaxMemoryAllocationSize:         l.MaxMemoryAllocationSize,
			MaxBufferSize:                   l.MaxBufferSize,
			MaxWorkGroupSize:                l.MaxWorkGroupSize,
			MaxWorkGroupInvocations:         l.MaxWorkGroupInvocations,
			MaxWorkGroupCount:               l.MaxWorkGroupCount,
			MaxSharedMemory:                 l.MaxSharedMemory,
			MaxPushConstants:                l.MaxPushConstants,
			MaxStorageBuffers:               l.MaxStorageBuffers,
			MinStorageBufferOffsetAlignment: l.MinStorageBufferOffsetAlignment,
			MaxTexels:                       l.MaxTexels,
			MinTexelBufferOffsetAlignment:   l.MinTexelBufferOffsetAlignment,
			MaxAllocations:                  l.MaxAllocations,
			NonCoherentAtomSize:             l.NonCoherentAtomSize,
		},
		SubgroupSize: p.SubgroupSize, MinSubgroupSize: p.MinSubgroupSize, MaxSubgroupSize: p.MaxSubgroupSize,
		SubgroupControl:    features.SubgroupSizeControl,
		SubgroupBallot:     p.SubgroupOperations&vk.SubgroupBallot != 0,
		SubgroupShuffle:    p.SubgroupOperations&vk.SubgroupShuffle != 0,
		SubgroupArithmetic: p.SubgroupOperations&vk.SubgroupArithmetic != 0,
		Float16:            features.Float16,
		Storage16:          features.Storage16,
		Int64:              features.Int64,
		BufferAddress:      features.BufferAddress,
		TransferQueue:      f.transfer >= 0 && features.TimelineSemaphore,
	}
	if f.compute >= 0 && p.Families[f.compute].TimestampBits > 0 {
		info.Limits.TimestampPeriod = l.TimestampPeriod
	}
	if features.CooperativeMatrix && features.Float16 {
		for _, m := range p.Matrices {
			info.Matrices = append(info.Matrices, Matrix{m[0], m[1], m[2]})
		}
		if features.CooperativeMatrix2 {
			for _, m := range p.FlexibleMatrices {
				info.FlexibleMatrices = append(info.FlexibleMatrices, Matrix{m[0], m[1], m[2]})
			}
		}
	}
	heap := mainHeap(p)
	budget, usage := p.MemoryBudget()
	info.MemoryBytes = p.Heaps[heap].Size
	info.BudgetBytes = max(0, budget[heap]-usage[heap])
	return info
}

func typeOf(t int) Type {
	switch t {
	case vk.TypeIntegrated:
		return Integrated
	case vk.TypeDiscrete:
		return Discrete
	case vk.TypeVirtual:
		return Virtual
	case vk.TypeCPU:
		return CPU
	}
	return Other
}

// mainHeap is the index of the largest heap of the device's own memory.
func mainHeap(p *vk.Physical) int {
	best := 0
	for i, h := range p.Heaps {
		own, bestOwn := h.Flags&vk.HeapDeviceLocal != 0, p.Heaps[best].Flags&vk.HeapDeviceLocal != 0
		if own && !bestOwn || own == bestOwn && h.Size > p.Heaps[best].Size {
			best = i
		}
	}
	return best
}

// families are the queue families that a device is used with; -1 for none.
type families struct {
	compute, transfer int
}

// chooseFamilies takes the first family that can compute, and for transfers one that can do nothing else: it
// is a copy engine that works beside the compute units.
func chooseFamilies(all []vk.QueueFamily) families {
	f := families{-1, -1}
	for i, q := range all {
		switch {
		case q.Queues == 0:
		case q.Flags&vk.QueueCompute != 0:
			if f.compute < 0 {
				f.compute = i
			}
		case q.Flags&vk.QueueTransfer != 0 && q.Flags&vk.QueueGraphics == 0:
			if f.transfer < 0 {
				f.transfer = i
			}
		}
	}
	return f
}
