// shim_physical.c: what a physical device can do, and making devices from one.

#include "shim.h"

#include <stdlib.h>
#include <string.h>

VkResult bgPhysicalDevices(const bgInstance *in, uint32_t *count, VkPhysicalDevice *out) {
    return in->EnumeratePhysicalDevices(in->handle, count, out);
}

static const struct {
    const char *name;
    uint32_t bit;
} extensionNames[] = {
    {"VK_EXT_memory_budget", BG_EXT_MEMORY_BUDGET},
    {"VK_KHR_driver_properties", BG_EXT_DRIVER_PROPERTIES},
    {"VK_EXT_subgroup_size_control", BG_EXT_SUBGROUP_SIZE_CONTROL},
    {"VK_KHR_shader_float16_int8", BG_EXT_FLOAT16_INT8},
    {"VK_KHR_timeline_semaphore", BG_EXT_TIMELINE_SEMAPHORE},
    {"VK_KHR_portability_subset", BG_EXT_PORTABILITY_SUBSET},
    {"VK_KHR_vulkan_memory_model", BG_EXT_VULKAN_MEMORY_MODEL},
    {"VK_KHR_cooperative_matrix", BG_EXT_COOPERATIVE_MATRIX},
    {"VK_NV_cooperative_matrix2", BG_EXT_COOPERATIVE_MATRIX2},
    {"VK_KHR_buffer_device_address", BG_EXT_BUFFER_DEVICE_ADDRESS},
};
enum { EXTENSIONS = sizeof extensionNames / sizeof *extensionNames };

static const char globalPriority[] = "VK_KHR_global_priority";

static VkResult findExtensions(const bgInstance *in, VkPhysicalDevice phys, uint32_t *bits) {
    uint32_t n = 0;
    VkResult r = in->EnumerateDeviceExtensionProperties(phys, NULL, &n, NULL);
    *bits = 0;
    if (r != VK_SUCCESS || n == 0) return r;
    VkExtensionProperties *all = calloc(n, sizeof *all);
    if (all == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    r = in->EnumerateDeviceExtensionProperties(phys, NULL, &n, all);
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        for (int k = 0; k < EXTENSIONS; k++)
            if (strcmp(all[i].extensionName, extensionNames[k].name) == 0) *bits |= extensionNames[k].bit;
        if (strcmp(all[i].extensionName, globalPriority) == 0) *bits |= BG_EXT_GLOBAL_PRIORITY;
    }
    free(all);
    return r < 0 ? r : VK_SUCCESS;
}

// The functionality of an extension is there if the device lists it or has the version it was promoted to.
static VkBool32 offers(const bgPhysical *p, uint32_t extension, uint32_t promoted) {
    return (p->extensions & extension) != 0 || (promoted != 0 && p->apiVersion >= promoted);
}

static void describeProperties(const bgInstance *in, VkPhysicalDevice phys, bgPhysical *p) {
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = &id};
    VkPhysicalDeviceMaintenance3Properties allocation = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceMaintenance4Properties buffer = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &allocation};
    if (offers(p, 0, VK_API_VERSION_1_3)) {
        buffer.pNext = all.pNext;
        all.pNext = &buffer;
    }
    if (offers(p, BG_EXT_DRIVER_PROPERTIES, VK_API_VERSION_1_2)) {
        driver.pNext = all.pNext;
        all.pNext = &driver;
    }
    if (offers(p, BG_EXT_SUBGROUP_SIZE_CONTROL, VK_API_VERSION_1_3)) {
        sizes.pNext = all.pNext;
        all.pNext = &sizes;
    }
    in->GetPhysicalDeviceProperties2(phys, &all);
    memcpy(p->deviceUUID, id.deviceUUID, VK_UUID_SIZE);
    memcpy(p->driverName, driver.driverName, sizeof p->driverName);
    memcpy(p->driverInfo, driver.driverInfo, sizeof p->driverInfo);
    p->maxMemoryAllocationSize = allocation.maxMemoryAllocationSize;
    p->maxBufferSize = buffer.maxBufferSize != 0 ? buffer.maxBufferSize : allocation.maxMemoryAllocationSize;
    p->subgroupSize = p->minSubgroupSize = p->maxSubgroupSize = subgroup.subgroupSize;
    if (sizes.minSubgroupSize != 0) {
        p->minSubgroupSize = sizes.minSubgroupSize;
        p->maxSubgroupSize = sizes.maxSubgroupSize;
    }
    if (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) p->subgroupOperations = subgroup.supportedOperations;
    if ((sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) == 0)
        p->features &= ~(uint32_t)BG_FEATURE_SUBGROUP_SIZE_CONTROL;
}

const char *bgExtension(const bgPhysical *p, uint32_t k) {
    if (k >= EXTENSIONS) return NULL;
    return p->extensions & extensionNames[k].bit ? extensionNames[k].name : "";
}

// featureChain links the feature structs that the device knows; bgDescribe has it filled in, bgCreateDevice
// hands it over with what is wanted.
typedef struct {
    VkPhysicalDeviceFeatures2 head;
    VkPhysicalDevice16BitStorageFeatures storage;
    VkPhysicalDeviceShaderFloat16Int8Features float16;
    VkPhysicalDeviceSubgroupSizeControlFeatures sizes;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDeviceVulkanMemoryModelFeatures memoryModel;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix;
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2;
    VkPhysicalDeviceMaintenance4Features maintenance4;
    VkPhysicalDeviceBufferDeviceAddressFeatures address;
} featureChain;

static void link(featureChain *f, const bgPhysical *p) {
    memset(f, 0, sizeof *f);
    f->storage.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
    f->float16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
    f->sizes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
    f->timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
    f->memoryModel.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
    f->matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
    f->matrix2.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV;
    f->maintenance4.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES;
    f->address.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES;
    f->head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    f->head.pNext = &f->storage;
    if (offers(p, BG_EXT_FLOAT16_INT8, VK_API_VERSION_1_2)) {
        f->float16.pNext = f->head.pNext;
        f->head.pNext = &f->float16;
    }
    if (offers(p, BG_EXT_SUBGROUP_SIZE_CONTROL, VK_API_VERSION_1_3)) {
        f->sizes.pNext = f->head.pNext;
        f->head.pNext = &f->sizes;
    }
    if (offers(p, BG_EXT_TIMELINE_SEMAPHORE, VK_API_VERSION_1_2)) {
        f->timeline.pNext = f->head.pNext;
        f->head.pNext = &f->timeline;
    }
    if (offers(p, BG_EXT_VULKAN_MEMORY_MODEL, VK_API_VERSION_1_2)) {
        f->memoryModel.pNext = f->head.pNext;
        f->head.pNext = &f->memoryModel;
    }
    if (offers(p, BG_EXT_COOPERATIVE_MATRIX, 0)) {
        f->matrix.pNext = f->head.pNext;
        f->head.pNext = &f->matrix;
    }
    if (offers(p, BG_EXT_COOPERATIVE_MATRIX2, 0) && p->apiVersion >= VK_API_VERSION_1_3) {
        f->maintenance4.pNext = f->head.pNext;
        f->head.pNext = &f->maintenance4;
        f->matrix2.pNext = f->head.pNext;
        f->head.pNext = &f->matrix2;
    }
    if (offers(p, BG_EXT_BUFFER_DEVICE_ADDRESS, VK_API_VERSION_1_2)) {
        f->address.pNext = f->head.pNext;
        f->head.pNext = &f->address;
    }
}

// findMatrices lists the sizes that multiply fp16 matrices into fp32 sums in a subgroup.
static VkResult findMatrices(const bgInstance *in, VkPhysicalDevice phys, bgPhysical *p) {
    uint32_t n = 0;
    if (in->GetPhysicalDeviceCooperativeMatrixPropertiesKHR == NULL) return VK_SUCCESS;
    VkResult r = in->GetPhysicalDeviceCooperativeMatrixPropertiesKHR(phys, &n, NULL);
    if (r != VK_SUCCESS || n == 0) return r;
    VkCooperativeMatrixPropertiesKHR *all = calloc(n, sizeof *all);
    if (all == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < n; i++) all[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    r = in->GetPhysicalDeviceCooperativeMatrixPropertiesKHR(phys, &n, all);
    for (uint32_t i = 0; r >= 0 && i < n && p->matrixCount < BG_MAX_MATRICES; i++) {
        const VkCooperativeMatrixPropertiesKHR *m = &all[i];
        if (m->scope != VK_SCOPE_SUBGROUP_KHR || m->saturatingAccumulation || m->AType != VK_COMPONENT_TYPE_FLOAT16_KHR ||
            m->BType != VK_COMPONENT_TYPE_FLOAT16_KHR || m->CType != VK_COMPONENT_TYPE_FLOAT32_KHR ||
            m->ResultType != VK_COMPONENT_TYPE_FLOAT32_KHR)
            continue;
        uint32_t *size = p->matrices[p->matrixCount++];
        size[0] = m->MSize;
        size[1] = m->NSize;
        size[2] = m->KSize;
    }
    free(all);
    return r < 0 ? r : VK_SUCCESS;
}

// findFlexible lists what the sides of matrices of any size must be multiples of, for fp16 products with fp32 sums in a subgroup
// that may be rounded to matrices of fp16.
static VkResult findFlexible(const bgInstance *in, VkPhysicalDevice phys, bgPhysical *p) {
    uint32_t n = 0;
    if (in->GetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV == NULL) return VK_SUCCESS;
    VkResult r = in->GetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV(phys, &n, NULL);
    if (r != VK_SUCCESS || n == 0) return r;
    VkCooperativeMatrixFlexibleDimensionsPropertiesNV *all = calloc(n, sizeof *all);
    if (all == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < n; i++) all[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_FLEXIBLE_DIMENSIONS_PROPERTIES_NV;
    r = in->GetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV(phys, &n, all);
    for (uint32_t i = 0; r >= 0 && i < n && p->flexibleCount < BG_MAX_MATRICES; i++) {
        const VkCooperativeMatrixFlexibleDimensionsPropertiesNV *m = &all[i];
        if (m->scope != VK_SCOPE_SUBGROUP_KHR || m->saturatingAccumulation || m->AType != VK_COMPONENT_TYPE_FLOAT16_KHR ||
            m->BType != VK_COMPONENT_TYPE_FLOAT16_KHR || m->CType != VK_COMPONENT_TYPE_FLOAT32_KHR ||
            m->ResultType != VK_COMPONENT_TYPE_FLOAT32_KHR)
            continue;
        for (uint32_t k = 0; k < n; k++) {
            if (all[k].scope != m->scope || all[k].CType != VK_COMPONENT_TYPE_FLOAT16_KHR ||
                m->MGranularity % all[k].MGranularity != 0 || m->NGranularity % all[k].NGranularity != 0)
                continue;
            uint32_t *size = p->flexible[p->flexibleCount++];
            size[0] = m->MGranularity;
            size[1] = m->NGranularity;
            size[2] = m->KGranularity;
            break;
        }
    }
    free(all);
    return r < 0 ? r : VK_SUCCESS;
}

VkResult bgDescribe(const bgInstance *in, VkPhysicalDevice phys, uint32_t apiVersion, bgPhysical *p) {
    memset(p, 0, sizeof *p);
    in->GetPhysicalDeviceProperties(phys, &p->properties);
    p->apiVersion = p->properties.apiVersion < apiVersion ? p->properties.apiVersion : apiVersion;
    if (p->apiVersion < VK_API_VERSION_1_1) return VK_SUCCESS;
    VkResult r = findExtensions(in, phys, &p->extensions);
    if (r != VK_SUCCESS) return r;

    featureChain f;
    link(&f, p);
    in->GetPhysicalDeviceFeatures2(phys, &f.head);
    if (f.storage.storageBuffer16BitAccess) p->features |= BG_FEATURE_STORAGE16;
    if (f.float16.shaderFloat16) p->features |= BG_FEATURE_FLOAT16;
    if (f.sizes.subgroupSizeControl && f.sizes.computeFullSubgroups) p->features |= BG_FEATURE_SUBGROUP_SIZE_CONTROL;
    if (f.timeline.timelineSemaphore) p->features |= BG_FEATURE_TIMELINE_SEMAPHORE;
    if (f.head.features.shaderInt64) p->features |= BG_FEATURE_INT64;
    if (f.address.bufferDeviceAddress) p->features |= BG_FEATURE_BUFFER_ADDRESS;
    if (f.matrix.cooperativeMatrix && f.memoryModel.vulkanMemoryModel) {
        p->features |= BG_FEATURE_COOPERATIVE_MATRIX;
        r = findMatrices(in, phys, p);
        if (r != VK_SUCCESS) return r;
    }
    if (p->features & BG_FEATURE_COOPERATIVE_MATRIX && f.maintenance4.maintenance4 &&
        f.matrix2.cooperativeMatrixFlexibleDimensions && f.matrix2.cooperativeMatrixPerElementOperations && f.matrix2.cooperativeMatrixReductions) {
        p->features |= BG_FEATURE_COOPERATIVE_MATRIX2;
        r = findFlexible(in, phys, p);
        if (r != VK_SUCCESS) return r;
    }

    describeProperties(in, phys, p);

    VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    in->GetPhysicalDeviceMemoryProperties2(phys, &memory);
    p->memory = memory.memoryProperties;
    p->familyCount = BG_MAX_FAMILIES;
    in->GetPhysicalDeviceQueueFamilyProperties(phys, &p->familyCount, p->families);
    return VK_SUCCESS;
}

void bgMemoryBudget(const bgInstance *in, VkPhysicalDevice phys, uint64_t *budget, uint64_t *usage) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT b = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 m = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                           .pNext = &b};
    in->GetPhysicalDeviceMemoryProperties2(phys, &m);
    memcpy(budget, b.heapBudget, sizeof b.heapBudget);
    memcpy(usage, b.heapUsage, sizeof b.heapUsage);
}

static VkResult resolveDevice(PFN_vkGetDeviceProcAddr get, VkDevice handle, bgDevice **out) {
    bgDevice *d = calloc(1, sizeof *d);
    if (d == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkBool32 ok = VK_TRUE;
    d->handle = handle;
#define X(name) ok &= (d->name = (PFN_vk##name)get(handle, "vk" #name)) != NULL;
    BG_DEVICE_CALLS(X)
#undef X
    d->GetBufferDeviceAddress = (PFN_vkGetBufferDeviceAddress)get(handle, "vkGetBufferDeviceAddress");
    if (d->GetBufferDeviceAddress == NULL)
        d->GetBufferDeviceAddress = (PFN_vkGetBufferDeviceAddress)get(handle, "vkGetBufferDeviceAddressKHR");
    if (!ok) {
        free(d);
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    *out = d;
    return VK_SUCCESS;
}

VkResult bgCreateDevice(const bgInstance *in, VkPhysicalDevice phys, const bgPhysical *p, uint32_t features,
                        uint32_t familyCount, const uint32_t *families, const uint32_t *queues, uint32_t nameCount,
                        const char *const *others, bgDevice **out) {
    const VkBool32 low = (features & BG_FEATURE_LOW_PRIORITY) != 0;
    const VkBool32 global = low && (p->extensions & BG_EXT_GLOBAL_PRIORITY) != 0;
    const float priorities[BG_MAX_QUEUES] = {low ? 0 : 1, low ? 0 : 1};
    const VkDeviceQueueGlobalPriorityCreateInfoKHR lowest = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_GLOBAL_PRIORITY_CREATE_INFO_KHR,
        .globalPriority = VK_QUEUE_GLOBAL_PRIORITY_LOW_KHR};
    VkDeviceQueueCreateInfo infos[BG_MAX_QUEUES];
    if (familyCount > BG_MAX_QUEUES) return VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < familyCount; i++) {
        if (queues[i] > BG_MAX_QUEUES) return VK_ERROR_TOO_MANY_OBJECTS;
        infos[i] = (VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                             .pNext = global ? &lowest : NULL,
                                             .queueFamilyIndex = families[i],
                                             .queueCount = queues[i],
                                             .pQueuePriorities = priorities};
    }
    featureChain f;
    link(&f, p);
    f.head.features.shaderInt64 = (features & BG_FEATURE_INT64) != 0;
    f.storage.storageBuffer16BitAccess = (features & BG_FEATURE_STORAGE16) != 0;
    f.float16.shaderFloat16 = (features & BG_FEATURE_FLOAT16) != 0;
    f.sizes.subgroupSizeControl = f.sizes.computeFullSubgroups = (features & BG_FEATURE_SUBGROUP_SIZE_CONTROL) != 0;
    f.matrix.cooperativeMatrix = f.memoryModel.vulkanMemoryModel = (features & BG_FEATURE_COOPERATIVE_MATRIX) != 0;
    f.maintenance4.maintenance4 = f.matrix2.cooperativeMatrixFlexibleDimensions = f.matrix2.cooperativeMatrixPerElementOperations =
        f.matrix2.cooperativeMatrixReductions = (features & BG_FEATURE_COOPERATIVE_MATRIX2) != 0;
    f.address.bufferDeviceAddress = (features & BG_FEATURE_BUFFER_ADDRESS) != 0;
    f.address.bufferDeviceAddressCaptureReplay = f.address.bufferDeviceAddressMultiDevice = VK_FALSE;
    f.timeline.timelineSemaphore = (features & BG_FEATURE_TIMELINE_SEMAPHORE) != 0;
    const char *names[EXTENSIONS + BG_MAX_EXTENSIONS + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < nameCount && i < BG_MAX_EXTENSIONS; i++) names[count++] = others[i];
    for (int k = 0; k < EXTENSIONS; k++)
        if (p->extensions & extensionNames[k].bit) names[count++] = extensionNames[k].name;
    if (global) names[count++] = globalPriority;
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &f.head,
                               .queueCreateInfoCount = familyCount,
                               .pQueueCreateInfos = infos,
                               .enabledExtensionCount = count,
                               .ppEnabledExtensionNames = names};
    VkDevice handle = VK_NULL_HANDLE;
    VkResult r = in->CreateDevice(phys, &info, NULL, &handle);
    if (r != VK_SUCCESS && global) {  // not a priority of this device, or not permitted
        for (uint32_t i = 0; i < familyCount; i++) infos[i].pNext = NULL;
        r = in->CreateDevice(phys, &info, NULL, &handle);
    }
    if (r != VK_SUCCESS) return r;
    r = resolveDevice(in->GetDeviceProcAddr, handle, out);
    if (r != VK_SUCCESS) {
        PFN_vkDestroyDevice destroy = (PFN_vkDestroyDevice)in->GetDeviceProcAddr(handle, "vkDestroyDevice");
        if (destroy != NULL) destroy(handle, NULL);
    }
    return r;
}

VkResult bgAdoptDevice(const bgInstance *in, VkDevice handle, bgDevice **out) {
    return resolveDevice(in->GetDeviceProcAddr, handle, out);
}

void bgDestroyDevice(bgDevice *d, VkBool32 owned) {
    if (owned) d->DestroyDevice(d->handle, NULL);
    free(d);
}
