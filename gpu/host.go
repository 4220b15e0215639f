package gpu

import (
	"errors"
	"fmt"
	"sync"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Host is a Vulkan device that the program already has, for Open to use beside it. All of it stays the
// program's: it outlives the Device, and Close leaves it as it was. Handles are given as their bits.
type Host struct {
	Instance       uintptr // VkInstance, made for Vulkan 1.1 or newer
	PhysicalDevice uintptr // VkPhysicalDevice
	Device         uintptr // VkDevice
	Queue          uintptr // VkQueue that can compute
	QueueFamily    uint32  // the family it is of

	// QueueLock is held whenever the queue is used, and the program holds it for its own uses. It must not be
	// held when methods of the Device are called. nil if the program leaves the queue alone until Close.
	QueueLock sync.Locker
	// GetInstanceProcAddr is the program's vkGetInstanceProcAddr; 0 for that of the loader that Open finds.
	GetInstanceProcAddr uintptr
	// APIVersion is what the instance was made for (VkApplicationInfo); 0 for 1.1.
	APIVersion Version
	// Features says what the device was made with. What is false is not used.
	Features HostFeatures
}

// HostFeatures are the features of a host's VkDevice that are used where they are on.
type HostFeatures struct {
	Storage16           bool // VkPhysicalDevice16BitStorageFeatures.storageBuffer16BitAccess
	Float16             bool // VkPhysicalDeviceShaderFloat16Int8Features.shaderFloat16
	SubgroupSizeControl bool // subgroupSizeControl and computeFullSubgroups
	Int64               bool // VkPhysicalDeviceFeatures.shaderInt64
	CooperativeMatrix   bool // VkPhysicalDeviceCooperativeMatrixFeaturesKHR.cooperativeMatrix and vulkanMemoryModel; used only with Float16
	CooperativeMatrix2  bool // cooperativeMatrixFlexibleDimensions, PerElementOperations and Reductions of VK_NV_cooperative_matrix2, and maintenance4; used only with CooperativeMatrix
	BufferAddress       bool // VkPhysicalDeviceBufferDeviceAddressFeatures.bufferDeviceAddress
}

// Devices lists the devices of the host's instance that Open can use, as Enumerate does with an instance of its own; it
// needs no more of the host than the instance. The host finds its VkPhysicalDevice by Info.UUID.
func (h *Host) Devices() ([]Info, error) {
	if h.Instance == 0 {
		return nil, errors.New("gpu: a host must give its instance")
	}
	in, err := h.instance()
	if err != nil {
		return nil, err
	}
	defer in.Destroy()
	return listInfos(in)
}

// loader is the host's, or else our own.
func (h *Host) loader() (*vk.Loader, error) {
	if h.GetInstanceProcAddr != 0 {
		return vk.LoaderFrom(h.GetInstanceProcAddr), nil
	}
	loader, err := vk.OpenLoader()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoVulkan, err)
	}
	return loader, nil
}

// describe asks the host's physical device for what it can do.
func (h *Host) describe(in *vk.Instance) (*vk.Physical, error) {
	version := uint32(h.APIVersion)
	if version == 0 {
		version = oldestVersion
	}
	p, err := in.Describe(vk.FromAddress[vk.PhysicalDevice](h.PhysicalDevice), version)
	if err != nil {
		return nil, fmt.Errorf("gpu: the host's physical device: %w", classify(err))
	}
	if p.APIVersion < oldestVersion {
		return nil, fmt.Errorf("%w: the host's %s has Vulkan %v, 1.1 is needed", ErrNoDevice, p.Name, Version(p.APIVersion))
	}
	return p, nil
}

// instance adopts the host's.
func (h *Host) instance() (*vk.Instance, error) {
	loader, err := h.loader()
	if err != nil {
		return nil, err
	}
	in, err := vk.AdoptInstance(loader, vk.FromAddress[vk.InstanceHandle](h.Instance))
	if err != nil {
		return nil, fmt.Errorf("gpu: the host's instance: %w", classify(err))
	}
	return in, nil
}

// adopt uses the host's objects.
func (d *Device) adopt(o Options) error {
	h := o.Host
	if o.Validation || o.Device != "" {
		return errors.New("gpu: Options.Validation and Options.Device cannot be had with a host's device")
	}
	if h.Instance == 0 || h.PhysicalDevice == 0 || h.Device == 0 || h.Queue == 0 {
		return errors.New("gpu: a host must give its instance, physical device, device and queue")
	}
	in, err := h.instance()
	if err != nil {
		return err
	}
	d.instance = in
	p, err := h.describe(in)
	if err != nil {
		return err
	}
	if int(h.QueueFamily) >= len(p.Families) || p.Families[h.QueueFamily].Flags&vk.QueueCompute == 0 {
		return fmt.Errorf("gpu: the host's queue family %d of %s cannot compute", h.QueueFamily, p.Name)
	}
	d.physical = p
	d.features = vk.Features{
		Storage16:           h.Features.Storage16 && p.Features.Storage16,
		Float16:             h.Features.Float16 && p.Features.Float16,
		SubgroupSizeControl: h.Features.SubgroupSizeControl && p.Features.SubgroupSizeControl,
		Int64:               h.Features.Int64 && p.Features.Int64,
		CooperativeMatrix:   h.Features.CooperativeMatrix && p.Features.CooperativeMatrix,
		CooperativeMatrix2:  h.Features.CooperativeMatrix2 && p.Features.CooperativeMatrix2,
		BufferAddress:       h.Features.BufferAddress && p.Features.BufferAddress,
	}
	d.info = describe(p, families{int(h.QueueFamily), -1}, d.features)
	if d.vk, err = in.AdoptDevice(vk.FromAddress[vk.DeviceHandle](h.Device)); err != nil {
		return fmt.Errorf("gpu: the host's device: %w", classify(err))
	}
	lock := h.QueueLock
	if lock == nil {
		lock = new(sync.Mutex)
	}
	d.lanes[computeLane] = lane{used: true, family: h.QueueFamily, queue: vk.FromAddress[vk.Queue](h.Queue), lock: lock}
	return nil
}

// AdoptBuffer makes a Buffer of a host's VkBuffer, given as its bits, so that what is in it already need not
// be copied. The VkBuffer must have memory, have been made with the usage flags for what is done with it (storage buffer to
// bind it, transfer source or destination to copy), outlive the Buffer, and not be in use by the host's own work meanwhile.
// Release leaves it as it is.
func (d *Device) AdoptBuffer(handle uintptr, size int64) (*Buffer, error) {
	if handle == 0 || size <= 0 {
		return nil, fmt.Errorf("gpu: a host's buffer %#x of %d bytes", handle, size)
	}
	if err := d.use(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	b := &Buffer{dev: d, size: size, usage: DeviceLocal, handle: vk.FromAddress[vk.Buffer](handle), adopted: true}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buffers[b] = struct{}{}
	return b, nil
}
