package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
	"github.com/bitgpu/bitgpu/shaders"
)

// Pipeline is a kernel made for the device, with its specialization constants. It lives until the device is closed.
type Pipeline struct {
	dev    *Device
	kernel *shaders.Kernel
	layout *layout
	handle vk.Pipeline
	whole  bool    // its dispatches cannot be divided
	rate   float64 // ns a unit of cost, by what has been measured (slice.go); guarded by dev.mu
}

// layout is what pipelines with equal bindings and bytes of push constants share.
type layout struct {
	set      vk.DescriptorSetLayout
	pipeline vk.PipelineLayout
}

type layoutKey struct {
	bindings int
	texels   uint32 // bit i: binding i is read as texels
	push     int
}

type pipelineKey struct {
	kernel *shaders.Kernel
	spec   string // the constants' bytes
}

// slot holds a pipeline; its lock is held while it is being made, so that others who want it wait.
type slot struct {
	sync.Mutex
	pipeline *Pipeline
}

// pipelines are all that a device has made.
type pipelines struct {
	cache  vk.PipelineCache
	stored []byte // what the file on disk holds

	mu      sync.Mutex
	layouts map[layoutKey]*layout
	slots   map[pipelineKey]*slot
}

// NewPipeline makes a pipeline of a kernel with the specialization constants spec; those that are not given have
// their defaults. Asking again for the same is free. It may be called from many goroutines, which then compile side by
// side. An error names the limit or feature that the device lacks.
func (d *Device) NewPipeline(k *shaders.Kernel, spec ...uint32) (*Pipeline, error) {
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	p, err := d.pipeline(k, spec)
	if err != nil {
		return nil, fmt.Errorf("gpu: pipeline %s%v: %w", k.Name, spec, err)
	}
	if err := d.messages(); err != nil {
		return nil, err
	}
	return p, nil
}

func (d *Device) pipeline(k *shaders.Kernel, given []uint32) (*Pipeline, error) {
	if len(given) > len(k.Spec) {
		return nil, fmt.Errorf("%d specialization constants, the kernel has %d", len(given), len(k.Spec))
	}
	spec := slices.Clone(given)
	for _, s := range k.Spec[len(given):] {
		spec = append(spec, s.Default)
	}
	key := pipelineKey{kernel: k}
	raw := make([]byte, 0, 4*len(spec))
	for _, v := range spec {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	key.spec = string(raw)

	d.pipelines.mu.Lock()
	s := d.pipelines.slots[key]
	if s == nil {
		s = &slot{}
		d.pipelines.slots[key] = s
	}
	d.pipelines.mu.Unlock()
	s.Lock()
	defer s.Unlock()
	if s.pipeline != nil {
		return s.pipeline, nil
	}
	p, err := d.compile(k, spec)
	s.pipeline = p
	return p, err
}

func (d *Device) compile(k *shaders.Kernel, spec []uint32) (*Pipeline, error) {
	code, err := k.Code()
	if err != nil {
		return nil, err
	}
	if err := checkKernel(d.info, k, spec); err != nil {
		return nil, err
	}
	if err := checkCapabilities(d.info, d.physical.SubgroupOperations, code); err != nil {
		return nil, err
	}
	l, err := d.layout(layoutKey{len(k.Bindings), texels(k), k.Push})
	if err != nil {
		return nil, d.noted(err)
	}
	var subgroup uint32
	if d.features.SubgroupSizeControl {
		subgroup = subgroupSize(k, spec)
	}
	handle, err := d.vk.NewPipeline(d.pipelines.cache, l.pipeline, code, spec, subgroup, d.slice > 0)
	if err != nil {
		return nil, d.noted(err)
	}
	return &Pipeline{dev: d, kernel: k, layout: l, handle: handle, whole: countsWorkgroups(code)}, nil
}

// texels has a bit for every binding that a kernel reads as texels.
func texels(k *shaders.Kernel) (bits uint32) {
	for i, a := range k.Bindings {
		if a&shaders.Texels != 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// layout returns the layout for a key, made at the first time.
func (d *Device) layout(key layoutKey) (*layout, error) {
	d.pipelines.mu.Lock()
	defer d.pipelines.mu.Unlock()
	if l := d.pipelines.layouts[key]; l != nil {
		return l, nil
	}
	set, pipeline, err := d.vk.NewLayout(key.bindings, key.texels, key.push)
	if err != nil {
		return nil, err
	}
	l := &layout{set, pipeline}
	d.pipelines.layouts[key] = l
	return l, nil
}

// checkKernel compares a kernel and its constants with the device's limits.
func checkKernel(info Info, k *shaders.Kernel, spec []uint32) error {
	limits := info.Limits
	if most := min(int(limits.MaxStorageBuffers), vk.MaxBindings); len(k.Bindings) > most {
		return fmt.Errorf("%d bindings, %s allows %d", len(k.Bindings), info.Name, most)
	}
	if k.Push < 0 || k.Push%4 != 0 || k.Push > int(limits.MaxPushConstants) {
		return fmt.Errorf("%d bytes of push constants, %s allows multiples of 4 up to %d", k.Push, info.Name, limits.MaxPushConstants)
	}
	if len(spec) > vk.MaxSpec {
		return fmt.Errorf("%d specialization constants, at most %d are supported", len(spec), vk.MaxSpec)
	}
	if k.Int64 && !info.Int64 {
		return fmt.Errorf("needs 64-bit integers, which %s does not have", info.Name)
	}
	if k.Addresses() > 0 && !info.BufferAddress {
		return fmt.Errorf("needs addresses of buffers, which %s does not have", info.Name)
	}
	if k.Ballot && !info.SubgroupBallot {
		return fmt.Errorf("needs subgroup ballot operations, which %s does not have", info.Name)
	}
	if k.Matrix && len(info.Matrices) == 0 {
		return fmt.Errorf("needs cooperative matrices, which %s does not have", info.Name)
	}
	if k.Flexible && len(info.FlexibleMatrices) == 0 {
		return fmt.Errorf("needs cooperative matrices of any size, which %s does not have", info.Name)
	}
	if k.Subgroups >= len(spec) && k.Subgroups > 0 {
		return errors.New("the constant for the size of subgroups is missing")
	}
	if len(spec) == 0 {
		if k.OneSubgroup {
			return errors.New("a kernel of one subgroup must have local_size_x as specialization constant 0")
		}
		return nil
	}
	size := spec[0]
	if most := min(limits.MaxWorkGroupSize[0], limits.MaxWorkGroupInvocations); size == 0 || size > most {
		return fmt.Errorf("workgroups of %d invocations, %s allows 1 to %d", size, info.Name, most)
	}
	if !k.OneSubgroup && k.Subgroups == 0 {
		return nil
	}
	subgroup := subgroupSize(k, spec)
	if err := checkSubgroup(info, subgroup); err != nil {
		return err
	}
	if size%subgroup != 0 {
		return fmt.Errorf("workgroups of %d invocations, not a multiple of the subgroup's %d", size, subgroup)
	}
	return nil
}

// subgroupSize is the size that a kernel's subgroups must have; 0 if it takes any.
func subgroupSize(k *shaders.Kernel, spec []uint32) uint32 {
	switch {
	case k.OneSubgroup:
		return spec[0]
	case k.Subgroups > 0:
		return spec[k.Subgroups]
	}
	return 0
}

// checkSubgroup says whether the device can run workgroups of full subgroups of the given size.
func checkSubgroup(info Info, size uint32) error {
	switch {
	case info.SubgroupControl:
		if size&(size-1) != 0 || size < info.MinSubgroupSize || size > info.MaxSubgroupSize {
			return fmt.Errorf("subgroups of %d invocations, %s has powers of 2 from %d to %d", size, info.Name,
				info.MinSubgroupSize, info.MaxSubgroupSize)
		}
	case info.MinSubgroupSize != info.MaxSubgroupSize:
		return fmt.Errorf("subgroups of %d invocations, %s chooses from %d to %d by itself", size, info.Name,
			info.MinSubgroupSize, info.MaxSubgroupSize)
	case size != info.SubgroupSize:
		return fmt.Errorf("subgroups of %d invocations, %s has %d", size, info.Name, info.SubgroupSize)
	}
	return nil
}

// open makes the pipeline cache, from the file of an earlier run if there is one.
func (s *pipelines) open(d *Device) error {
	s.layouts = map[layoutKey]*layout{}
	s.slots = map[pipelineKey]*slot{}
	s.stored = loadCache(d.cacheFile(), d.physical)
	var err error
	if s.cache, err = d.vk.NewPipelineCache(s.stored); err != nil {
		return fmt.Errorf("gpu: pipeline cache: %w", d.noted(err))
	}
	return nil
}

// close writes the cache to its file if there is something new in it, and destroys everything. The error is
// that of writing.
func (s *pipelines) close(d *Device) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache != nil {
		if file := d.cacheFile(); file != "" && len(s.slots) > 0 && !d.lost.Load() {
			if err = s.save(d, file); err != nil {
				err = fmt.Errorf("gpu: pipeline cache: %w", err)
			}
		}
		d.vk.DestroyPipelineCache(s.cache)
	}
	for _, slot := range s.slots {
		if slot.pipeline != nil {
			d.vk.DestroyPipeline(slot.pipeline.handle)
		}
	}
	for _, l := range s.layouts {
		d.vk.DestroyLayout(l.set, l.pipeline)
	}
	return err
}
