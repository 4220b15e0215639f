//go:build desktop

// shim_graphics.h: what Go sees of images, graphics pipelines and swapchains, by the rules of shim.h. Only programs
// with a window are built with it.

#ifndef BITGPU_SHIM_GRAPHICS_H
#define BITGPU_SHIM_GRAPHICS_H

#include "shim.h"
#include "vkapi_graphics.h"

#define BG_MAX_FORMATS 64

// Calls on a device beside those of shim.h.
#define BG_GRAPHICS_CALLS(X) \
    X(CreateSwapchainKHR) \
    X(DestroySwapchainKHR) \
    X(GetSwapchainImagesKHR) \
    X(AcquireNextImageKHR) \
    X(QueuePresentKHR) \
    X(CreateImageView) \
    X(DestroyImageView) \
    X(CreateSampler) \
    X(DestroySampler) \
    X(CreateRenderPass) \
    X(DestroyRenderPass) \
    X(CreateFramebuffer) \
    X(DestroyFramebuffer) \
    X(CreateGraphicsPipelines) \
    X(ResetCommandPool) \
    X(CmdBeginRenderPass) \
    X(CmdEndRenderPass) \
    X(CmdSetViewport) \
    X(CmdSetScissor) \
    X(CmdDraw)

typedef struct bgGraphics {
    const bgDevice *d;
#define X(name) PFN_vk##name name;
    BG_GRAPHICS_CALLS(X)
#undef X
} bgGraphics;

typedef struct bgSurfaceInfo {
    VkSurfaceCapabilitiesKHR capabilities;
    uint32_t formatCount;
    VkSurfaceFormatKHR formats[BG_MAX_FORMATS];
} bgSurfaceInfo;

// Surfaces: shim_swapchain.c
VkSurfaceKHR bgSurfaceAt(uintptr_t address);
VkResult bgSurfaceSupport(const bgInstance *in, VkPhysicalDevice phys, uint32_t family, VkSurfaceKHR s, VkBool32 *out);
VkResult bgDescribeSurface(const bgInstance *in, VkPhysicalDevice phys, VkSurfaceKHR s, bgSurfaceInfo *out);
void bgDestroySurface(const bgInstance *in, VkSurfaceKHR s);
VkResult bgNewGraphics(const bgInstance *in, const bgDevice *d, bgGraphics **out);
void bgFreeGraphics(bgGraphics *g);

// Swapchains: shim_swapchain.c
VkResult bgCreateSwapchain(const bgGraphics *g, VkSurfaceKHR s, const bgSurfaceInfo *info, uint32_t format,
                           uint32_t images, uint32_t width, uint32_t height, VkImageUsageFlags usage,
                           VkSwapchainKHR old, VkSwapchainKHR *out);
void bgDestroySwapchain(const bgGraphics *g, VkSwapchainKHR s);
VkResult bgSwapchainImages(const bgGraphics *g, VkSwapchainKHR s, uint32_t *count, VkImage *out);
VkResult bgAcquire(const bgGraphics *g, VkSwapchainKHR s, uint64_t timeout, VkSemaphore signal, uint32_t *index);
VkResult bgPresent(const bgGraphics *g, VkQueue queue, VkSwapchainKHR s, uint32_t index, VkSemaphore wait);
VkResult bgSubmitFrame(const bgGraphics *g, VkQueue queue, VkCommandBuffer c, VkSemaphore wait, VkSemaphore signal,
                       VkFence fence);

// Views of images, and what is drawn with: shim_graphics.c
VkResult bgCreateImageView(const bgGraphics *g, VkImage i, int32_t format, uint32_t levels, VkImageView *out);
void bgDestroyImageView(const bgGraphics *g, VkImageView v);
VkResult bgCreateSampler(const bgGraphics *g, VkSampler *out);
void bgDestroySampler(const bgGraphics *g, VkSampler s);
VkResult bgCreateRenderPass(const bgGraphics *g, int32_t format, VkRenderPass *out);
void bgDestroyRenderPass(const bgGraphics *g, VkRenderPass p);
VkResult bgCreateFramebuffer(const bgGraphics *g, VkRenderPass p, VkImageView v, uint32_t width, uint32_t height,
                             VkFramebuffer *out);
void bgDestroyFramebuffer(const bgGraphics *g, VkFramebuffer f);

// A quad pipeline has a storage buffer in set 0 and an image in set 1.
VkResult bgCreateQuadLayout(const bgGraphics *g, uint32_t push, VkDescriptorSetLayout sets[2], VkPipelineLayout *out);
VkResult bgCreateQuadPipeline(const bgGraphics *g, VkPipelineLayout layout, VkRenderPass pass, const uint32_t *vert,
                              size_t vertBytes, const uint32_t *frag, size_t fragBytes, VkPipeline *out);
VkResult bgCreateQuadPool(const bgGraphics *g, uint32_t buffers, uint32_t images, VkDescriptorPool *out);
void bgWriteImage(const bgGraphics *g, VkDescriptorSet set, VkImageView v, VkSampler s);

VkResult bgResetPool(const bgGraphics *g, VkCommandPool p);
void bgCmdBeginQuads(const bgGraphics *g, VkCommandBuffer c, VkRenderPass pass, VkFramebuffer f, uint32_t width,
                     uint32_t height, const float clear[4], VkPipeline p, VkPipelineLayout layout, VkDescriptorSet quads,
                     const void *push, uint32_t pushBytes);
void bgCmdDrawQuads(const bgGraphics *g, VkCommandBuffer c, VkPipelineLayout layout, VkDescriptorSet image,
                    uint32_t first, uint32_t count);
void bgCmdEndQuads(const bgGraphics *g, VkCommandBuffer c);

#endif
