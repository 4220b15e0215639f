package vk

// #include "shim.h"
import "C"

import "unsafe"

// Limits of the shims, not of a device.
const (
	MaxBindings = C.BG_MAX_BINDINGS
	MaxSpec     = C.BG_MAX_SPEC
)

// NewLayout makes the layouts for kernels that bind n buffers in set 0 and take push bytes of push constants. Binding
// i is a uniform texel buffer if bit i of texels is set, else a storage buffer.
func (d *Device) NewLayout(n int, texels uint32, push int) (set DescriptorSetLayout, layout PipelineLayout, err error) {
	var s C.VkDescriptorSetLayout
	var l C.VkPipelineLayout
	err = d.do("vkCreatePipelineLayout", func() C.VkResult {
		return C.bgCreateLayout(d.c, C.uint32_t(n), C.uint32_t(texels), C.uint32_t(push), &s, &l)
	})
	return to[DescriptorSetLayout](s), to[PipelineLayout](l), err
}

// DestroyLayout destroys what NewLayout made.
func (d *Device) DestroyLayout(set DescriptorSetLayout, layout PipelineLayout) {
	C.bgDestroyLayout(d.c, to[C.VkDescriptorSetLayout](set), to[C.VkPipelineLayout](layout))
}

// NewPipelineCache makes a pipeline cache with what CacheData returned earlier, or empty. The caller has made
// sure that the data is whole: drivers trust it.
func (d *Device) NewPipelineCache(data []byte) (PipelineCache, error) {
	var c C.VkPipelineCache
	err := d.do("vkCreatePipelineCache", func() C.VkResult {
		return C.bgCreateCache(d.c, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)), &c)
	})
	return to[PipelineCache](c), err
}

// CacheData returns the content of a pipeline cache. No pipeline may be made with it meanwhile.
func (d *Device) CacheData(c PipelineCache) ([]byte, error) {
	var size C.size_t
	get := func(data []byte) error {
		return d.do("vkGetPipelineCacheData", func() C.VkResult {
			return C.bgCacheData(d.c, to[C.VkPipelineCache](c), &size, unsafe.Pointer(unsafe.SliceData(data)))
		})
	}
	if err := get(nil); err != nil || size == 0 {
		return nil, err
	}
	data := make([]byte, size)
	err := get(data)
	return data[:size], err
}

// DestroyPipelineCache destroys a pipeline cache.
func (d *Device) DestroyPipelineCache(c PipelineCache) {
	C.bgDestroyCache(d.c, to[C.VkPipelineCache](c))
}

// NewPipeline makes a compute pipeline of SPIR-V with the entry point main and the specialization constants
// 0, 1, 2 ... subgroup is the subgroup size to require, with full subgroups (Features.SubgroupSizeControl),
// or 0 to leave it to the driver. parts is for dispatches that begin at another workgroup than 0.
func (d *Device) NewPipeline(cache PipelineCache, layout PipelineLayout, code, spec []uint32, subgroup uint32, parts bool) (Pipeline, error) {
	var c C.VkPipeline
	err := d.do("vkCreateComputePipelines", func() C.VkResult {
		return C.bgCreatePipeline(d.c, to[C.VkPipelineCache](cache), to[C.VkPipelineLayout](layout),
			(*C.uint32_t)(unsafe.SliceData(code)), C.size_t(4*len(code)), C.uint32_t(len(spec)),
			(*C.uint32_t)(unsafe.SliceData(spec)), C.uint32_t(subgroup), C.VkBool32(btoi(parts)), &c)
	})
	return to[Pipeline](c), err
}

// DestroyPipeline destroys a pipeline that no queue uses any more.
func (d *Device) DestroyPipeline(p Pipeline) { C.bgDestroyPipeline(d.c, to[C.VkPipeline](p)) }

// NewDescriptorPool makes a pool for so many sets, with so many storage buffers and views in all of them together.
func (d *Device) NewDescriptorPool(sets, buffers, views int) (DescriptorPool, error) {
	var c C.VkDescriptorPool
	err := d.do("vkCreateDescriptorPool", func() C.VkResult {
		return C.bgCreateDescriptorPool(d.c, C.uint32_t(sets), C.uint32_t(buffers), C.uint32_t(views), &c)
	})
	return to[DescriptorPool](c), err
}

// DestroyDescriptorPool destroys a pool and its sets.
func (d *Device) DestroyDescriptorPool(p DescriptorPool) {
	C.bgDestroyDescriptorPool(d.c, to[C.VkDescriptorPool](p))
}

// NewView makes a view of whole texels of a buffer, R32G32B32A32_UINT, 16 bytes each.
func (d *Device) NewView(b Binding) (BufferView, error) {
	var c C.VkBufferView
	err := d.do("vkCreateBufferView", func() C.VkResult {
		return C.bgCreateView(d.c, to[C.VkBuffer](b.Buffer), C.uint64_t(b.Offset), C.uint64_t(b.Size), &c)
	})
	return to[BufferView](c), err
}

// DestroyView destroys a view that no queue uses any more.
func (d *Device) DestroyView(v BufferView) { C.bgDestroyView(d.c, to[C.VkBufferView](v)) }

// Binding is the part of a buffer that a descriptor shows, as a uniform texel buffer if there is a View of it.
type Binding struct {
	Buffer       Buffer
	Offset, Size int64
	View         BufferView
}

// NewDescriptorSet allocates a set whose binding i shows b[i].
func (d *Device) NewDescriptorSet(pool DescriptorPool, layout DescriptorSetLayout, b []Binding) (DescriptorSet, error) {
	var set C.VkDescriptorSet
	if len(b) > MaxBindings {
		return to[DescriptorSet](set), check("vkUpdateDescriptorSets", TooManyObjects)
	}
	err := d.do("vkAllocateDescriptorSets", func() C.VkResult {
		return C.bgAllocateSet(d.c, to[C.VkDescriptorPool](pool), to[C.VkDescriptorSetLayout](layout), &set)
	})
	if err != nil {
		return to[DescriptorSet](set), err
	}
	var buffers [MaxBindings]C.VkBuffer
	var offsets, sizes [MaxBindings]C.uint64_t
	var views [MaxBindings]C.VkBufferView
	for i, v := range b {
		buffers[i], offsets[i], sizes[i] = to[C.VkBuffer](v.Buffer), C.uint64_t(v.Offset), C.uint64_t(v.Size)
		views[i] = to[C.VkBufferView](v.View)
	}
	C.bgWriteSet(d.c, set, C.uint32_t(len(b)), &buffers[0], &offsets[0], &sizes[0], &views[0])
	return to[DescriptorSet](set), nil
}
