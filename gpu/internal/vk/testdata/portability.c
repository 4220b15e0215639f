// portability.c: a Vulkan loader whose devices are like MoltenVK's: they have VK_KHR_portability_subset, and refuse to be
// made without it (VUID-VkDeviceCreateInfo-pProperties-04451). All else is the system's own loader's.

#include "../vkapi_calls.h"

#include <dlfcn.h>
#include <string.h>

static const char subset[] = "VK_KHR_portability_subset";

static PFN_vkGetInstanceProcAddr loader;
static PFN_vkEnumerateDeviceExtensionProperties enumerate;
static PFN_vkCreateDevice create;

static VkResult enumerateWithSubset(VkPhysicalDevice device, const char *layer, uint32_t *count,
                                    VkExtensionProperties *all) {
    if (all == NULL) {
        VkResult r = enumerate(device, layer, count, NULL);
        *count += 1;
        return r;
    }
    *count -= 1;
    VkResult r = enumerate(device, layer, count, all);
    if (r == VK_SUCCESS) strcpy(all[(*count)++].extensionName, subset);
    return r;
}

static VkResult createWithSubset(VkPhysicalDevice device, const VkDeviceCreateInfo *info,
                                 const VkAllocationCallbacks *allocator, VkDevice *out) {
    const char *names[64];
    VkDeviceCreateInfo rest = *info;
    rest.enabledExtensionCount = 0;
    rest.ppEnabledExtensionNames = names;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (strcmp(info->ppEnabledExtensionNames[i], subset) != 0)
            names[rest.enabledExtensionCount++] = info->ppEnabledExtensionNames[i];
    if (rest.enabledExtensionCount == info->enabledExtensionCount) return VK_ERROR_INITIALIZATION_FAILED;
    return create(device, &rest, allocator, out);
}

PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name) {
    if (loader == NULL) {
        void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        loader = library != NULL ? (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr") : NULL;
        if (loader == NULL) return NULL;
    }
    PFN_vkVoidFunction f = loader(instance, name);
    if (strcmp(name, "vkEnumerateDeviceExtensionProperties") == 0) {
        enumerate = (PFN_vkEnumerateDeviceExtensionProperties)f;
        return (PFN_vkVoidFunction)enumerateWithSubset;
    }
    if (strcmp(name, "vkCreateDevice") == 0) {
        create = (PFN_vkCreateDevice)f;
        return (PFN_vkVoidFunction)createWithSubset;
    }
    return f;
}
