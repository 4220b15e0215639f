// shim.h: what Go sees of Vulkan. Every function takes scalars, handles and arrays of them, and builds
// the Vulkan structs on its own stack: no Vulkan struct is ever made by Go, no Go pointer is stored in C
// memory, and no C memory is allocated for a call.
//
// Invariants: a bgInstance and a bgDevice are tables of function pointers resolved for one handle; they
// are written once, before anybody else sees them. Nothing in this file is global.

#ifndef BITGPU_SHIM_H
#define BITGPU_SHIM_H

#include "vkapi_calls.h"

// Optional things an instance can be made with.
enum {
    BG_INSTANCE_VALIDATION = 1,       // the Khronos layer, with a messenger that collects its messages
    BG_INSTANCE_PORTABILITY = 2,      // list devices that are not fully conformant (MoltenVK)
    BG_INSTANCE_SYNC_VALIDATION = 4,  // the layer also checks for missing barriers
};

// Device extensions that matter here.
enum {
    BG_EXT_MEMORY_BUDGET = 1,
    BG_EXT_DRIVER_PROPERTIES = 2,
    BG_EXT_SUBGROUP_SIZE_CONTROL = 4,
    BG_EXT_FLOAT16_INT8 = 8,
    BG_EXT_TIMELINE_SEMAPHORE = 16,
    BG_EXT_PORTABILITY_SUBSET = 32,
    BG_EXT_VULKAN_MEMORY_MODEL = 64,
    BG_EXT_COOPERATIVE_MATRIX = 128,
    BG_EXT_BUFFER_DEVICE_ADDRESS = 256,
    BG_EXT_COOPERATIVE_MATRIX2 = 1024,
    BG_EXT_GLOBAL_PRIORITY = 512,  // switched on only for BG_FEATURE_LOW_PRIORITY
};

// Device features that are switched on where they are offered.
enum {
    BG_FEATURE_STORAGE16 = 1,
    BG_FEATURE_FLOAT16 = 2,
    BG_FEATURE_SUBGROUP_SIZE_CONTROL = 4,
    BG_FEATURE_TIMELINE_SEMAPHORE = 8,
    BG_FEATURE_INT64 = 16,
    BG_FEATURE_COOPERATIVE_MATRIX = 32,  // with the memory model, which SPIR-V then needs
    BG_FEATURE_BUFFER_ADDRESS = 64,
    BG_FEATURE_COOPERATIVE_MATRIX2 = 256,  // flexible dimensions, operations per element, reductions, and maintenance4 of
                                           // Vulkan 1.3, which its SPIR-V needs
    BG_FEATURE_LOW_PRIORITY = 128,  // never found, only asked for: queues of the lowest priority
};

#define BG_MAX_FAMILIES 16
#define BG_MAX_QUEUES 2     // families of a device, and queues of a family
#define BG_MAX_BINDINGS 32  // storage buffers of one kernel
#define BG_MAX_SPEC 64      // specialization constants of one kernel
#define BG_MAX_EXTENSIONS 16
#define BG_MAX_SYNC 64      // semaphores that one submission of a host's waits for
#define BG_MAX_MATRICES 16  // sizes of cooperative matrices

// bgMessage is one message of the validation layer, in a list with the newest first.
typedef struct bgMessage {
    struct bgMessage *next;
    char text[];
} bgMessage;

typedef struct bgMessages {
    bgMessage *head;  // atomic
    int32_t count;    // atomic; bounds the list
} bgMessages;

typedef struct bgInstance {
    VkInstance handle;
    PFN_vkGetInstanceProcAddr get;
#define X(name) PFN_vk##name name;
    BG_INSTANCE_CALLS(X)
    BG_DEBUG_CALLS(X)
    BG_MATRIX_CALLS(X)
#undef X
    VkDebugUtilsMessengerEXT messenger;
    bgMessages messages;
} bgInstance;

typedef struct bgDevice {
    VkDevice handle;
#define X(name) PFN_vk##name name;
    BG_DEVICE_CALLS(X)
#undef X
    PFN_vkGetBufferDeviceAddress GetBufferDeviceAddress;  // NULL without the feature
} bgDevice;

// bgPhysical is what is asked of a physical device, flattened.
typedef struct bgPhysical {
    VkPhysicalDeviceProperties properties;
    uint32_t apiVersion;  // usable version: the smaller of the device's and the instance's
    uint32_t extensions;  // BG_EXT_*
    uint32_t features;    // BG_FEATURE_*
    uint8_t deviceUUID[VK_UUID_SIZE];
    char driverName[VK_MAX_DRIVER_NAME_SIZE];
    char driverInfo[VK_MAX_DRIVER_INFO_SIZE];
    uint64_t maxMemoryAllocationSize;
    uint64_t maxBufferSize;
    uint32_t subgroupSize, minSubgroupSize, maxSubgroupSize;
    VkSubgroupFeatureFlags subgroupOperations;  // those of compute shaders, else 0
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t familyCount;
    VkQueueFamilyProperties families[BG_MAX_FAMILIES];
    uint32_t matrixCount;
    uint32_t matrices[BG_MAX_MATRICES][3];  // M, N, K of fp16 products with fp32 sums, of a subgroup
    uint32_t flexibleCount;
    uint32_t flexible[BG_MAX_MATRICES][3];  // what M, N, K may be multiples of, of the same
} bgPhysical;

// Instances and validation messages: shim_instance.c
uint32_t bgInstanceVersion(PFN_vkGetInstanceProcAddr get);
VkBool32 bgHasLayer(PFN_vkGetInstanceProcAddr get, const char *layer);
VkBool32 bgHasInstanceExtension(PFN_vkGetInstanceProcAddr get, const char *layer, const char *name);
// names are further extensions, at most BG_MAX_EXTENSIONS.
VkResult bgCreateInstance(PFN_vkGetInstanceProcAddr get, uint32_t options, uint32_t count, const char *const *names,
                          bgInstance **out);
VkResult bgAdoptInstance(PFN_vkGetInstanceProcAddr get, VkInstance handle, bgInstance **out);
void bgDestroyInstance(bgInstance *in, VkBool32 owned);  // messages can still be taken afterwards
void bgFreeInstance(bgInstance *in);
bgMessage *bgTakeMessages(bgInstance *in);

// Physical devices, and devices made from them: shim_physical.c
VkResult bgPhysicalDevices(const bgInstance *in, uint32_t *count, VkPhysicalDevice *out);
VkResult bgDescribe(const bgInstance *in, VkPhysicalDevice phys, uint32_t apiVersion, bgPhysical *out);
const char *bgExtension(const bgPhysical *p, uint32_t k);  // the kth known name; "" if the device has it not, NULL past the last
void bgMemoryBudget(const bgInstance *in, VkPhysicalDevice phys, uint64_t *budget, uint64_t *usage);
VkResult bgCreateDevice(const bgInstance *in, VkPhysicalDevice phys, const bgPhysical *info, uint32_t features,
                        uint32_t familyCount, const uint32_t *families, const uint32_t *queues, uint32_t nameCount,
                        const char *const *names, bgDevice **out);  // names as in bgCreateInstance
VkResult bgAdoptDevice(const bgInstance *in, VkDevice handle, bgDevice **out);
void bgDestroyDevice(bgDevice *d, VkBool32 owned);

// Objects of a device: shim_device.c
VkQueue bgQueue(const bgDevice *d, uint32_t family, uint32_t index);
VkResult bgSubmit(const bgDevice *d, VkQueue queue, uint32_t count, const VkCommandBuffer *buffers, uint32_t waitCount,
                  const VkSemaphore *waits, const uint64_t *waitValues, VkSemaphore signal, uint64_t signalValue,
                  VkFence fence);
VkResult bgQueueWaitIdle(const bgDevice *d, VkQueue queue);
VkResult bgDeviceWaitIdle(const bgDevice *d);
VkResult bgCreateBuffer(const bgDevice *d, uint64_t size, VkBufferUsageFlags usage, uint32_t familyCount,
                        const uint32_t *families, VkBuffer *out);
void bgDestroyBuffer(const bgDevice *d, VkBuffer b);
void bgBufferRequirements(const bgDevice *d, VkBuffer b, uint64_t *size, uint32_t *types);
VkResult bgAllocate(const bgDevice *d, uint64_t size, uint32_t type, VkBool32 addressable, VkDeviceMemory *out);
void bgFree(const bgDevice *d, VkDeviceMemory m);
VkResult bgBind(const bgDevice *d, VkBuffer b, VkDeviceMemory m);
uint64_t bgBufferAddress(const bgDevice *d, VkBuffer b);
VkResult bgMap(const bgDevice *d, VkDeviceMemory m, void **out);
VkResult bgInvalidate(const bgDevice *d, VkDeviceMemory m);
VkResult bgCreateFence(const bgDevice *d, VkFence *out);
VkResult bgResetFence(const bgDevice *d, VkFence f);
VkResult bgWaitFence(const bgDevice *d, VkFence f, uint64_t timeout);
void bgDestroyFence(const bgDevice *d, VkFence f);
VkResult bgCreateTimeline(const bgDevice *d, VkSemaphore *out);
void bgDestroySemaphore(const bgDevice *d, VkSemaphore s);

// Images, owners, and semaphores of a host's: shim_image.c. A family of ~0 stands for none.
VkResult bgCreateImage(const bgDevice *d, int32_t format, uint32_t width, uint32_t height, uint32_t levels,
                       VkImageUsageFlags usage, VkImage *out);
void bgDestroyImage(const bgDevice *d, VkImage i);
void bgImageRequirements(const bgDevice *d, VkImage i, uint64_t *size, uint32_t *types);
VkResult bgBindImage(const bgDevice *d, VkImage i, VkDeviceMemory m);
void bgCmdImageBarrier(const bgDevice *d, VkCommandBuffer c, VkImage i, uint32_t level, uint32_t levels, uint32_t layer,
                       VkPipelineStageFlags srcStage, VkAccessFlags srcAccess, int32_t srcLayout, uint32_t srcFamily,
                       VkPipelineStageFlags dstStage, VkAccessFlags dstAccess, int32_t dstLayout, uint32_t dstFamily);
void bgCmdBufferOwner(const bgDevice *d, VkCommandBuffer c, VkBuffer b, uint64_t offset, uint64_t size,
                      uint32_t srcFamily, uint32_t dstFamily);
void bgCmdCopyToImage(const bgDevice *d, VkCommandBuffer c, VkBuffer b, uint64_t offset, VkImage i, uint32_t level,
                      int32_t x, int32_t y, uint32_t width, uint32_t height);
void bgCmdCopyFromImage(const bgDevice *d, VkCommandBuffer c, VkImage i, uint32_t level, uint32_t layer, int32_t x,
                        int32_t y, uint32_t width, uint32_t height, VkBuffer b, uint64_t offset);
VkResult bgCreateBinary(const bgDevice *d, VkSemaphore *out);
VkResult bgSubmitSync(const bgDevice *d, VkQueue queue, VkBool32 timelines, uint32_t waitCount,
                      const VkSemaphore *waits, const uint64_t *waitValues, uint32_t signalCount,
                      const VkSemaphore *signals, const uint64_t *signalValues, VkFence fence);

// Pipelines and descriptor sets, all of buffers in compute shaders: shim_pipeline.c. Bit i of texels says that
// binding i is a uniform texel buffer, not a storage buffer.
VkResult bgCreateLayout(const bgDevice *d, uint32_t bindings, uint32_t texels, uint32_t push, VkDescriptorSetLayout *set,
                        VkPipelineLayout *out);
void bgDestroyLayout(const bgDevice *d, VkDescriptorSetLayout set, VkPipelineLayout layout);
VkResult bgCreateCache(const bgDevice *d, const void *data, size_t size, VkPipelineCache *out);
VkResult bgCacheData(const bgDevice *d, VkPipelineCache c, size_t *size, void *data);
void bgDestroyCache(const bgDevice *d, VkPipelineCache c);
VkResult bgCreatePipeline(const bgDevice *d, VkPipelineCache cache, VkPipelineLayout layout, const uint32_t *code,
                          size_t codeBytes, uint32_t specCount, const uint32_t *spec, uint32_t subgroup, VkBool32 parts,
                          VkPipeline *out);
void bgDestroyPipeline(const bgDevice *d, VkPipeline p);
VkResult bgCreateDescriptorPool(const bgDevice *d, uint32_t sets, uint32_t buffers, uint32_t views,
                                VkDescriptorPool *out);
VkResult bgCreateView(const bgDevice *d, VkBuffer b, uint64_t offset, uint64_t size, VkBufferView *out);
void bgDestroyView(const bgDevice *d, VkBufferView v);
VkResult bgAllocateSet(const bgDevice *d, VkDescriptorPool pool, VkDescriptorSetLayout layout, VkDescriptorSet *out);
void bgWriteSet(const bgDevice *d, VkDescriptorSet set, uint32_t count, const VkBuffer *buffers,
                const uint64_t *offsets, const uint64_t *sizes, const VkBufferView *views);
void bgDestroyDescriptorPool(const bgDevice *d, VkDescriptorPool p);

// Command buffers: shim_command.c
VkResult bgCreateCommandPool(const bgDevice *d, uint32_t family, VkCommandPool *out);
void bgDestroyCommandPool(const bgDevice *d, VkCommandPool p);
VkResult bgAllocateCommandBuffer(const bgDevice *d, VkCommandPool p, VkCommandBuffer *out);
VkResult bgBegin(const bgDevice *d, VkCommandBuffer c);
VkResult bgEnd(const bgDevice *d, VkCommandBuffer c);
void bgCmdDispatch(const bgDevice *d, VkCommandBuffer c, VkPipeline p, VkPipelineLayout layout, VkDescriptorSet set,
                   const void *push, uint32_t pushBytes, const uint32_t base[3], const uint32_t groups[3]);
void bgCmdCopy(const bgDevice *d, VkCommandBuffer c, VkBuffer src, uint64_t srcOffset, VkBuffer dst, uint64_t dstOffset,
               uint64_t size);
void bgCmdFill(const bgDevice *d, VkCommandBuffer c, VkBuffer dst, uint64_t offset, uint64_t size, uint32_t word);
void bgCmdBarrier(const bgDevice *d, VkCommandBuffer c, VkPipelineStageFlags srcStage, VkAccessFlags srcAccess,
                  VkPipelineStageFlags dstStage, VkAccessFlags dstAccess);
VkResult bgCreateTimestamps(const bgDevice *d, uint32_t count, VkQueryPool *out);
void bgDestroyTimestamps(const bgDevice *d, VkQueryPool p);
void bgCmdResetTimestamps(const bgDevice *d, VkCommandBuffer c, VkQueryPool p, uint32_t count);
void bgCmdTimestamp(const bgDevice *d, VkCommandBuffer c, VkQueryPool p, uint32_t index);
VkResult bgTimestamps(const bgDevice *d, VkQueryPool p, uint32_t count, uint64_t *out);

#endif
