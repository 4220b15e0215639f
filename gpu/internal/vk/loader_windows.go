package vk

import "syscall"

const installLoader = "Vulkan is part of the graphics driver: install the current driver of the GPU's vendor " +
	"(AMD, Intel, NVIDIA)."

func loaderNames() []string { return []string{"vulkan-1.dll"} }

// openLibrary loads a library and returns the address of its vkGetInstanceProcAddr.
func openLibrary(name string) (uintptr, error) {
	library, err := syscall.LoadLibrary(name)
	if err != nil {
		return 0, err
	}
	address, err := syscall.GetProcAddress(library, "vkGetInstanceProcAddr")
	if err != nil {
		syscall.FreeLibrary(library)
		return 0, err
	}
	return address, nil
}
