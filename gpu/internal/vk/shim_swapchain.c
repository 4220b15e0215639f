//go:build desktop

// shim_swapchain.c: surfaces and swapchains.

#include "shim_graphics.h"

#include <stdlib.h>

// The instance's calls are few and rare, so they are looked up each time.
#define CALL(name) ((PFN_vk##name)in->get(in->handle, "vk" #name))

VkSurfaceKHR bgSurfaceAt(uintptr_t address) { return *(const VkSurfaceKHR *)address; }

VkResult bgSurfaceSupport(const bgInstance *in, VkPhysicalDevice phys, uint32_t family, VkSurfaceKHR s, VkBool32 *out) {
    PFN_vkGetPhysicalDeviceSurfaceSupportKHR f = CALL(GetPhysicalDeviceSurfaceSupportKHR);
    return f == NULL ? VK_ERROR_EXTENSION_NOT_PRESENT : f(phys, family, s, out);
}

VkResult bgDescribeSurface(const bgInstance *in, VkPhysicalDevice phys, VkSurfaceKHR s, bgSurfaceInfo *out) {
    PFN_vkGetPhysicalDeviceSurfaceCapabilitiesKHR capabilities = CALL(GetPhysicalDeviceSurfaceCapabilitiesKHR);
    PFN_vkGetPhysicalDeviceSurfaceFormatsKHR formats = CALL(GetPhysicalDeviceSurfaceFormatsKHR);
    if (capabilities == NULL || formats == NULL) return VK_ERROR_EXTENSION_NOT_PRESENT;
    VkResult r = capabilities(phys, s, &out->capabilities);
    if (r != VK_SUCCESS) return r;
    out->formatCount = BG_MAX_FORMATS;
    r = formats(phys, s, &out->formatCount, out->formats);
    return r == VK_INCOMPLETE ? VK_SUCCESS : r;
}

void bgDestroySurface(const bgInstance *in, VkSurfaceKHR s) {
    PFN_vkDestroySurfaceKHR f = CALL(DestroySurfaceKHR);
    if (f != NULL) f(in->handle, s, NULL);
}

VkResult bgNewGraphics(const bgInstance *in, const bgDevice *d, bgGraphics **out) {
    bgGraphics *g = calloc(1, sizeof *g);
    if (g == NULL) return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkBool32 ok = VK_TRUE;
    g->d = d;
#define X(name) ok &= (g->name = (PFN_vk##name)in->GetDeviceProcAddr(d->handle, "vk" #name)) != NULL;
    BG_GRAPHICS_CALLS(X)
#undef X
    if (!ok) {
        free(g);
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    }
    *out = g;
    return VK_SUCCESS;
}

void bgFreeGraphics(bgGraphics *g) { free(g); }

VkResult bgCreateSwapchain(const bgGraphics *g, VkSurfaceKHR s, const bgSurfaceInfo *info, uint32_t format,
                           uint32_t images, uint32_t width, uint32_t height, VkImageUsageFlags usage,
                           VkSwapchainKHR old, VkSwapchainKHR *out) {
    const VkSurfaceCapabilitiesKHR *c = &info->capabilities;
    if (format >= info->formatCount) return VK_ERROR_TOO_MANY_OBJECTS;
    VkSwapchainCreateInfoKHR create = {.sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                       .surface = s,
                                       .minImageCount = images,
                                       .imageFormat = info->formats[format].format,
                                       .imageColorSpace = info->formats[format].colorSpace,
                                       .imageExtent = {width, height},
                                       .imageArrayLayers = 1,
                                       .imageUsage = usage,
                                       .imageSharingMode = VK_SHARING_MODE_EXCLUSIVE,
                                       .preTransform = c->currentTransform,
                                       // the lowest bit that is there: opaque wherever it can be had
                                       .compositeAlpha = (VkCompositeAlphaFlagBitsKHR)(
                                           c->supportedCompositeAlpha & -c->supportedCompositeAlpha),
                                       .presentMode = VK_PRESENT_MODE_FIFO_KHR,
                                       .clipped = VK_TRUE,
                                       .oldSwapchain = old};
    return g->CreateSwapchainKHR(g->d->handle, &create, NULL, out);
}

void bgDestroySwapchain(const bgGraphics *g, VkSwapchainKHR s) { g->DestroySwapchainKHR(g->d->handle, s, NULL); }

VkResult bgSwapchainImages(const bgGraphics *g, VkSwapchainKHR s, uint32_t *count, VkImage *out) {
    return g->GetSwapchainImagesKHR(g->d->handle, s, count, out);
}

VkResult bgAcquire(const bgGraphics *g, VkSwapchainKHR s, uint64_t timeout, VkSemaphore signal, uint32_t *index) {
    return g->AcquireNextImageKHR(g->d->handle, s, timeout, signal, VK_NULL_HANDLE, index);
}

VkResult bgPresent(const bgGraphics *g, VkQueue queue, VkSwapchainKHR s, uint32_t index, VkSemaphore wait) {
    VkPresentInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                             .waitSemaphoreCount = 1,
                             .pWaitSemaphores = &wait,
                             .swapchainCount = 1,
                             .pSwapchains = &s,
                             .pImageIndices = &index};
    return g->QueuePresentKHR(queue, &info);
}

VkResult bgSubmitFrame(const bgGraphics *g, VkQueue queue, VkCommandBuffer c, VkSemaphore wait, VkSemaphore signal,
                       VkFence fence) {
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT;
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .waitSemaphoreCount = 1,
                         .pWaitSemaphores = &wait,
                         .pWaitDstStageMask = &stage,
                         .commandBufferCount = 1,
                         .pCommandBuffers = &c,
                         .signalSemaphoreCount = 1,
                         .pSignalSemaphores = &signal};
    return g->d->QueueSubmit(queue, 1, &info, fence);
}
