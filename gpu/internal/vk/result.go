package vk

import (
	"fmt"

	"github.com/vulkan-go/vulkan"
)

// Result is a Vulkan result code. As an error it says its name in the specification.
type Result int32

const (
	Success              = Result(vulkan.Success)
	NotReady             = Result(vulkan.NotReady)
	Timeout              = Result(vulkan.Timeout)
	OutOfHostMemory      = Result(vulkan.ErrorOutOfHostMemory)
	OutOfDeviceMemory    = Result(vulkan.ErrorOutOfDeviceMemory)
	InitializationFailed = Result(vulkan.ErrorInitializationFailed)
	DeviceLost           = Result(vulkan.ErrorDeviceLost)
	MemoryMapFailed      = Result(vulkan.ErrorMemoryMapFailed)
	LayerNotPresent      = Result(vulkan.ErrorLayerNotPresent)
	ExtensionNotPresent  = Result(vulkan.ErrorExtensionNotPresent)
	FeatureNotPresent    = Result(vulkan.ErrorFeatureNotPresent)
	IncompatibleDriver   = Result(vulkan.ErrorIncompatibleDriver)
	TooManyObjects       = Result(vulkan.ErrorTooManyObjects)
	OutOfPoolMemory      = Result(vulkan.ErrorOutOfPoolMemory)
	FragmentedPool       = Result(vulkan.ErrorFragmentedPool)
	InvalidShader        = Result(vulkan.ErrorInvalidShaderNv)
	Suboptimal           = Result(vulkan.Suboptimal) // of swapchains, as are the next two
	OutOfDate            = Result(vulkan.ErrorOutOfDate)
	SurfaceLost          = Result(vulkan.ErrorSurfaceLost)
	Unknown              = Result(-13) // VK_ERROR_UNKNOWN, newer than the binding
)

// Error returns the code's name in the Vulkan specification.
func (r Result) Error() string {
	switch r {
	case Success:
		return "VK_SUCCESS"
	case NotReady:
		return "VK_NOT_READY"
	case Timeout:
		return "VK_TIMEOUT"
	case OutOfHostMemory:
		return "VK_ERROR_OUT_OF_HOST_MEMORY"
	case OutOfDeviceMemory:
		return "VK_ERROR_OUT_OF_DEVICE_MEMORY"
	case InitializationFailed:
		return "VK_ERROR_INITIALIZATION_FAILED"
	case DeviceLost:
		return "VK_ERROR_DEVICE_LOST"
	case MemoryMapFailed:
		return "VK_ERROR_MEMORY_MAP_FAILED"
	case LayerNotPresent:
		return "VK_ERROR_LAYER_NOT_PRESENT"
	case ExtensionNotPresent:
		return "VK_ERROR_EXTENSION_NOT_PRESENT"
	case FeatureNotPresent:
		return "VK_ERROR_FEATURE_NOT_PRESENT"
	case IncompatibleDriver:
		return "VK_ERROR_INCOMPATIBLE_DRIVER"
	case TooManyObjects:
		return "VK_ERROR_TOO_MANY_OBJECTS"
	case OutOfPoolMemory:
		return "VK_ERROR_OUT_OF_POOL_MEMORY"
	case FragmentedPool:
		return "VK_ERROR_FRAGMENTED_POOL"
	case InvalidShader:
		return "VK_ERROR_INVALID_SHADER_NV"
	case Suboptimal:
		return "VK_SUBOPTIMAL_KHR"
	case OutOfDate:
		return "VK_ERROR_OUT_OF_DATE_KHR"
	case SurfaceLost:
		return "VK_ERROR_SURFACE_LOST_KHR"
	case Unknown:
		return "VK_ERROR_UNKNOWN"
	}
	return fmt.Sprintf("VkResult %d", int32(r))
}

// callError says which call returned which result. It unwraps to the Result.
type callError struct {
	call   string
	result Result
}

func (e *callError) Error() string { return e.call + ": " + e.result.Error() }
func (e *callError) Unwrap() error { return e.result }

// check returns nil for success and an error that names the call otherwise.
func check(call string, r Result) error {
	if r == Success {
		return nil
	}
	return &callError{call, r}
}
