package vk

const installLoader = "Install Vulkan for macOS: `brew install vulkan-loader molten-vk`, or the Vulkan SDK of LunarG."

// loaderNames lists the loader and MoltenVK, which can stand in for it, by the dynamic linker's own search and
// in the folders of Homebrew and the SDK, which that search leaves out.
func loaderNames() []string {
	return []string{
		"libvulkan.1.dylib",
		"libvulkan.dylib",
		"/opt/homebrew/lib/libvulkan.1.dylib",
		"/usr/local/lib/libvulkan.1.dylib",
		"libMoltenVK.dylib",
		"/opt/homebrew/lib/libMoltenVK.dylib",
		"/usr/local/lib/libMoltenVK.dylib",
	}
}
