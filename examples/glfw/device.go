package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"unsafe"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/go-gl/glfw/v3.3/glfw"
	vk "github.com/vulkan-go/vulkan"
)

// device is the program's own instance and device, with one queue that draws and computes.
type device struct {
	instance vk.Instance
	physical vk.PhysicalDevice
	surface  vk.Surface
	device   vk.Device
	family   uint32
	queue    vk.Queue
	lock     sync.Mutex // of the queue, which bitgpu uses too
	features gpu.HostFeatures
	version  gpu.Version
	commands vk.CommandPool
}

// handle is a Vulkan handle as package gpu takes it.
func handle[T any](h T) uintptr { return *(*uintptr)(unsafe.Pointer(&h)) }

// host is what bitgpu gets.
func (d *device) host() *gpu.Host {
	return &gpu.Host{
		Instance: handle(d.instance), PhysicalDevice: handle(d.physical), Device: handle(d.device),
		Queue: handle(d.queue), QueueFamily: d.family, QueueLock: &d.lock,
		GetInstanceProcAddr: uintptr(glfw.GetVulkanGetInstanceProcAddress()), APIVersion: d.version, Features: d.features,
	}
}

// check turns a result into an error.
func check(call string, r vk.Result) error {
	if r != vk.Success {
		return fmt.Errorf("%s: %w", call, vk.Error(r))
	}
	return nil
}

// settled runs f while no garbage is collected. The binding copies structs for C into memory that finalizers free, and
// these may run before C has read it.
func settled(f func() error) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // one that has begun ends
	return f()
}

func newDevice(window *glfw.Window) (*device, error) {
	d := &device{}
	err := settled(func() error { return d.open(window) })
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *device) open(window *glfw.Window) error {
	get := glfw.GetVulkanGetInstanceProcAddress()
	if !glfw.VulkanSupported() || get == nil {
		return errors.New("GLFW finds no Vulkan that shows windows")
	}
	vk.SetGetInstanceProcAddr(get)
	if err := vk.Init(); err != nil {
		return err
	}

	// The instance: what bitgpu would like, beside what the window needs.
	wanted, err := gpu.NeedsOfInstance(uintptr(get))
	if err != nil {
		return err
	}
	d.version = wanted.APIVersion
	extensions := slices.Concat(window.GetRequiredInstanceExtensions(), wanted.Extensions)
	info := vk.InstanceCreateInfo{
		SType:                   vk.StructureTypeInstanceCreateInfo,
		PApplicationInfo:        &vk.ApplicationInfo{SType: vk.StructureTypeApplicationInfo, ApiVersion: uint32(wanted.APIVersion)},
		EnabledExtensionCount:   uint32(len(extensions)),
		PpEnabledExtensionNames: terminated(extensions),
	}
	if slices.Contains(wanted.Extensions, "VK_KHR_portability_enumeration") {
		info.Flags = 1 // VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR: MoltenVK
	}
	if err := check("vkCreateInstance", vk.CreateInstance(&info, nil, &d.instance)); err != nil {
		return err
	}
	if err := vk.InitInstance(d.instance); err != nil {
		return err
	}
	address, err := window.CreateWindowSurface(d.instance, nil)
	if err != nil {
		return err
	}
	d.surface = vk.SurfaceFromPointer(address)

	// The device: the first one that bitgpu can use and that shows the window.
	var n uint32
	vk.EnumeratePhysicalDevices(d.instance, &n, nil)
	all := make([]vk.PhysicalDevice, n)
	vk.EnumeratePhysicalDevices(d.instance, &n, all)
	reason := errors.New("there is no Vulkan device")
	for _, d.physical = range all {
		var needs gpu.HostDevice
		if needs, reason = d.host().NeedsOfDevice(); reason != nil {
			continue
		}
		var shows vk.Bool32
		vk.GetPhysicalDeviceSurfaceSupport(d.physical, needs.QueueFamily, d.surface, &shows)
		if !shows.B() {
			reason = errors.New("the device cannot show the window")
			continue
		}
		return d.make(needs)
	}
	return reason
}

// make makes the logical device as bitgpu would like it. Of the features only that is switched on which is in Vulkan 1.0:
// this binding ends with 1.1. What stays off is not used.
func (d *device) make(needs gpu.HostDevice) error {
	d.family = needs.QueueFamily
	d.features = gpu.HostFeatures{Int64: needs.Features.Int64}
	extensions := append(needs.Extensions, "VK_KHR_swapchain")
	features := vk.PhysicalDeviceFeatures{}
	if d.features.Int64 {
		features.ShaderInt64 = vk.True
	}
	err := check("vkCreateDevice", vk.CreateDevice(d.physical, &vk.DeviceCreateInfo{
		SType:                vk.StructureTypeDeviceCreateInfo,
		QueueCreateInfoCount: 1,
		PQueueCreateInfos: []vk.DeviceQueueCreateInfo{{
			SType: vk.StructureTypeDeviceQueueCreateInfo, QueueFamilyIndex: d.family, QueueCount: 1, PQueuePriorities: []float32{1},
		}},
		EnabledExtensionCount:   uint32(len(extensions)),
		PpEnabledExtensionNames: terminated(extensions),
		PEnabledFeatures:        []vk.PhysicalDeviceFeatures{features},
	}, nil, &d.device))
	if err != nil {
		return err
	}
	vk.GetDeviceQueue(d.device, d.family, 0, &d.queue)
	return check("vkCreateCommandPool", vk.CreateCommandPool(d.device, &vk.CommandPoolCreateInfo{
		SType: vk.StructureTypeCommandPoolCreateInfo, QueueFamilyIndex: d.family,
	}, nil, &d.commands))
}

// terminated ends strings as C wants them.
func terminated(names []string) (all []string) {
	for _, n := range names {
		all = append(all, n+"\x00")
	}
	return all
}

// submit records commands, has the queue do them and waits until they are done.
func (d *device) submit(record func(vk.CommandBuffer)) error {
	buffers := make([]vk.CommandBuffer, 1)
	err := check("vkAllocateCommandBuffers", vk.AllocateCommandBuffers(d.device, &vk.CommandBufferAllocateInfo{
		SType: vk.StructureTypeCommandBufferAllocateInfo, CommandPool: d.commands, CommandBufferCount: 1,
	}, buffers))
	if err != nil {
		return err
	}
	defer vk.FreeCommandBuffers(d.device, d.commands, 1, buffers)
	begin := vk.CommandBufferBeginInfo{
		SType: vk.StructureTypeCommandBufferBeginInfo, Flags: vk.CommandBufferUsageFlags(vk.CommandBufferUsageOneTimeSubmitBit),
	}
	if err := check("vkBeginCommandBuffer", vk.BeginCommandBuffer(buffers[0], &begin)); err != nil {
		return err
	}
	record(buffers[0])
	if err := check("vkEndCommandBuffer", vk.EndCommandBuffer(buffers[0])); err != nil {
		return err
	}
	return d.fenced(func(fence vk.Fence) vk.Result {
		d.lock.Lock()
		defer d.lock.Unlock()
		return vk.QueueSubmit(d.queue, 1, []vk.SubmitInfo{{
			SType: vk.StructureTypeSubmitInfo, CommandBufferCount: 1, PCommandBuffers: buffers,
		}}, fence)
	})
}

// fenced waits for the fence that f has signalled. f may also succeed with vk.Suboptimal.
func (d *device) fenced(f func(vk.Fence) vk.Result) error {
	var fence vk.Fence
	if err := check("vkCreateFence", vk.CreateFence(d.device, &vk.FenceCreateInfo{SType: vk.StructureTypeFenceCreateInfo}, nil, &fence)); err != nil {
		return err
	}
	defer vk.DestroyFence(d.device, fence, nil)
	if r := f(fence); r != vk.Suboptimal {
		if err := check("a submission", r); err != nil {
			return err
		}
	}
	return check("vkWaitForFences", vk.WaitForFences(d.device, 1, []vk.Fence{fence}, vk.True, vk.MaxUint64))
}

// close destroys what there is.
func (d *device) close() {
	if d.device != nil {
		vk.DestroyCommandPool(d.device, d.commands, nil)
		vk.DestroyDevice(d.device, nil)
	}
	if d.instance != nil {
		vk.DestroySurface(d.instance, d.surface, nil)
		vk.DestroyInstance(d.instance, nil)
	}
}
