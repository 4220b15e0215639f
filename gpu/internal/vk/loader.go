package vk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// Loader is a Vulkan loader (or a driver that can be used as one): the entry point vkGetInstanceProcAddr.
// Its library stays loaded for the life of the process, because drivers do not survive being unloaded.
type Loader struct {
	Name string // what was opened, "" for an entry point that the caller brought
	get  C.PFN_vkGetInstanceProcAddr
}

// LoaderVariable is the environment variable that names the loader to use in place of the system's.
const LoaderVariable = "BITGPU_VULKAN"

// OpenLoader opens the library that $BITGPU_VULKAN names or, where it is not set, the first of this
// operating system's usual names that opens. The error joins all the failures and says what to install.
func OpenLoader() (*Loader, error) {
	if name := os.Getenv(LoaderVariable); name != "" {
		l, err := openFirst([]string{name})
		if err != nil {
			return nil, fmt.Errorf("$%s: %w\nUnset it to use the system's own loader. %s", LoaderVariable, err, installLoader)
		}
		return l, nil
	}
	l, err := openFirst(loaderNames())
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, installLoader)
	}
	return l, nil
}

// openFirst opens the first of the libraries that has Vulkan's entry point.
func openFirst(names []string) (*Loader, error) {
	var tried []error
	for _, name := range names {
		get, err := openLibrary(name)
		if err == nil {
			return &Loader{Name: name, get: to[C.PFN_vkGetInstanceProcAddr](get)}, nil
		}
		if text := err.Error(); !strings.Contains(text, name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		tried = append(tried, err)
	}
	return nil, fmt.Errorf("no Vulkan loader could be opened:\n%w", errors.Join(tried...))
}

// LoaderFrom uses an entry point that the caller has, the address of a vkGetInstanceProcAddr.
func LoaderFrom(getInstanceProcAddr uintptr) *Loader {
	return &Loader{get: to[C.PFN_vkGetInstanceProcAddr](getInstanceProcAddr)}
}

// GetInstanceProcAddr returns the address of the entry point.
func (l *Loader) GetInstanceProcAddr() uintptr { return to[uintptr](l.get) }

// Version returns the highest Vulkan version that instances of this loader can have.
func (l *Loader) Version() uint32 { return uint32(C.bgInstanceVersion(l.get)) }

// HasLayer says whether the loader can find a layer.
func (l *Loader) HasLayer(name string) bool {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.bgHasLayer(l.get, c) != 0
}

// hasExtension says whether instances can have an extension; layer is "" or the layer that brings it.
func (l *Loader) hasExtension(layer, name string) bool {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var from *C.char
	if layer != "" {
		from = C.CString(layer)
		defer C.free(unsafe.Pointer(from))
	}
	return C.bgHasInstanceExtension(l.get, from, c) != 0
}

// Portability is the instance extension with which devices that are not fully conformant are listed.
const Portability = "VK_KHR_portability_enumeration"

// HasPortability says whether the loader knows that extension.
func (l *Loader) HasPortability() bool { return l.hasExtension("", Portability) }
