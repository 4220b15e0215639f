package gpu

import (
	"errors"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// This file owns what a host should switch on when it makes the objects that it hands over.

// HostInstance is what an instance should be made with. All of it may be left out, but for the version 1.1.
type HostInstance struct {
	APIVersion Version // VkApplicationInfo.apiVersion; Host.APIVersion
	// Extensions of the instance. With VK_KHR_portability_enumeration the instance's flags must have
	// VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR: else devices such as MoltenVK's are not listed.
	Extensions []string
}

// NeedsOfInstance tells a host what to make its instance with. getInstanceProcAddr is that of Host, 0 for
// the loader that Open finds. The error wraps ErrNoVulkan if there is no loader.
func NeedsOfInstance(getInstanceProcAddr uintptr) (HostInstance, error) {
	loader, err := (&Host{GetInstanceProcAddr: getInstanceProcAddr}).loader()
	if err != nil {
		return HostInstance{}, err
	}
	n := HostInstance{APIVersion: instanceVersion}
	if loader.HasPortability() {
		n.Extensions = append(n.Extensions, vk.Portability)
	}
	return n, nil
}

// HostDevice is what a device should be made with. All of it may be left out: the same results come slower, and
// cooperative matrices, for one, are not used.
type HostDevice struct {
	Extensions  []string     // all of which the device has; those in its version's core do no harm
	Features    HostFeatures // to be switched on; they are what Host.Features then says
	Timelines   bool         // timeline semaphores can be had: VkPhysicalDeviceTimelineSemaphoreFeatures.timelineSemaphore
	QueueFamily uint32       // of a queue to hand over: it computes, and draws if that can be had
}

// NeedsOfDevice tells a host what to make a device with; of h it takes Instance, PhysicalDevice, APIVersion and
// GetInstanceProcAddr. The error wraps ErrNoDevice if bitgpu cannot run on it.
func (h *Host) NeedsOfDevice() (HostDevice, error) {
	if h.Instance == 0 || h.PhysicalDevice == 0 {
		return HostDevice{}, errors.New("gpu: a host must give its instance and physical device")
	}
	in, err := h.instance()
	if err != nil {
		return HostDevice{}, err
	}
	defer in.Destroy()
	p, err := h.describe(in)
	if err != nil {
		return HostDevice{}, err
	}
	n := HostDevice{Extensions: p.Extensions(), Features: HostFeatures{
		Storage16: p.Features.Storage16, Float16: p.Features.Float16, SubgroupSizeControl: p.Features.SubgroupSizeControl,
		Int64: p.Features.Int64, CooperativeMatrix: p.Features.CooperativeMatrix, CooperativeMatrix2: p.Features.CooperativeMatrix2,
		BufferAddress: p.Features.BufferAddress,
	}, Timelines: p.Features.TimelineSemaphore}
	found := false
	for _, wanted := range []uint32{vk.QueueCompute | vk.QueueGraphics, vk.QueueCompute} {
		for i, f := range p.Families {
			if !found && f.Flags&wanted == wanted {
				n.QueueFamily, found = uint32(i), true
			}
		}
	}
	if !found {
		return n, errors.Join(ErrNoDevice, errors.New("gpu: the host's "+p.Name+" cannot compute"))
	}
	return n, nil
}
