// shim_pipeline.c: pipelines, the pipeline cache and descriptor sets. Every kernel binds storage buffers and
// uniform texel buffers only, all in set 0; specialization constants are 32 bits wide and numbered from 0.

#include "shim.h"

static VkDescriptorType descriptorType(int texels) {
    return texels ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

VkResult bgCreateLayout(const bgDevice *d, uint32_t bindings, uint32_t texels, uint32_t push, VkDescriptorSetLayout *set,
                        VkPipelineLayout *out) {
    VkDescriptorSetLayoutBinding b[BG_MAX_BINDINGS];
    if (bindings > BG_MAX_BINDINGS) return VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < bindings; i++)
        b[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                              .descriptorType = descriptorType(texels >> i & 1),
                                              .descriptorCount = 1,
                                              .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo setInfo = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                               .bindingCount = bindings,
                                               .pBindings = b};
    VkResult r = d->CreateDescriptorSetLayout(d->handle, &setInfo, NULL, set);
    if (r != VK_SUCCESS) return r;
    VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = push};
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                       .setLayoutCount = 1,
                                       .pSetLayouts = set,
                                       .pushConstantRangeCount = push > 0,
                                       .pPushConstantRanges = &range};
    r = d->CreatePipelineLayout(d->handle, &info, NULL, out);
    if (r != VK_SUCCESS) d->DestroyDescriptorSetLayout(d->handle, *set, NULL);
    return r;
}

void bgDestroyLayout(const bgDevice *d, VkDescriptorSetLayout set, VkPipelineLayout layout) {
    d->DestroyPipelineLayout(d->handle, layout, NULL);
    d->DestroyDescriptorSetLayout(d->handle, set, NULL);
}

VkResult bgCreateCache(const bgDevice *d, const void *data, size_t size, VkPipelineCache *out) {
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = size, .pInitialData = data};
    return d->CreatePipelineCache(d->handle, &info, NULL, out);
}

VkResult bgCacheData(const bgDevice *d, VkPipelineCache c, size_t *size, void *data) {
    return d->GetPipelineCacheData(d->handle, c, size, data);
}

void bgDestroyCache(const bgDevice *d, VkPipelineCache c) { d->DestroyPipelineCache(d->handle, c, NULL); }

VkResult bgCreatePipeline(const bgDevice *d, VkPipelineCache cache, VkPipelineLayout layout, const uint32_t *code,
                          size_t codeBytes, uint32_t specCount, const uint32_t *spec, uint32_t subgroup, VkBool32 parts,
                          VkPipeline *out) {
    VkSpecializationMapEntry entries[BG_MAX_SPEC];
    if (specCount > BG_MAX_SPEC) return VK_ERROR_TOO_MANY_OBJECTS;
    for (uint32_t i = 0; i < specCount; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = 4 * i, .size = 4};
    VkSpecializationInfo constants = {
        .mapEntryCount = specCount, .pMapEntries = entries, .dataSize = 4 * (size_t)specCount, .pData = spec};
    VkShaderModuleCreateInfo moduleInfo = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = codeBytes, .pCode = code};
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult r = d->CreateShaderModule(d->handle, &moduleInfo, NULL, &module);
    if (r != VK_SUCCESS) return r;
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = subgroup};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = parts ? VK_PIPELINE_CREATE_DISPATCH_BASE_BIT : 0,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = subgroup != 0 ? &size : NULL,
                  .flags = subgroup != 0 ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = specCount > 0 ? &constants : NULL},
        .layout = layout,
        .basePipelineIndex = -1};
    r = d->CreateComputePipelines(d->handle, cache, 1, &info, NULL, out);
    d->DestroyShaderModule(d->handle, module, NULL);
    return r;
}

void bgDestroyPipeline(const bgDevice *d, VkPipeline p) { d->DestroyPipeline(d->handle, p, NULL); }

VkResult bgCreateDescriptorPool(const bgDevice *d, uint32_t sets, uint32_t buffers, uint32_t views,
                                VkDescriptorPool *out) {
    VkDescriptorPoolSize sizes[2];
    uint32_t kinds = 0;
    if (buffers > 0)
        sizes[kinds++] = (VkDescriptorPoolSize){.type = descriptorType(0), .descriptorCount = buffers};
    if (views > 0)
        sizes[kinds++] = (VkDescriptorPoolSize){.type = descriptorType(1), .descriptorCount = views};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = sets,
                                       .poolSizeCount = kinds,
                                       .pPoolSizes = sizes};
    return d->CreateDescriptorPool(d->handle, &info, NULL, out);
}

VkResult bgCreateView(const bgDevice *d, VkBuffer b, uint64_t offset, uint64_t size, VkBufferView *out) {
    VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                   .buffer = b,
                                   .format = VK_FORMAT_R32G32B32A32_UINT,
                                   .offset = offset,
                                   .range = size};
    return d->CreateBufferView(d->handle, &info, NULL, out);
}

void bgDestroyView(const bgDevice *d, VkBufferView v) { d->DestroyBufferView(d->handle, v, NULL); }

VkResult bgAllocateSet(const bgDevice *d, VkDescriptorPool pool, VkDescriptorSetLayout layout, VkDescriptorSet *out) {
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = pool,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &layout};
    return d->AllocateDescriptorSets(d->handle, &info, out);
}

void bgWriteSet(const bgDevice *d, VkDescriptorSet set, uint32_t count, const VkBuffer *buffers,
                const uint64_t *offsets, const uint64_t *sizes, const VkBufferView *views) {
    VkDescriptorBufferInfo b[BG_MAX_BINDINGS];
    VkWriteDescriptorSet writes[BG_MAX_BINDINGS];
    if (count > BG_MAX_BINDINGS) return;
    for (uint32_t i = 0; i < count; i++) {
        b[i] = (VkDescriptorBufferInfo){.buffer = buffers[i], .offset = offsets[i], .range = sizes[i]};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = descriptorType(views[i] != VK_NULL_HANDLE),
                                           .pBufferInfo = &b[i],
                                           .pTexelBufferView = &views[i]};
    }
    d->UpdateDescriptorSets(d->handle, count, writes, 0, NULL);
}

void bgDestroyDescriptorPool(const bgDevice *d, VkDescriptorPool p) { d->DestroyDescriptorPool(d->handle, p, NULL); }
