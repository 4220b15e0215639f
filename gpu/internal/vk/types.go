package vk

import (
	"unsafe"

	"github.com/vulkan-go/vulkan"
)

// The handles, as the binding types them.
type (
	InstanceHandle      = vulkan.Instance
	PhysicalDevice      = vulkan.PhysicalDevice
	DeviceHandle        = vulkan.Device
	Queue               = vulkan.Queue
	Buffer              = vulkan.Buffer
	BufferView          = vulkan.BufferView
	Memory              = vulkan.DeviceMemory
	Fence               = vulkan.Fence
	Semaphore           = vulkan.Semaphore
	QueryPool           = vulkan.QueryPool
	PipelineCache       = vulkan.PipelineCache
	PipelineLayout      = vulkan.PipelineLayout
	Pipeline            = vulkan.Pipeline
	DescriptorSetLayout = vulkan.DescriptorSetLayout
	DescriptorPool      = vulkan.DescriptorPool
	DescriptorSet       = vulkan.DescriptorSet
	CommandPool         = vulkan.CommandPool
	CommandBuffer       = vulkan.CommandBuffer
)

// Bits that package gpu combines.
const (
	MemoryDeviceLocal  = uint32(vulkan.MemoryPropertyDeviceLocalBit)
	MemoryHostVisible  = uint32(vulkan.MemoryPropertyHostVisibleBit)
	MemoryHostCoherent = uint32(vulkan.MemoryPropertyHostCoherentBit)
	MemoryHostCached   = uint32(vulkan.MemoryPropertyHostCachedBit)
	HeapDeviceLocal    = uint32(vulkan.MemoryHeapDeviceLocalBit)

	QueueCompute  = uint32(vulkan.QueueComputeBit)
	QueueGraphics = uint32(vulkan.QueueGraphicsBit)
	QueueTransfer = uint32(vulkan.QueueTransferBit)

	BufferUsage = uint32(vulkan.BufferUsageStorageBufferBit | vulkan.BufferUsageUniformTexelBufferBit |
		vulkan.BufferUsageTransferSrcBit | vulkan.BufferUsageTransferDstBit)

	bufferUsageAddress = uint32(0x20000) // VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT, which the binding does not know

	StageCompute  = uint32(vulkan.PipelineStageComputeShaderBit)
	StageTransfer = uint32(vulkan.PipelineStageTransferBit)
	StageHost     = uint32(vulkan.PipelineStageHostBit)
	StageAll      = uint32(vulkan.PipelineStageAllCommandsBit)

	AccessShader        = uint32(vulkan.AccessShaderReadBit | vulkan.AccessShaderWriteBit)
	AccessShaderWrite   = uint32(vulkan.AccessShaderWriteBit)
	AccessTransfer      = uint32(vulkan.AccessTransferReadBit | vulkan.AccessTransferWriteBit)
	AccessTransferWrite = uint32(vulkan.AccessTransferWriteBit)
	AccessHostRead      = uint32(vulkan.AccessHostReadBit)
	AccessMemoryRead    = uint32(vulkan.AccessMemoryReadBit)
	AccessMemoryWrite   = uint32(vulkan.AccessMemoryWriteBit)

	SubgroupBasic           = uint32(vulkan.SubgroupFeatureBasicBit)
	SubgroupVote            = uint32(vulkan.SubgroupFeatureVoteBit)
	SubgroupArithmetic      = uint32(vulkan.SubgroupFeatureArithmeticBit)
	SubgroupBallot          = uint32(vulkan.SubgroupFeatureBallotBit)
	SubgroupShuffle         = uint32(vulkan.SubgroupFeatureShuffleBit)
	SubgroupShuffleRelative = uint32(vulkan.SubgroupFeatureShuffleRelativeBit)
	SubgroupClustered       = uint32(vulkan.SubgroupFeatureClusteredBit)
	SubgroupQuad            = uint32(vulkan.SubgroupFeatureQuadBit)

	TypeOther      = int(vulkan.PhysicalDeviceTypeOther)
	TypeIntegrated = int(vulkan.PhysicalDeviceTypeIntegratedGpu)
	TypeDiscrete   = int(vulkan.PhysicalDeviceTypeDiscreteGpu)
	TypeVirtual    = int(vulkan.PhysicalDeviceTypeVirtualGpu)
	TypeCPU        = int(vulkan.PhysicalDeviceTypeCpu)
)

// to gives a handle the type that another package's cgo has for it. The bits are copied through memory, so
// that a handle which is no address is never seen as a Go pointer.
func to[T, F any](f F) T { return *(*T)(unsafe.Pointer(&f)) }

// Handle is what a host may hand over.
type Handle interface {
	InstanceHandle | PhysicalDevice | DeviceHandle | Queue | Buffer | Image | Semaphore | Fence
}

// FromAddress returns the handle with the given bits.
func FromAddress[H Handle](bits uintptr) H { return to[H](bits) }

// Address returns the bits of a handle.
func Address[H Handle](h H) uintptr { return to[uintptr](h) }
