// shim_image.c: images to be copied from and to, who owns them and buffers, and what hosts wait for.

#include "shim.h"

VkResult bgCreateImage(const bgDevice *d, int32_t format, uint32_t width, uint32_t height, uint32_t levels,
                       VkImageUsageFlags usage, VkImage *out) {
    VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                              .imageType = VK_IMAGE_TYPE_2D,
                              .format = format,
                              .extent = {width, height, 1},
                              .mipLevels = levels,
                              .arrayLayers = 1,
                              .samples = VK_SAMPLE_COUNT_1_BIT,
                              .usage = usage,
                              .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED};
    return d->CreateImage(d->handle, &info, NULL, out);
}

void bgDestroyImage(const bgDevice *d, VkImage i) { d->DestroyImage(d->handle, i, NULL); }

void bgImageRequirements(const bgDevice *d, VkImage i, uint64_t *size, uint32_t *types) {
    VkMemoryRequirements r;
    d->GetImageMemoryRequirements(d->handle, i, &r);
    *size = r.size;
    *types = r.memoryTypeBits;
}

VkResult bgBindImage(const bgDevice *d, VkImage i, VkDeviceMemory m) {
    return d->BindImageMemory(d->handle, i, m, 0);
}

void bgCmdImageBarrier(const bgDevice *d, VkCommandBuffer c, VkImage i, uint32_t level, uint32_t levels, uint32_t layer,
                       VkPipelineStageFlags srcStage, VkAccessFlags srcAccess, int32_t srcLayout, uint32_t srcFamily,
                       VkPipelineStageFlags dstStage, VkAccessFlags dstAccess, int32_t dstLayout, uint32_t dstFamily) {
    VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                    .srcAccessMask = srcAccess,
                                    .dstAccessMask = dstAccess,
                                    .oldLayout = srcLayout,
                                    .newLayout = dstLayout,
                                    .srcQueueFamilyIndex = srcFamily,
                                    .dstQueueFamilyIndex = dstFamily,
                                    .image = i,
                                    .subresourceRange = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
                                                         .baseMipLevel = level,
                                                         .levelCount = levels,
                                                         .baseArrayLayer = layer,
                                                         .layerCount = 1}};
    d->CmdPipelineBarrier(c, srcStage, dstStage, 0, 0, NULL, 0, NULL, 1, &barrier);
}

void bgCmdBufferOwner(const bgDevice *d, VkCommandBuffer c, VkBuffer b, uint64_t offset, uint64_t size,
                      uint32_t srcFamily, uint32_t dstFamily) {
    VkBufferMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
                                     .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                                     .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
                                     .srcQueueFamilyIndex = srcFamily,
                                     .dstQueueFamilyIndex = dstFamily,
                                     .buffer = b,
                                     .offset = offset,
                                     .size = size};
    d->CmdPipelineBarrier(c, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 1,
                          &barrier, 0, NULL);
}

static VkBufferImageCopy region(uint64_t offset, uint32_t level, uint32_t layer, int32_t x, int32_t y, uint32_t width,
                                uint32_t height) {
    return (VkBufferImageCopy){.bufferOffset = offset,
                               .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
                                                    .mipLevel = level,
                                                    .baseArrayLayer = layer,
                                                    .layerCount = 1},
                               .imageOffset = {x, y, 0},
                               .imageExtent = {width, height, 1}};
}

void bgCmdCopyToImage(const bgDevice *d, VkCommandBuffer c, VkBuffer b, uint64_t offset, VkImage i, uint32_t level,
                      int32_t x, int32_t y, uint32_t width, uint32_t height) {
    VkBufferImageCopy copy = region(offset, level, 0, x, y, width, height);
    d->CmdCopyBufferToImage(c, b, i, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &copy);
}

void bgCmdCopyFromImage(const bgDevice *d, VkCommandBuffer c, VkImage i, uint32_t level, uint32_t layer, int32_t x,
                        int32_t y, uint32_t width, uint32_t height, VkBuffer b, uint64_t offset) {
    VkBufferImageCopy copy = region(offset, level, layer, x, y, width, height);
    d->CmdCopyImageToBuffer(c, i, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, b, 1, &copy);
}

VkResult bgCreateBinary(const bgDevice *d, VkSemaphore *out) {
    VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    return d->CreateSemaphore(d->handle, &info, NULL, out);
}

VkResult bgSubmitSync(const bgDevice *d, VkQueue queue, VkBool32 timelines, uint32_t waitCount,
                      const VkSemaphore *waits, const uint64_t *waitValues, uint32_t signalCount,
                      const VkSemaphore *signals, const uint64_t *signalValues, VkFence fence) {
    VkPipelineStageFlags stages[BG_MAX_SYNC];
    if (waitCount > BG_MAX_SYNC) return VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < waitCount; i++) stages[i] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                              .waitSemaphoreValueCount = waitCount,
                                              .pWaitSemaphoreValues = waitValues,
                                              .signalSemaphoreValueCount = signalCount,
                                              .pSignalSemaphoreValues = signalValues};
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .pNext = timelines ? &timeline : NULL,
                         .waitSemaphoreCount = waitCount,
                         .pWaitSemaphores = waits,
                         .pWaitDstStageMask = stages,
                         .signalSemaphoreCount = signalCount,
                         .pSignalSemaphores = signals};
    return d->QueueSubmit(queue, waitCount + signalCount > 0 ? 1 : 0, &info, fence);
}
