//go:build unix && !darwin

package vk

const installLoader = "Install the Vulkan loader: on Debian and Ubuntu `apt-get install libvulkan1`, on Fedora " +
	"`dnf install vulkan-loader`, on Arch `pacman -S vulkan-icd-loader`."

func loaderNames() []string { return []string{"libvulkan.so.1", "libvulkan.so"} }
