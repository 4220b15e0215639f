//go:build unix && !darwin

package vk

import "testing"

// otherLibrary is one without Vulkan's entry point.
const otherLibrary = "libc.so.6"

func TestLoaderOfDistribution(t *testing.T) {
	if loaderNames()[0] != "libvulkan.so.1" {
		t.Error("libvulkan.so comes with -dev packages only; libvulkan.so.1 must be tried first")
	}
}
