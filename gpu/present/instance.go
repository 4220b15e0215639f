//go:build desktop

package present

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Options of NewInstance.
type Options struct {
	// GetInstanceProcAddr is the windowing library's vkGetInstanceProcAddr; 0 for that of the loader that package gpu finds.
	GetInstanceProcAddr uintptr
	Extensions          []string // that the windowing library asks for
	Validation          bool     // run under the Khronos validation layer; its messages come from Close, and from Device.Frame
}

// Instance is a Vulkan instance for a window.
type Instance struct {
	vk     *vk.Instance
	get    uintptr
	mu     sync.Mutex
	closed bool
}

// apiVersion is what instances are made for (vk.NewInstance).
const apiVersion = 1<<22 | 3<<12

// NewInstance makes an instance. gpu.ErrNoVulkan without a loader.
func NewInstance(o Options) (*Instance, error) {
	var loader *vk.Loader
	if o.GetInstanceProcAddr != 0 {
		loader = vk.LoaderFrom(o.GetInstanceProcAddr)
	} else {
		var err error
		if loader, err = vk.OpenLoader(); err != nil {
			return nil, fmt.Errorf("%w: %w", gpu.ErrNoVulkan, err)
		}
	}
	if o.Validation && !loader.HasLayer(vk.ValidationLayer) {
		return nil, fmt.Errorf("present: the validation layer %s is not installed", vk.ValidationLayer)
	}
	in, err := vk.NewInstance(loader, o.Validation, o.Extensions...)
	switch {
	case errors.Is(err, vk.ExtensionNotPresent):
		return nil, fmt.Errorf("present: no Vulkan driver can show windows (%w): it lacks one of %s", err, strings.Join(o.Extensions, ", "))
	case errors.Is(err, vk.IncompatibleDriver):
		return nil, fmt.Errorf("%w: no Vulkan driver is installed (%w)", gpu.ErrNoDevice, err)
	case err != nil:
		return nil, fmt.Errorf("present: %w", err)
	}
	return &Instance{vk: in, get: loader.GetInstanceProcAddr()}, nil
}

// Handle is the VkInstance, a pointer, as windowing libraries take it.
func (in *Instance) Handle() any { return in.vk.Handle() }

// SurfaceAt returns the bits of the VkSurfaceKHR that is at an address, for windowing libraries that return where it is.
func SurfaceAt(address uintptr) uintptr { return vk.SurfaceAt(address) }

// Devices lists the devices that Open may open, as gpu.Enumerate does.
func (in *Instance) Devices() ([]gpu.Info, error) { return in.host().Devices() }

func (in *Instance) host() *gpu.Host {
	return &gpu.Host{Instance: vk.Address(in.vk.Handle()), GetInstanceProcAddr: in.get, APIVersion: gpu.Version(apiVersion)}
}

// messages returns what the validation layer has said since the last call as a *gpu.ValidationError.
func (in *Instance) messages() error {
	if texts := in.vk.TakeMessages(); len(texts) > 0 {
		return &gpu.ValidationError{Messages: texts}
	}
	return nil
}

// Close destroys the instance. Its devices must be closed. The error is what the validation layer has said.
func (in *Instance) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	if texts := in.vk.Destroy(); len(texts) > 0 {
		return &gpu.ValidationError{Messages: texts}
	}
	return nil
}
