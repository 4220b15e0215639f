//go:build unix

package vk

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"unsafe"
)

// openLibrary loads a library and returns the address of its vkGetInstanceProcAddr.
func openLibrary(name string) (uintptr, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	library := C.dlopen(c, C.RTLD_NOW|C.RTLD_LOCAL)
	if library == nil {
		return 0, dlError()
	}
	symbol := C.CString("vkGetInstanceProcAddr")
	defer C.free(unsafe.Pointer(symbol))
	address := C.dlsym(library, symbol)
	if address == nil {
		err := dlError()
		C.dlclose(library)
		return 0, err
	}
	return uintptr(address), nil
}

// dlError returns the text of the last failure. It is kept per thread, and a goroutine may move to another
// thread between two calls; then the text is a general one.
func dlError() error {
	if text := C.dlerror(); text != nil {
		return errors.New(C.GoString(text))
	}
	return errors.New("cannot be loaded")
}
