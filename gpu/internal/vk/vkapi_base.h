// vkapi_base.h: handles, scalar types and constants of the Vulkan API, as far as they are used here.
//
// These vkapi_*.h files declare the part of Vulkan 1.1 (and of a few later extensions) that the shims
// call, under the registry's own names, so that building needs no Vulkan headers. Layouts are those of 64-bit
// platforms; vkapi_check.c pins them. Source: the Khronos Vulkan registry (Apache-2.0 OR MIT).

#ifndef BITGPU_VKAPI_BASE_H
#define BITGPU_VKAPI_BASE_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX != UINT64_MAX
#error "bitgpu needs a 64-bit platform"
#endif

#define VKAPI_PTR
#define VK_NULL_HANDLE NULL

// Handles.
typedef struct VkCommandBuffer_T *VkCommandBuffer;
typedef struct VkDevice_T *VkDevice;
typedef struct VkInstance_T *VkInstance;
typedef struct VkPhysicalDevice_T *VkPhysicalDevice;
typedef struct VkQueue_T *VkQueue;
typedef struct VkBuffer_T *VkBuffer;
typedef struct VkBufferView_T *VkBufferView;
typedef struct VkCommandPool_T *VkCommandPool;
typedef struct VkDebugUtilsMessengerEXT_T *VkDebugUtilsMessengerEXT;
typedef struct VkDescriptorPool_T *VkDescriptorPool;
typedef struct VkDescriptorSet_T *VkDescriptorSet;
typedef struct VkDescriptorSetLayout_T *VkDescriptorSetLayout;
typedef struct VkDeviceMemory_T *VkDeviceMemory;
typedef struct VkFence_T *VkFence;
typedef struct VkPipeline_T *VkPipeline;
typedef struct VkPipelineCache_T *VkPipelineCache;
typedef struct VkPipelineLayout_T *VkPipelineLayout;
typedef struct VkQueryPool_T *VkQueryPool;
typedef struct VkSampler_T *VkSampler;
typedef struct VkSemaphore_T *VkSemaphore;
typedef struct VkShaderModule_T *VkShaderModule;

// Scalars: every flag set is 32 bits wide, every enumeration an int32_t.
typedef uint32_t VkBool32;
typedef uint64_t VkDeviceSize;
typedef uint32_t VkAccessFlags;
typedef uint32_t VkBufferCreateFlags;
typedef uint32_t VkBufferUsageFlags;
typedef uint32_t VkBufferViewCreateFlags;
typedef uint32_t VkCommandBufferUsageFlags;
typedef uint32_t VkCommandPoolCreateFlags;
typedef uint32_t VkDebugUtilsMessageSeverityFlagsEXT;
typedef uint32_t VkDebugUtilsMessageTypeFlagsEXT;
typedef uint32_t VkDebugUtilsMessengerCallbackDataFlagsEXT;
typedef uint32_t VkDebugUtilsMessengerCreateFlagsEXT;
typedef uint32_t VkDependencyFlags;
typedef uint32_t VkDescriptorPoolCreateFlags;
typedef uint32_t VkDescriptorSetLayoutCreateFlags;
typedef uint32_t VkDeviceCreateFlags;
typedef uint32_t VkDeviceQueueCreateFlags;
typedef uint32_t VkFenceCreateFlags;
typedef uint32_t VkInstanceCreateFlags;
typedef uint32_t VkMemoryHeapFlags;
typedef uint32_t VkMemoryMapFlags;
typedef uint32_t VkMemoryPropertyFlags;
typedef uint32_t VkPipelineCacheCreateFlags;
typedef uint32_t VkPipelineCreateFlags;
typedef uint32_t VkPipelineLayoutCreateFlags;
typedef uint32_t VkPipelineShaderStageCreateFlags;
typedef uint32_t VkPipelineStageFlags;
typedef uint32_t VkQueryPipelineStatisticFlags;
typedef uint32_t VkQueryPoolCreateFlags;
typedef uint32_t VkQueryResultFlags;
typedef uint32_t VkQueueFlags;
typedef uint32_t VkSampleCountFlags;
typedef uint32_t VkSemaphoreCreateFlags;
typedef uint32_t VkShaderModuleCreateFlags;
typedef uint32_t VkShaderStageFlags;
typedef uint32_t VkSubgroupFeatureFlags;
typedef int32_t VkCommandBufferLevel;
typedef int32_t VkComponentTypeKHR;
typedef int32_t VkDescriptorType;
typedef int32_t VkDriverId;
typedef int32_t VkFormat;
typedef int32_t VkPhysicalDeviceType;
typedef int32_t VkPipelineBindPoint;
typedef int32_t VkPipelineStageFlagBits;
typedef int32_t VkQueryType;
typedef int32_t VkResult;
typedef int32_t VkScopeKHR;
typedef int32_t VkSemaphoreType;
typedef int32_t VkShaderStageFlagBits;
typedef int32_t VkSharingMode;
typedef int32_t VkStructureType;
typedef int32_t VkValidationFeatureDisableEXT;
typedef int32_t VkValidationFeatureEnableEXT;
typedef int32_t VkDebugUtilsMessageSeverityFlagBitsEXT;

// Structs that are only ever pointed to, by fields and arguments that stay NULL.
typedef struct VkAllocationCallbacks VkAllocationCallbacks;
typedef struct VkBufferMemoryBarrier VkBufferMemoryBarrier;
typedef struct VkCommandBufferInheritanceInfo VkCommandBufferInheritanceInfo;
typedef struct VkCopyDescriptorSet VkCopyDescriptorSet;
typedef struct VkDebugUtilsLabelEXT VkDebugUtilsLabelEXT;
typedef struct VkDebugUtilsObjectNameInfoEXT VkDebugUtilsObjectNameInfoEXT;
typedef struct VkDescriptorImageInfo VkDescriptorImageInfo;
typedef struct VkImageMemoryBarrier VkImageMemoryBarrier;

#define VK_TRUE 1
#define VK_FALSE 0

// Array sizes.
#define VK_MAX_DESCRIPTION_SIZE 256
#define VK_MAX_DRIVER_INFO_SIZE 256
#define VK_MAX_DRIVER_NAME_SIZE 256
#define VK_MAX_EXTENSION_NAME_SIZE 256
#define VK_MAX_MEMORY_HEAPS 16
#define VK_MAX_MEMORY_TYPES 32
#define VK_MAX_PHYSICAL_DEVICE_NAME_SIZE 256
#define VK_UUID_SIZE 16

// Results.
#define VK_ERROR_INCOMPATIBLE_DRIVER (-9)
#define VK_ERROR_INITIALIZATION_FAILED (-3)
#define VK_ERROR_OUT_OF_HOST_MEMORY (-1)
#define VK_ERROR_TOO_MANY_OBJECTS (-10)
#define VK_SUCCESS 0
#define VK_INCOMPLETE 5

// Structure types.
#define VK_STRUCTURE_TYPE_APPLICATION_INFO 0
#define VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO 12
#define VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO 1000244001
#define VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO 13
#define VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO 40
#define VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO 42
#define VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO 39
#define VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO 29
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_FLEXIBLE_DIMENSIONS_PROPERTIES_NV 1000593001
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR 1000506001
#define VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT 1000128004
#define VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO 33
#define VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO 34
#define VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO 32
#define VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO 3
#define VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO 2
#define VK_STRUCTURE_TYPE_DEVICE_QUEUE_GLOBAL_PRIORITY_CREATE_INFO_KHR 1000174000
#define VK_STRUCTURE_TYPE_FENCE_CREATE_INFO 8
#define VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO 1
#define VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE 6
#define VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO 1000060000
#define VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO 5
#define VK_STRUCTURE_TYPE_MEMORY_BARRIER 46
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES 1000083000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES 1000257000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV 1000593000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR 1000506000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES 1000196000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2 1000059000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES 1000071004
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES 1000168000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES 1000413000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES 1000413001
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT 1000237000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2 1000059006
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2 1000059001
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES 1000082000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES 1000094000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES 1000225002
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES 1000225000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES 1000207000
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES 1000211000
#define VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO 17
#define VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO 30
#define VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO 18
#define VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO 1000225001
#define VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO 11
#define VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO 9
#define VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO 1000207002
#define VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO 16
#define VK_STRUCTURE_TYPE_SUBMIT_INFO 4
#define VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO 1000207003
#define VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT 1000247000
#define VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET 35

// Enumerators and bits.
#define VK_ACCESS_MEMORY_READ_BIT 0x00008000
#define VK_ACCESS_MEMORY_WRITE_BIT 0x00010000
#define VK_API_VERSION_1_0 ((1u << 22) | (0u << 12))
#define VK_API_VERSION_1_1 ((1u << 22) | (1u << 12))
#define VK_API_VERSION_1_2 ((1u << 22) | (2u << 12))
#define VK_API_VERSION_1_3 ((1u << 22) | (3u << 12))
#define VK_COMMAND_BUFFER_LEVEL_PRIMARY 0
#define VK_COMPONENT_TYPE_FLOAT16_KHR 0
#define VK_COMPONENT_TYPE_FLOAT32_KHR 1
#define VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT 0x1000
#define VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT 0x100
#define VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT 2
#define VK_DESCRIPTOR_TYPE_STORAGE_BUFFER 7
#define VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER 4
#define VK_FORMAT_R32G32B32A32_UINT 107
#define VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR 1
#define VK_LUID_SIZE 8
#define VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT 2
#define VK_PIPELINE_BIND_POINT_COMPUTE 1
#define VK_PIPELINE_CREATE_DISPATCH_BASE_BIT 16
#define VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT 2
#define VK_PIPELINE_STAGE_ALL_COMMANDS_BIT 0x10000
#define VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT 0x2000
#define VK_QUERY_RESULT_64_BIT 1
#define VK_QUERY_TYPE_TIMESTAMP 2
#define VK_SCOPE_SUBGROUP_KHR 3
#define VK_SEMAPHORE_TYPE_TIMELINE 1
#define VK_SHADER_STAGE_COMPUTE_BIT 0x20
#define VK_SHARING_MODE_CONCURRENT 1
#define VK_SHARING_MODE_EXCLUSIVE 0
#define VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT 4
#define VK_WHOLE_SIZE (~0ULL)

#endif
