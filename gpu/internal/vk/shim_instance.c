// shim_instance.c: instances and the messages of the validation layer.

#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"
#define MAX_MESSAGES 100  // further ones are dropped: they repeat

static PFN_vkVoidFunction global(PFN_vkGetInstanceProcAddr get, const char *name) { return get(NULL, name); }

uint32_t bgInstanceVersion(PFN_vkGetInstanceProcAddr get) {
    PFN_vkEnumerateInstanceVersion f = (PFN_vkEnumerateInstanceVersion)global(get, "vkEnumerateInstanceVersion");
    uint32_t v = VK_API_VERSION_1_0;
    if (f != NULL && f(&v) != VK_SUCCESS) return VK_API_VERSION_1_0;
    return v;
}

VkBool32 bgHasLayer(PFN_vkGetInstanceProcAddr get, const char *layer) {
    PFN_vkEnumerateInstanceLayerProperties f =
        (PFN_vkEnumerateInstanceLayerProperties)global(get, "vkEnumerateInstanceLayerProperties");
    uint32_t n = 0;
    VkBool32 found = VK_FALSE;
    if (f == NULL || f(&n, NULL) != VK_SUCCESS || n == 0) return VK_FALSE;
    VkLayerProperties *all = calloc(n, sizeof *all);
    if (all == NULL) return VK_FALSE;
    if (f(&n, all) >= 0)
        for (uint32_t i = 0; i < n; i++) found |= strcmp(all[i].layerName, layer) == 0;
    free(all);
    return found;
}

VkBool32 bgHasInstanceExtension(PFN_vkGetInstanceProcAddr get, const char *layer, const char *name) {
    PFN_vkEnumerateInstanceExtensionProperties f =
        (PFN_vkEnumerateInstanceExtensionProperties)global(get, "vkEnumerateInstanceExtensionProperties");
    uint32_t n = 0;
    VkBool32 found = VK_FALSE;
    if (f == NULL || f(layer, &n, NULL) != VK_SUCCESS || n == 0) return VK_FALSE;
    VkExtensionProperties *all = calloc(n, sizeof *all);
    if (all == NULL) return VK_FALSE;
    if (f(layer, &n, all) >= 0)
        for (uint32_t i = 0; i < n; i++) found |= strcmp(all[i].extensionName, name) == 0;
    free(all);
    return found;
}

// The layer calls this from whichever thread made the offending call. It only pushes onto the list.
static VkBool32 VKAPI_PTR onMessage(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                    VkDebugUtilsMessageTypeFlagsEXT types,
                                    const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)types;
    bgMessages *list = user;
    const char *text = data->pMessage != NULL ? data->pMessage : "";
    if (__atomic_add_fetch(&list->count, 1, __ATOMIC_RELAXED) > MAX_MESSAGES) return VK_FALSE;
    bgMessage *m = malloc(sizeof *m + strlen(text) + 1);
    if (m == NULL) return VK_FALSE;
    strcpy(m->text, text);
    m->next = __atomic_load_n(&list->head, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&list->head, &m->next, m, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
    return VK_FALSE;
}

bgMessage *bgTakeMessages(bgInstance *in) {
    bgMessage *m = __atomic_exchange_n(&in->messages.head, NULL, __ATOMIC_ACQUIRE);
    if (m != NULL) __atomic_store_n(&in->messages.count, 0, __ATOMIC_RELAXED);
    return m;
}

static void resolveInstance(bgInstance *in) {
#define X(name) in->name = (PFN_vk##name)in->get(in->handle, "vk" #name);
    BG_INSTANCE_CALLS(X)
    BG_DEBUG_CALLS(X)
    BG_MATRIX_CALLS(X)
#undef X
}

static VkBool32 instanceComplete(const bgInstance *in) {
    VkBool32 ok = VK_TRUE;
#define X(name) ok &= in->name != NULL;
    BG_INSTANCE_CALLS(X)
#undef X
    return ok;
}

VkResult bgAdoptInstance(PFN_vkGetInstanceProcAddr get, VkInstance handle, bgInstance **out) {
    bgInstance *in = calloc(1, sizeof *in);
    if (in == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    in->get = get;
    in->handle = handle;
    resolveInstance(in);
    if (!instanceComplete(in)) {
        free(in);
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    *out = in;
    return VK_SUCCESS;
}

VkResult bgCreateInstance(PFN_vkGetInstanceProcAddr get, uint32_t options, uint32_t count, const char *const *names,
                          bgInstance **out) {
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)global(get, "vkCreateInstance");
    bgInstance *in = calloc(1, sizeof *in);
    if (create == NULL || in == NULL) {
        free(in);
        return create == NULL ? VK_ERROR_INITIALIZATION_FAILED : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    const char *layers[] = {VALIDATION_LAYER};
    const char *extensions[3 + BG_MAX_EXTENSIONS];
    uint32_t extensionCount = 0;
    for (uint32_t i = 0; i < count && i < BG_MAX_EXTENSIONS; i++) extensions[extensionCount++] = names[i];
    VkApplicationInfo app = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pEngineName = "bitgpu", .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = onMessage,
        .pUserData = &in->messages};
    VkValidationFeatureEnableEXT checks[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = checks};
    if (options & BG_INSTANCE_VALIDATION) {
        info.enabledLayerCount = 1;
        info.ppEnabledLayerNames = layers;
        extensions[extensionCount++] = "VK_EXT_debug_utils";
        info.pNext = &messenger;
        if (options & BG_INSTANCE_SYNC_VALIDATION) {
            extensions[extensionCount++] = "VK_EXT_validation_features";
            messenger.pNext = &features;
        }
    }
    if (options & BG_INSTANCE_PORTABILITY) {
        extensions[extensionCount++] = "VK_KHR_portability_enumeration";
        info.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    info.enabledExtensionCount = extensionCount;
    info.ppEnabledExtensionNames = extensions;
    VkResult r = create(&info, NULL, &in->handle);
    if (r != VK_SUCCESS) {
        free(in);
        return r;
    }
    in->get = get;
    resolveInstance(in);
    if (!instanceComplete(in)) r = VK_ERROR_INCOMPATIBLE_DRIVER;
    if (r == VK_SUCCESS && (options & BG_INSTANCE_VALIDATION)) {
        messenger.pNext = NULL;
        r = in->CreateDebugUtilsMessengerEXT(in->handle, &messenger, NULL, &in->messenger);
    }
    if (r != VK_SUCCESS) {
        if (in->DestroyInstance != NULL) in->DestroyInstance(in->handle, NULL);
        free(in);
        return r;
    }
    *out = in;
    return VK_SUCCESS;
}

void bgDestroyInstance(bgInstance *in, VkBool32 owned) {
    if (in->messenger != VK_NULL_HANDLE) in->DestroyDebugUtilsMessengerEXT(in->handle, in->messenger, NULL);
    if (owned) in->DestroyInstance(in->handle, NULL);
}

void bgFreeInstance(bgInstance *in) {
    for (bgMessage *m = bgTakeMessages(in), *next; m != NULL; m = next) {
        next = m->next;
        free(m);
    }
    free(in);
}
