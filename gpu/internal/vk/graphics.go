//go:build desktop

package vk

// #include "shim_graphics.h"
import "C"

import (
	"unsafe"

	"github.com/vulkan-go/vulkan"
)

// Handles that only drawing needs.
type (
	ImageView   = vulkan.ImageView
	Sampler     = vulkan.Sampler
	RenderPass  = vulkan.RenderPass
	Framebuffer = vulkan.Framebuffer
)

// Formats, layouts, stages and accesses of images.
const (
	FormatR8 = int32(vulkan.FormatR8Unorm)

	ColorSpaceSRGB = int32(vulkan.ColorSpaceSrgbNonlinear)

	ImageUsageColor = uint32(vulkan.ImageUsageColorAttachmentBit)

	StageColor    = uint32(vulkan.PipelineStageColorAttachmentOutputBit)
	StageFragment = uint32(vulkan.PipelineStageFragmentShaderBit)
	StageBottom   = uint32(vulkan.PipelineStageBottomOfPipeBit)

	AccessColorWrite = uint32(vulkan.AccessColorAttachmentWriteBit)
	AccessShaderRead = uint32(vulkan.AccessShaderReadBit)
)

// NewImageView makes a view of an image.
func (g *Graphics) NewImageView(i Image, format int32, levels uint32) (ImageView, error) {
	var c C.VkImageView
	err := g.dev.do("vkCreateImageView", func() C.VkResult {
		return C.bgCreateImageView(g.c, to[C.VkImage](i), C.int32_t(format), C.uint32_t(levels), &c)
	})
	return to[ImageView](c), err
}

// DestroyImageView destroys a view that no queue uses any more.
func (g *Graphics) DestroyImageView(v ImageView) { C.bgDestroyImageView(g.c, to[C.VkImageView](v)) }

// NewSampler makes a sampler that interpolates between texels and between levels.
func (g *Graphics) NewSampler() (Sampler, error) {
	var c C.VkSampler
	err := g.dev.do("vkCreateSampler", func() C.VkResult { return C.bgCreateSampler(g.c, &c) })
	return to[Sampler](c), err
}

// DestroySampler destroys a sampler that no queue uses any more.
func (g *Graphics) DestroySampler(s Sampler) { C.bgDestroySampler(g.c, to[C.VkSampler](s)) }

// NewRenderPass makes a render pass that clears one image, draws to it and leaves it ready to be shown.
func (g *Graphics) NewRenderPass(format int32) (RenderPass, error) {
	var c C.VkRenderPass
	err := g.dev.do("vkCreateRenderPass", func() C.VkResult { return C.bgCreateRenderPass(g.c, C.int32_t(format), &c) })
	return to[RenderPass](c), err
}

// DestroyRenderPass destroys a render pass that no queue uses any more.
func (g *Graphics) DestroyRenderPass(p RenderPass) { C.bgDestroyRenderPass(g.c, to[C.VkRenderPass](p)) }

// NewFramebuffer makes a framebuffer of one image.
func (g *Graphics) NewFramebuffer(p RenderPass, v ImageView, width, height uint32) (Framebuffer, error) {
	var c C.VkFramebuffer
	err := g.dev.do("vkCreateFramebuffer", func() C.VkResult {
		return C.bgCreateFramebuffer(g.c, to[C.VkRenderPass](p), to[C.VkImageView](v), C.uint32_t(width), C.uint32_t(height), &c)
	})
	return to[Framebuffer](c), err
}

// DestroyFramebuffer destroys a framebuffer that no queue uses any more.
func (g *Graphics) DestroyFramebuffer(f Framebuffer) {
	C.bgDestroyFramebuffer(g.c, to[C.VkFramebuffer](f))
}

// QuadLayout is the layouts of a pipeline that draws rectangles: a storage buffer in set 0 for the vertex shader, a sampled image
// in set 1 for the fragment shader.
type QuadLayout struct {
	Sets   [2]DescriptorSetLayout
	Layout PipelineLayout
}

// NewQuadLayout makes the layouts. What is there after an error is destroyed with DestroyQuadLayout.
func (g *Graphics) NewQuadLayout(push int) (q QuadLayout, err error) {
	var sets [2]C.VkDescriptorSetLayout
	var c C.VkPipelineLayout
	err = g.dev.do("vkCreatePipelineLayout", func() C.VkResult {
		return C.bgCreateQuadLayout(g.c, C.uint32_t(push), &sets[0], &c)
	})
	for i := range sets {
		q.Sets[i] = to[DescriptorSetLayout](sets[i])
	}
	q.Layout = to[PipelineLayout](c)
	return q, err
}

// DestroyQuadLayout destroys the layouts.
func (g *Graphics) DestroyQuadLayout(q QuadLayout) {
	g.dev.DestroyLayout(q.Sets[0], q.Layout)
	var none PipelineLayout
	g.dev.DestroyLayout(q.Sets[1], none)
}

// NewQuadPipeline makes the pipeline: four vertices an instance, blended over what is there.
func (g *Graphics) NewQuadPipeline(q QuadLayout, p RenderPass, vert, frag []uint32) (Pipeline, error) {
	var c C.VkPipeline
	err := g.dev.do("vkCreateGraphicsPipelines", func() C.VkResult {
		return C.bgCreateQuadPipeline(g.c, to[C.VkPipelineLayout](q.Layout), to[C.VkRenderPass](p),
			(*C.uint32_t)(unsafe.SliceData(vert)), C.size_t(4*len(vert)), (*C.uint32_t)(unsafe.SliceData(frag)), C.size_t(4*len(frag)), &c)
	})
	return to[Pipeline](c), err
}

// NewQuadPool makes a pool for so many sets of each kind.
func (g *Graphics) NewQuadPool(buffers, images int) (DescriptorPool, error) {
	var c C.VkDescriptorPool
	err := g.dev.do("vkCreateDescriptorPool", func() C.VkResult {
		return C.bgCreateQuadPool(g.c, C.uint32_t(buffers), C.uint32_t(images), &c)
	})
	return to[DescriptorPool](c), err
}

// NewImageSet allocates a set that shows an image.
func (g *Graphics) NewImageSet(pool DescriptorPool, q QuadLayout, v ImageView, s Sampler) (DescriptorSet, error) {
	var set C.VkDescriptorSet
	err := g.dev.do("vkAllocateDescriptorSets", func() C.VkResult {
		return C.bgAllocateSet(g.dev.c, to[C.VkDescriptorPool](pool), to[C.VkDescriptorSetLayout](q.Sets[1]), &set)
	})
	if err == nil {
		C.bgWriteImage(g.c, set, to[C.VkImageView](v), to[C.VkSampler](s))
	}
	return to[DescriptorSet](set), err
}

// WriteImageSet has a set, which no queue uses any more, show another image.
func (g *Graphics) WriteImageSet(set DescriptorSet, v ImageView, s Sampler) {
	C.bgWriteImage(g.c, to[C.VkDescriptorSet](set), to[C.VkImageView](v), to[C.VkSampler](s))
}

// ResetPool makes the command buffers of a pool, which no queue runs any more, available again.
func (g *Graphics) ResetPool(p CommandPool) error {
	return g.dev.do("vkResetCommandPool", func() C.VkResult { return C.bgResetPool(g.c, to[C.VkCommandPool](p)) })
}

// OpenCommandBuffer opens a command buffer again after ResetPool.
func (d *Device) OpenCommandBuffer(c CommandBuffer) error {
	return d.do("vkBeginCommandBuffer", func() C.VkResult { return C.bgBegin(d.c, to[C.VkCommandBuffer](c)) })
}

// CmdBeginQuads clears a framebuffer and makes it ready for rectangles, which are in quads.
func (g *Graphics) CmdBeginQuads(c CommandBuffer, p RenderPass, f Framebuffer, width, height uint32, clear [4]float32,
	pipeline Pipeline, q QuadLayout, quads DescriptorSet, push []byte) {
	C.bgCmdBeginQuads(g.c, to[C.VkCommandBuffer](c), to[C.VkRenderPass](p), to[C.VkFramebuffer](f), C.uint32_t(width),
		C.uint32_t(height), (*C.float)(&clear[0]), to[C.VkPipeline](pipeline), to[C.VkPipelineLayout](q.Layout),
		to[C.VkDescriptorSet](quads), unsafe.Pointer(unsafe.SliceData(push)), C.uint32_t(len(push)))
}

// CmdDrawQuads draws count rectangles from first on, with an image.
func (g *Graphics) CmdDrawQuads(c CommandBuffer, q QuadLayout, image DescriptorSet, first, count int) {
	C.bgCmdDrawQuads(g.c, to[C.VkCommandBuffer](c), to[C.VkPipelineLayout](q.Layout), to[C.VkDescriptorSet](image),
		C.uint32_t(first), C.uint32_t(count))
}

// CmdEndQuads ends what CmdBeginQuads began.
func (g *Graphics) CmdEndQuads(c CommandBuffer) { C.bgCmdEndQuads(g.c, to[C.VkCommandBuffer](c)) }
