package vk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"slices"
	"unsafe"
)

// ValidationLayer is the name of the Khronos validation layer.
const ValidationLayer = "VK_LAYER_KHRONOS_validation"

// Instance is a Vulkan instance with its function pointers. Methods may be called from any goroutine; none
// may run at the same time as Destroy, but for TakeMessages.
type Instance struct {
	c      *C.bgInstance
	owned  bool
	checks bool
}

// NewInstance makes an instance of version 1.3 (of which every loader since 1.1 accepts the request), with
// the validation layer if asked for: its warnings and errors are collected for TakeMessages. Devices that
// are not fully conformant are listed too where the loader can. extensions are further ones, at most 16.
func NewInstance(l *Loader, validation bool, extensions ...string) (*Instance, error) {
	var options C.uint32_t
	if validation {
		options |= C.BG_INSTANCE_VALIDATION
		if l.hasExtension(ValidationLayer, "VK_EXT_validation_features") {
			options |= C.BG_INSTANCE_SYNC_VALIDATION
		}
	}
	if l.HasPortability() {
		options |= C.BG_INSTANCE_PORTABILITY
	}
	in := &Instance{owned: true, checks: validation}
	names, free, err := cStrings("vkCreateInstance", extensions)
	if err != nil {
		return nil, err
	}
	defer free()
	r := Result(C.bgCreateInstance(l.get, options, C.uint32_t(len(extensions)), names, &in.c))
	if err := check("vkCreateInstance", r); err != nil {
		return nil, err
	}
	return in, nil
}

// cStrings copies names of extensions into an array in C memory, which free frees.
func cStrings(call string, names []string) (array **C.char, free func(), err error) {
	if len(names) > C.BG_MAX_EXTENSIONS {
		return nil, nil, check(call, TooManyObjects)
	}
	if len(names) == 0 {
		return nil, func() {}, nil
	}
	array = (**C.char)(C.calloc(C.size_t(len(names)), C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	all := unsafe.Slice(array, len(names))
	for i, n := range names {
		all[i] = C.CString(n)
	}
	return array, func() {
		for _, s := range all {
			C.free(unsafe.Pointer(s))
		}
		C.free(unsafe.Pointer(array))
	}, nil
}

// AdoptInstance uses an instance that somebody else made and will destroy. It must be of version 1.1 or newer.
func AdoptInstance(l *Loader, handle InstanceHandle) (*Instance, error) {
	in := &Instance{}
	r := Result(C.bgAdoptInstance(l.get, to[C.VkInstance](handle), &in.c))
	if err := check("vkGetInstanceProcAddr", r); err != nil {
		return nil, err
	}
	return in, nil
}

// Handle returns the instance's Vulkan handle.
func (in *Instance) Handle() InstanceHandle { return to[InstanceHandle](in.c.handle) }

// Destroy destroys the instance, unless it is adopted, and returns the messages that are still there.
// Everything made from it must be gone.
func (in *Instance) Destroy() []string {
	C.bgDestroyInstance(in.c, C.VkBool32(btoi(in.owned)))
	messages := in.TakeMessages()
	C.bgFreeInstance(in.c)
	in.c = nil
	return messages
}

// TakeMessages returns what the validation layer has said since the last call, oldest first.
func (in *Instance) TakeMessages() []string {
	if !in.checks {
		return nil
	}
	var texts []string
	for m := C.bgTakeMessages(in.c); m != nil; {
		next := m.next
		texts = append(texts, C.GoString((*C.char)(unsafe.Add(unsafe.Pointer(m), C.sizeof_bgMessage))))
		C.free(unsafe.Pointer(m))
		m = next
	}
	slices.Reverse(texts)
	return texts
}

// PhysicalDevices lists the devices, in the loader's order. No driver at all is an empty list.
func (in *Instance) PhysicalDevices() ([]PhysicalDevice, error) {
	for {
		var n C.uint32_t
		err := check("vkEnumeratePhysicalDevices", Result(C.bgPhysicalDevices(in.c, &n, nil)))
		if errors.Is(err, InitializationFailed) || err == nil && n == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		devices := make([]PhysicalDevice, n)
		r := C.bgPhysicalDevices(in.c, &n, (*C.VkPhysicalDevice)(unsafe.Pointer(&devices[0])))
		if r == C.VK_INCOMPLETE {
			continue
		}
		return devices[:n], check("vkEnumeratePhysicalDevices", Result(r))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
