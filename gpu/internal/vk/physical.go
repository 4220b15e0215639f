package vk

// #include "shim.h"
import "C"

import "unsafe"

// Features are the optional abilities of a device that are used where they are there.
type Features struct {
	Storage16           bool // 16-bit types in storage buffers
	Float16             bool // fp16 arithmetic
	SubgroupSizeControl bool // a pipeline may ask for a subgroup size, and for full subgroups
	TimelineSemaphore   bool
	Int64               bool // 64-bit integers in shaders
	CooperativeMatrix   bool // and the Vulkan memory model, which its SPIR-V needs
	CooperativeMatrix2  bool // matrices of any size, operations on their elements, and reductions
	BufferAddress       bool // buffers have addresses that shaders read from
	LowPriority         bool // never found, only asked for: queues make way for all others, as far as the driver can
}

func (f Features) bits() (bits C.uint32_t) {
	for _, v := range []struct {
		has bool
		bit C.uint32_t
	}{
		{f.Storage16, C.BG_FEATURE_STORAGE16},
		{f.Float16, C.BG_FEATURE_FLOAT16},
		{f.SubgroupSizeControl, C.BG_FEATURE_SUBGROUP_SIZE_CONTROL},
		{f.TimelineSemaphore, C.BG_FEATURE_TIMELINE_SEMAPHORE},
		{f.Int64, C.BG_FEATURE_INT64},
		{f.CooperativeMatrix, C.BG_FEATURE_COOPERATIVE_MATRIX},
		{f.CooperativeMatrix2, C.BG_FEATURE_COOPERATIVE_MATRIX2},
		{f.BufferAddress, C.BG_FEATURE_BUFFER_ADDRESS},
		{f.LowPriority, C.BG_FEATURE_LOW_PRIORITY},
	} {
		if v.has {
			bits |= v.bit
		}
	}
	return bits
}

// Limits of a device. Sizes are in bytes.
type Limits struct {
	MaxStorageBufferRange           int64
	MaxMemoryAllocationSize         int64
	MaxBufferSize                   int64
	MaxWorkGroupSize                [3]uint32
	MaxWorkGroupInvocations         uint32
	MaxWorkGroupCount               [3]uint32
	MaxSharedMemory                 uint32
	MaxPushConstants                uint32
	MaxStorageBuffers               uint32 // bindings of one pipeline
	MinStorageBufferOffsetAlignment int64
	MaxTexels                       int64 // of a uniform texel buffer
	MinTexelBufferOffsetAlignment   int64
	MaxAllocations                  uint32
	NonCoherentAtomSize             int64
	TimestampPeriod                 float64 // ns
}

// MemoryType is one kind of memory: what it can do and the heap it comes from.
type MemoryType struct {
	Flags uint32 // Memory*
	Heap  int
}

// Heap is one pool of memory.
type Heap struct {
	Size  int64
	Flags uint32 // HeapDeviceLocal
}

// QueueFamily is a group of equal queues.
type QueueFamily struct {
	Flags         uint32 // Queue*
	Queues        uint32
	TimestampBits uint32 // 0: no timestamps
}

// Physical is what a physical device says about itself.
type Physical struct {
	Handle                       PhysicalDevice
	Name, DriverName, DriverInfo string
	Type                         int // Type*
	// APIVersion is the usable version, DeviceVersion the device's own.
	APIVersion, DeviceVersion                      uint32
	DriverVersion                                  uint32
	VendorID, DeviceID                             uint32
	UUID                                           [16]byte
	PipelineCacheUUID                              [16]byte
	Limits                                         Limits
	Features                                       Features
	SubgroupSize, MinSubgroupSize, MaxSubgroupSize uint32
	SubgroupOperations                             uint32 // Subgroup*, in compute shaders
	MemoryTypes                                    []MemoryType
	Heaps                                          []Heap
	Families                                       []QueueFamily
	BudgetExtension                                bool        // VK_EXT_memory_budget
	Matrices                                       [][3]uint32 // M, N, K of fp16 products with fp32 sums, of a subgroup
	FlexibleMatrices                               [][3]uint32 // what M, N, K may be multiples of (CooperativeMatrix2)

	in *Instance
	c  C.bgPhysical
}

// Describe asks a physical device for what it can do. apiVersion is the version that the instance was made
// for. Of a device older than 1.1 only the name, the type and the versions are filled in.
func (in *Instance) Describe(handle PhysicalDevice, apiVersion uint32) (*Physical, error) {
	p := &Physical{Handle: handle, in: in}
	c := &p.c
	r := Result(C.bgDescribe(in.c, to[C.VkPhysicalDevice](handle), C.uint32_t(apiVersion), c))
	if err := check("vkEnumerateDeviceExtensionProperties", r); err != nil {
		return nil, err
	}
	p.Name = C.GoString(&c.properties.deviceName[0])
	p.Type = int(c.properties.deviceType)
	p.APIVersion = uint32(c.apiVersion)
	p.DeviceVersion = uint32(c.properties.apiVersion)
	p.DriverVersion = uint32(c.properties.driverVersion)
	p.VendorID, p.DeviceID = uint32(c.properties.vendorID), uint32(c.properties.deviceID)
	p.PipelineCacheUUID = to[[16]byte](c.properties.pipelineCacheUUID)
	p.UUID = to[[16]byte](c.deviceUUID)
	p.DriverName = C.GoString(&c.driverName[0])
	p.DriverInfo = C.GoString(&c.driverInfo[0])
	p.SubgroupSize = uint32(c.subgroupSize)
	p.MinSubgroupSize, p.MaxSubgroupSize = uint32(c.minSubgroupSize), uint32(c.maxSubgroupSize)
	p.SubgroupOperations = uint32(c.subgroupOperations)
	p.BudgetExtension = c.extensions&C.BG_EXT_MEMORY_BUDGET != 0
	p.Features = Features{
		Storage16:           c.features&C.BG_FEATURE_STORAGE16 != 0,
		Float16:             c.features&C.BG_FEATURE_FLOAT16 != 0,
		SubgroupSizeControl: c.features&C.BG_FEATURE_SUBGROUP_SIZE_CONTROL != 0,
		TimelineSemaphore:   c.features&C.BG_FEATURE_TIMELINE_SEMAPHORE != 0,
		Int64:               c.features&C.BG_FEATURE_INT64 != 0,
		CooperativeMatrix:   c.features&C.BG_FEATURE_COOPERATIVE_MATRIX != 0,
		CooperativeMatrix2:  c.features&C.BG_FEATURE_COOPERATIVE_MATRIX2 != 0,
		BufferAddress:       c.features&C.BG_FEATURE_BUFFER_ADDRESS != 0,
	}
	p.Limits = limitsOf(c)
	for _, t := range c.memory.memoryTypes[:c.memory.memoryTypeCount] {
		p.MemoryTypes = append(p.MemoryTypes, MemoryType{uint32(t.propertyFlags), int(t.heapIndex)})
	}
	for _, h := range c.memory.memoryHeaps[:c.memory.memoryHeapCount] {
		p.Heaps = append(p.Heaps, Heap{clamp(uint64(h.size)), uint32(h.flags)})
	}
	for _, f := range c.families[:c.familyCount] {
		p.Families = append(p.Families,
			QueueFamily{uint32(f.queueFlags), uint32(f.queueCount), uint32(f.timestampValidBits)})
	}
	for _, m := range c.matrices[:c.matrixCount] {
		p.Matrices = append(p.Matrices, to[[3]uint32](m))
	}
	for _, m := range c.flexible[:c.flexibleCount] {
		p.FlexibleMatrices = append(p.FlexibleMatrices, to[[3]uint32](m))
	}
	return p, nil
}

func limitsOf(c *C.bgPhysical) Limits {
	l := &c.properties.limits
	return Limits{
		MaxStorageBufferRange:           int64(l.maxStorageBufferRange),
		MaxMemoryAllocationSize:         clamp(uint64(c.maxMemoryAllocationSize)),
		MaxBufferSize:                   clamp(uint64(c.maxBufferSize)),
		MaxWorkGroupSize:                to[[3]uint32](l.maxComputeWorkGroupSize),
		MaxWorkGroupInvocations:         uint32(l.maxComputeWorkGroupInvocations),
		MaxWorkGroupCount:               to[[3]uint32](l.maxComputeWorkGroupCount),
		MaxSharedMemory:                 uint32(l.maxComputeSharedMemorySize),
		MaxPushConstants:                uint32(l.maxPushConstantsSize),
		MaxStorageBuffers:               min(uint32(l.maxPerStageDescriptorStorageBuffers), uint32(l.maxPerStageResources), C.BG_MAX_BINDINGS),
		MinStorageBufferOffsetAlignment: clamp(uint64(l.minStorageBufferOffsetAlignment)),
		MaxTexels:                       int64(l.maxTexelBufferElements),
		MinTexelBufferOffsetAlignment:   clamp(uint64(l.minTexelBufferOffsetAlignment)),
		MaxAllocations:                  uint32(l.maxMemoryAllocationCount),
		NonCoherentAtomSize:             clamp(uint64(l.nonCoherentAtomSize)),
		TimestampPeriod:                 float64(l.timestampPeriod),
	}
}

// clamp fits a size that may mean "no limit" into an int64.
func clamp(v uint64) int64 { return int64(min(v, 1<<63-1)) }

// MemoryBudget returns for each heap how much this process may use of it and how much it uses already, as
// the driver sees it at this moment (VK_EXT_memory_budget). Without the extension: the heaps' sizes, and 0.
func (p *Physical) MemoryBudget() (budget, usage []int64) {
	budget, usage = make([]int64, len(p.Heaps)), make([]int64, len(p.Heaps))
	for i, h := range p.Heaps {
		budget[i] = h.Size
	}
	if !p.BudgetExtension {
		return budget, usage
	}
	var b, u [C.VK_MAX_MEMORY_HEAPS]uint64
	C.bgMemoryBudget(p.in.c, to[C.VkPhysicalDevice](p.Handle), (*C.uint64_t)(unsafe.Pointer(&b[0])),
		(*C.uint64_t)(unsafe.Pointer(&u[0])))
	for i := range p.Heaps {
		budget[i], usage[i] = clamp(b[i]), clamp(u[i])
	}
	return budget, usage
}

// Extensions lists what NewDevice switches on.
func (p *Physical) Extensions() (names []string) {
	for k := C.uint32_t(0); ; k++ {
		name := C.bgExtension(&p.c, k)
		if name == nil {
			return names
		}
		if s := C.GoString(name); s != "" {
			names = append(names, s)
		}
	}
}
