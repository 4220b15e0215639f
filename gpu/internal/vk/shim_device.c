// shim_device.c: queues, buffers and their memory, fences, timeline semaphores.

#include "shim.h"

#define MAX_WAITS 2  // a submission waits for at most one value of each of the two timelines

VkQueue bgQueue(const bgDevice *d, uint32_t family, uint32_t index) {
    VkQueue q = VK_NULL_HANDLE;
    d->GetDeviceQueue(d->handle, family, index, &q);
    return q;
}

VkResult bgSubmit(const bgDevice *d, VkQueue queue, uint32_t count, const VkCommandBuffer *buffers, uint32_t waitCount,
                  const VkSemaphore *waits, const uint64_t *waitValues, VkSemaphore signal, uint64_t signalValue,
                  VkFence fence) {
    const VkPipelineStageFlags stages[MAX_WAITS] = {VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                                    VK_PIPELINE_STAGE_ALL_COMMANDS_BIT};
    if (waitCount > MAX_WAITS) return VK_ERROR_TOO_MANY_OBJECTS;
    const uint32_t signalCount = signal != VK_NULL_HANDLE;
    VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                              .waitSemaphoreValueCount = waitCount,
                                              .pWaitSemaphoreValues = waitValues,
                                              .signalSemaphoreValueCount = signalCount,
                                              .pSignalSemaphoreValues = &signalValue};
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .pNext = waitCount + signalCount > 0 ? &timeline : NULL,
                         .waitSemaphoreCount = waitCount,
                         .pWaitSemaphores = waits,
                         .pWaitDstStageMask = stages,
                         .commandBufferCount = count,
                         .pCommandBuffers = buffers,
                         .signalSemaphoreCount = signalCount,
                         .pSignalSemaphores = &signal};
    return d->QueueSubmit(queue, 1, &info, fence);
}

VkResult bgQueueWaitIdle(const bgDevice *d, VkQueue queue) { return d->QueueWaitIdle(queue); }
VkResult bgDeviceWaitIdle(const bgDevice *d) { return d->DeviceWaitIdle(d->handle); }

VkResult bgCreateBuffer(const bgDevice *d, uint64_t size, VkBufferUsageFlags usage, uint32_t familyCount,
                        const uint32_t *families, VkBuffer *out) {
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = size,
                               .usage = usage,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    if (familyCount > 1) {
        info.sharingMode = VK_SHARING_MODE_CONCURRENT;
        info.queueFamilyIndexCount = familyCount;
        info.pQueueFamilyIndices = families;
    }
    return d->CreateBuffer(d->handle, &info, NULL, out);
}

void bgDestroyBuffer(const bgDevice *d, VkBuffer b) { d->DestroyBuffer(d->handle, b, NULL); }

void bgBufferRequirements(const bgDevice *d, VkBuffer b, uint64_t *size, uint32_t *types) {
    VkMemoryRequirements r;
    d->GetBufferMemoryRequirements(d->handle, b, &r);
    *size = r.size;
    *types = r.memoryTypeBits;
}

VkResult bgAllocate(const bgDevice *d, uint64_t size, uint32_t type, VkBool32 addressable, VkDeviceMemory *out) {
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = addressable ? &flags : NULL,
                                 .allocationSize = size,
                                 .memoryTypeIndex = type};
    return d->AllocateMemory(d->handle, &info, NULL, out);
}

void bgFree(const bgDevice *d, VkDeviceMemory m) { d->FreeMemory(d->handle, m, NULL); }
VkResult bgBind(const bgDevice *d, VkBuffer b, VkDeviceMemory m) { return d->BindBufferMemory(d->handle, b, m, 0); }

uint64_t bgBufferAddress(const bgDevice *d, VkBuffer b) {
    VkBufferDeviceAddressInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = b};
    return d->GetBufferDeviceAddress(d->handle, &info);
}

VkResult bgMap(const bgDevice *d, VkDeviceMemory m, void **out) {
    return d->MapMemory(d->handle, m, 0, VK_WHOLE_SIZE, 0, out);
}

VkResult bgInvalidate(const bgDevice *d, VkDeviceMemory m) {
    VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, .memory = m, .offset = 0, .size = VK_WHOLE_SIZE};
    return d->InvalidateMappedMemoryRanges(d->handle, 1, &range);
}

VkResult bgCreateFence(const bgDevice *d, VkFence *out) {
    VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    return d->CreateFence(d->handle, &info, NULL, out);
}

VkResult bgResetFence(const bgDevice *d, VkFence f) { return d->ResetFences(d->handle, 1, &f); }

VkResult bgWaitFence(const bgDevice *d, VkFence f, uint64_t timeout) {
    return d->WaitForFences(d->handle, 1, &f, VK_TRUE, timeout);
}

void bgDestroyFence(const bgDevice *d, VkFence f) { d->DestroyFence(d->handle, f, NULL); }

VkResult bgCreateTimeline(const bgDevice *d, VkSemaphore *out) {
    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    return d->CreateSemaphore(d->handle, &info, NULL, out);
}

void bgDestroySemaphore(const bgDevice *d, VkSemaphore s) { d->DestroySemaphore(d->handle, s, NULL); }
