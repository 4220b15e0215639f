//go:build desktop

// shim_graphics.c: images, and a pipeline that draws rectangles. A rectangle is an instance of four vertices; all that is
// known of it is in a storage buffer, so there is no vertex input.

#include "shim_graphics.h"

#define LAYOUT(type, size, last, offset)                             \
    _Static_assert(sizeof(type) == size, #type " has a wrong size"); \
    _Static_assert(offsetof(type, last) == offset, #type "." #last " is misplaced");

LAYOUT(VkExtent2D, 8, height, 4)
LAYOUT(VkOffset2D, 8, y, 4)
LAYOUT(VkRect2D, 16, extent, 8)
LAYOUT(VkViewport, 24, maxDepth, 20)
LAYOUT(VkSurfaceCapabilitiesKHR, 52, supportedUsageFlags, 48)
LAYOUT(VkSurfaceFormatKHR, 8, colorSpace, 4)
LAYOUT(VkSwapchainCreateInfoKHR, 104, oldSwapchain, 96)
LAYOUT(VkPresentInfoKHR, 64, pResults, 56)
LAYOUT(VkComponentMapping, 16, a, 12)
LAYOUT(VkImageViewCreateInfo, 80, subresourceRange, 56)
LAYOUT(VkSamplerCreateInfo, 80, unnormalizedCoordinates, 76)
LAYOUT(VkDescriptorImageInfo, 24, imageLayout, 16)
LAYOUT(VkAttachmentDescription, 36, finalLayout, 32)
LAYOUT(VkAttachmentReference, 8, layout, 4)
LAYOUT(VkSubpassDescription, 72, pPreserveAttachments, 64)
LAYOUT(VkSubpassDependency, 28, dependencyFlags, 24)
LAYOUT(VkRenderPassCreateInfo, 64, pDependencies, 56)
LAYOUT(VkFramebufferCreateInfo, 64, layers, 56)
LAYOUT(VkClearColorValue, 16, uint32, 0)
LAYOUT(VkRenderPassBeginInfo, 64, pClearValues, 56)
LAYOUT(VkPipelineVertexInputStateCreateInfo, 48, pVertexAttributeDescriptions, 40)
LAYOUT(VkPipelineInputAssemblyStateCreateInfo, 32, primitiveRestartEnable, 24)
LAYOUT(VkPipelineViewportStateCreateInfo, 48, pScissors, 40)
LAYOUT(VkPipelineRasterizationStateCreateInfo, 64, lineWidth, 56)
LAYOUT(VkPipelineMultisampleStateCreateInfo, 48, alphaToOneEnable, 44)
LAYOUT(VkPipelineColorBlendAttachmentState, 32, colorWriteMask, 28)
LAYOUT(VkPipelineColorBlendStateCreateInfo, 56, blendConstants, 40)
LAYOUT(VkPipelineDynamicStateCreateInfo, 32, pDynamicStates, 24)
LAYOUT(VkGraphicsPipelineCreateInfo, 144, basePipelineIndex, 136)

static VkImageSubresourceRange range(uint32_t levels) {
    return (VkImageSubresourceRange){.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .levelCount = levels, .layerCount = 1};
}

VkResult bgCreateImageView(const bgGraphics *g, VkImage i, int32_t format, uint32_t levels, VkImageView *out) {
    VkImageViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = i,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = format,
                                  .subresourceRange = range(levels)};
    return g->CreateImageView(g->d->handle, &info, NULL, out);
}

void bgDestroyImageView(const bgGraphics *g, VkImageView v) { g->DestroyImageView(g->d->handle, v, NULL); }

VkResult bgCreateSampler(const bgGraphics *g, VkSampler *out) {
    VkSamplerCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                .magFilter = VK_FILTER_LINEAR,
                                .minFilter = VK_FILTER_LINEAR,
                                .mipmapMode = VK_SAMPLER_MIPMAP_MODE_LINEAR,
                                .addressModeU = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                .addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                .addressModeW = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                .maxLod = VK_LOD_CLAMP_NONE};
    return g->CreateSampler(g->d->handle, &info, NULL, out);
}

void bgDestroySampler(const bgGraphics *g, VkSampler s) { g->DestroySampler(g->d->handle, s, NULL); }

VkResult bgCreateRenderPass(const bgGraphics *g, int32_t format, VkRenderPass *out) {
    VkAttachmentDescription attachment = {.format = format,
                                          .samples = VK_SAMPLE_COUNT_1_BIT,
                                          .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                          .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                          .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                                          .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                                          .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                                          .finalLayout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR};
    VkAttachmentReference color = {.attachment = 0, .layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    VkSubpassDescription subpass = {.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                                    .colorAttachmentCount = 1,
                                    .pColorAttachments = &color};
    // The image is acquired at the stage that a frame's submission waits in (bgSubmitFrame).
    VkSubpassDependency acquired = {.srcSubpass = VK_SUBPASS_EXTERNAL,
                                    .dstSubpass = 0,
                                    .srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                    .dstStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                    .dstAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT};
    VkRenderPassCreateInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
                                   .attachmentCount = 1,
                                   .pAttachments = &attachment,
                                   .subpassCount = 1,
                                   .pSubpasses = &subpass,
                                   .dependencyCount = 1,
                                   .pDependencies = &acquired};
    return g->CreateRenderPass(g->d->handle, &info, NULL, out);
}

void bgDestroyRenderPass(const bgGraphics *g, VkRenderPass p) { g->DestroyRenderPass(g->d->handle, p, NULL); }

VkResult bgCreateFramebuffer(const bgGraphics *g, VkRenderPass p, VkImageView v, uint32_t width, uint32_t height,
                             VkFramebuffer *out) {
    VkFramebufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                    .renderPass = p,
                                    .attachmentCount = 1,
                                    .pAttachments = &v,
                                    .width = width,
                                    .height = height,
                                    .layers = 1};
    return g->CreateFramebuffer(g->d->handle, &info, NULL, out);
}

void bgDestroyFramebuffer(const bgGraphics *g, VkFramebuffer f) { g->DestroyFramebuffer(g->d->handle, f, NULL); }

#define BOTH_STAGES (VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_FRAGMENT_BIT)

VkResult bgCreateQuadLayout(const bgGraphics *g, uint32_t push, VkDescriptorSetLayout sets[2], VkPipelineLayout *out) {
    const bgDevice *d = g->d;
    const VkDescriptorSetLayoutBinding bindings[2] = {{.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                       .descriptorCount = 1,
                                                       .stageFlags = VK_SHADER_STAGE_VERTEX_BIT},
                                                      {.descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                                       .descriptorCount = 1,
                                                       .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT}};
    VkResult r = VK_SUCCESS;
    for (int i = 0; i < 2 && r == VK_SUCCESS; i++) {
        VkDescriptorSetLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                .bindingCount = 1,
                                                .pBindings = &bindings[i]};
        r = d->CreateDescriptorSetLayout(d->handle, &info, NULL, &sets[i]);
    }
    VkPushConstantRange constants = {.stageFlags = BOTH_STAGES, .size = push};
    VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                       .setLayoutCount = 2,
                                       .pSetLayouts = sets,
                                       .pushConstantRangeCount = 1,
                                       .pPushConstantRanges = &constants};
    return r != VK_SUCCESS ? r : d->CreatePipelineLayout(d->handle, &info, NULL, out);
}

VkResult bgCreateQuadPipeline(const bgGraphics *g, VkPipelineLayout layout, VkRenderPass pass, const uint32_t *vert,
                              size_t vertBytes, const uint32_t *frag, size_t fragBytes, VkPipeline *out) {
    const bgDevice *d = g->d;
    const uint32_t *code[2] = {vert, frag};
    const size_t bytes[2] = {vertBytes, fragBytes};
    const VkShaderStageFlagBits stages[2] = {VK_SHADER_STAGE_VERTEX_BIT, VK_SHADER_STAGE_FRAGMENT_BIT};
    VkShaderModule modules[2] = {VK_NULL_HANDLE, VK_NULL_HANDLE};
    VkPipelineShaderStageCreateInfo shaders[2];
    VkResult r = VK_SUCCESS;
    for (int i = 0; i < 2 && r == VK_SUCCESS; i++) {
        VkShaderModuleCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes[i], .pCode = code[i]};
        r = d->CreateShaderModule(d->handle, &info, NULL, &modules[i]);
        shaders[i] = (VkPipelineShaderStageCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                       .stage = stages[i],
                                                       .module = modules[i],
                                                       .pName = "main"};
    }
    VkPipelineVertexInputStateCreateInfo vertices = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO};
    VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP};
    VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO, .viewportCount = 1, .scissorCount = 1};
    VkPipelineRasterizationStateCreateInfo raster = {.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                                                     .polygonMode = VK_POLYGON_MODE_FILL,
                                                     .lineWidth = 1};
    VkPipelineMultisampleStateCreateInfo samples = {.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                                                    .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
    VkPipelineColorBlendAttachmentState over = {.blendEnable = VK_TRUE,
                                                .srcColorBlendFactor = VK_BLEND_FACTOR_SRC_ALPHA,
                                                .dstColorBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
                                                .srcAlphaBlendFactor = VK_BLEND_FACTOR_ONE,
                                                .dstAlphaBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
                                                .colorWriteMask = 0xf};
    VkPipelineColorBlendStateCreateInfo blend = {.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                                                 .attachmentCount = 1,
                                                 .pAttachments = &over};
    const VkDynamicState dynamics[2] = {VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR};
    VkPipelineDynamicStateCreateInfo dynamic = {.sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                                                .dynamicStateCount = 2,
                                                .pDynamicStates = dynamics};
    VkGraphicsPipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                         .stageCount = 2,
                                         .pStages = shaders,
                                         .pVertexInputState = &vertices,
                                         .pInputAssemblyState = &assembly,
                                         .pViewportState = &viewport,
                                         .pRasterizationState = &raster,
                                         .pMultisampleState = &samples,
                                         .pColorBlendState = &blend,
                                         .pDynamicState = &dynamic,
                                         .layout = layout,
                                         .renderPass = pass,
                                         .basePipelineIndex = -1};
    if (r == VK_SUCCESS) r = g->CreateGraphicsPipelines(d->handle, VK_NULL_HANDLE, 1, &info, NULL, out);
    for (int i = 0; i < 2; i++)
        if (modules[i] != VK_NULL_HANDLE) d->DestroyShaderModule(d->handle, modules[i], NULL);
    return r;
}

VkResult bgCreateQuadPool(const bgGraphics *g, uint32_t buffers, uint32_t images, VkDescriptorPool *out) {
    const VkDescriptorPoolSize sizes[2] = {
        {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = buffers},
        {.type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, .descriptorCount = images}};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = buffers + images,
                                       .poolSizeCount = 2,
                                       .pPoolSizes = sizes};
    return g->d->CreateDescriptorPool(g->d->handle, &info, NULL, out);
}

void bgWriteImage(const bgGraphics *g, VkDescriptorSet set, VkImageView v, VkSampler s) {
    VkDescriptorImageInfo image = {
        .sampler = s, .imageView = v, .imageLayout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL};
    VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                  .dstSet = set,
                                  .descriptorCount = 1,
                                  .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                  .pImageInfo = &image};
    g->d->UpdateDescriptorSets(g->d->handle, 1, &write, 0, NULL);
}

VkResult bgResetPool(const bgGraphics *g, VkCommandPool p) { return g->ResetCommandPool(g->d->handle, p, 0); }

void bgCmdBeginQuads(const bgGraphics *g, VkCommandBuffer c, VkRenderPass pass, VkFramebuffer f, uint32_t width,
                     uint32_t height, const float clear[4], VkPipeline p, VkPipelineLayout layout, VkDescriptorSet quads,
                     const void *push, uint32_t pushBytes) {
    const VkClearValue value = {.color = {.float32 = {clear[0], clear[1], clear[2], clear[3]}}};
    const VkRect2D area = {.extent = {width, height}};
    const VkViewport viewport = {.width = (float)width, .height = (float)height, .maxDepth = 1};
    VkRenderPassBeginInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                  .renderPass = pass,
                                  .framebuffer = f,
                                  .renderArea = area,
                                  .clearValueCount = 1,
                                  .pClearValues = &value};
    g->CmdBeginRenderPass(c, &info, VK_SUBPASS_CONTENTS_INLINE);
    g->CmdSetViewport(c, 0, 1, &viewport);
    g->CmdSetScissor(c, 0, 1, &area);
    g->d->CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_GRAPHICS, p);
    g->d->CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_GRAPHICS, layout, 0, 1, &quads, 0, NULL);
    g->d->CmdPushConstants(c, layout, BOTH_STAGES, 0, pushBytes, push);
}

void bgCmdDrawQuads(const bgGraphics *g, VkCommandBuffer c, VkPipelineLayout layout, VkDescriptorSet image,
                    uint32_t first, uint32_t count) {
    g->d->CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_GRAPHICS, layout, 1, 1, &image, 0, NULL);
    g->CmdDraw(c, 4, count, 0, first);
}

void bgCmdEndQuads(const bgGraphics *g, VkCommandBuffer c) { g->CmdEndRenderPass(c); }
