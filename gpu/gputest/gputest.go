// Package gputest gives tests their Vulkan device, under the validation layer.
package gputest

import (
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
)

// Open opens the device that "auto" picks, under the validation layer. It is closed when the test ends, which
// fails then if the layer had anything to say. Without a device or the layer the test fails at once: it says what
// to install.
func Open(t testing.TB) *gpu.Device {
	t.Helper()
	return OpenOptions(t, gpu.Options{})
}

// OpenOptions is Open with options; validation is switched on, unless the device is a host's.
func OpenOptions(t testing.TB, o gpu.Options) *gpu.Device {
	t.Helper()
	o.Validation = o.Host == nil
	d, err := gpu.Open(o)
	if err != nil {
		t.Fatalf("%v\nThe tests need a Vulkan driver and the validation layer; on Debian and Ubuntu:\n"+
			"apt-get install mesa-vulkan-drivers vulkan-validationlayers", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing the device: %v", err)
		}
	})
	return d
}
