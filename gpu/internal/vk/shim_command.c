// shim_command.c: command buffers and what is recorded into them.

#include "shim.h"

VkResult bgCreateCommandPool(const bgDevice *d, uint32_t family, VkCommandPool *out) {
    VkCommandPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = family};
    return d->CreateCommandPool(d->handle, &info, NULL, out);
}

void bgDestroyCommandPool(const bgDevice *d, VkCommandPool p) { d->DestroyCommandPool(d->handle, p, NULL); }

VkResult bgAllocateCommandBuffer(const bgDevice *d, VkCommandPool p, VkCommandBuffer *out) {
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = p,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    return d->AllocateCommandBuffers(d->handle, &info, out);
}

VkResult bgBegin(const bgDevice *d, VkCommandBuffer c) {
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    return d->BeginCommandBuffer(c, &info);
}

VkResult bgEnd(const bgDevice *d, VkCommandBuffer c) { return d->EndCommandBuffer(c); }

void bgCmdDispatch(const bgDevice *d, VkCommandBuffer c, VkPipeline p, VkPipelineLayout layout, VkDescriptorSet set,
                   const void *push, uint32_t pushBytes, const uint32_t base[3], const uint32_t groups[3]) {
    d->CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, p);
    if (set != VK_NULL_HANDLE)
        d->CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    if (pushBytes > 0) d->CmdPushConstants(c, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pushBytes, push);
    if (base[0] | base[1] | base[2])
        d->CmdDispatchBase(c, base[0], base[1], base[2], groups[0], groups[1], groups[2]);
    else
        d->CmdDispatch(c, groups[0], groups[1], groups[2]);
}

void bgCmdCopy(const bgDevice *d, VkCommandBuffer c, VkBuffer src, uint64_t srcOffset, VkBuffer dst, uint64_t dstOffset,
               uint64_t size) {
    VkBufferCopy region = {.srcOffset = srcOffset, .dstOffset = dstOffset, .size = size};
    d->CmdCopyBuffer(c, src, dst, 1, &region);
}

void bgCmdFill(const bgDevice *d, VkCommandBuffer c, VkBuffer dst, uint64_t offset, uint64_t size, uint32_t word) {
    d->CmdFillBuffer(c, dst, offset, size, word);
}

void bgCmdBarrier(const bgDevice *d, VkCommandBuffer c, VkPipelineStageFlags srcStage, VkAccessFlags srcAccess,
                  VkPipelineStageFlags dstStage, VkAccessFlags dstAccess) {
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = srcAccess, .dstAccessMask = dstAccess};
    d->CmdPipelineBarrier(c, srcStage, dstStage, 0, 1, &barrier, 0, NULL, 0, NULL);
}

VkResult bgCreateTimestamps(const bgDevice *d, uint32_t count, VkQueryPool *out) {
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = count};
    return d->CreateQueryPool(d->handle, &info, NULL, out);
}

void bgDestroyTimestamps(const bgDevice *d, VkQueryPool p) { d->DestroyQueryPool(d->handle, p, NULL); }

void bgCmdResetTimestamps(const bgDevice *d, VkCommandBuffer c, VkQueryPool p, uint32_t count) {
    d->CmdResetQueryPool(c, p, 0, count);
}

void bgCmdTimestamp(const bgDevice *d, VkCommandBuffer c, VkQueryPool p, uint32_t index) {
    d->CmdWriteTimestamp(c, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p, index);
}

VkResult bgTimestamps(const bgDevice *d, VkQueryPool p, uint32_t count, uint64_t *out) {
    return d->GetQueryPoolResults(d->handle, p, 0, count, 8 * (size_t)count, out, 8, VK_QUERY_RESULT_64_BIT);
}
