//go:build !darwin && !windows

package gpu

const installDriver = "Install a Vulkan driver: on Debian and Ubuntu `apt-get install mesa-vulkan-drivers` (AMD, Intel, and " +
	"llvmpipe, which needs no GPU); for NVIDIA its own driver."
