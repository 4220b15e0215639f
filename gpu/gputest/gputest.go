// Package gputest gives tests their Vulkan device, under the validation layer.
package gputest

import (
	"os"
	"slices"
	"strings"
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

// RequireVariable is the environment variable with the kernels that must run, by their names without the storage type,
// between commas.
const RequireVariable = "BITGPU_REQUIRE"

// Lacks ends a test of a kernel that the device cannot run: it is skipped, or fails if the kernel is required.
func Lacks(t testing.TB, d *gpu.Device, kernel string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(RequireVariable), ","), kernel) {
		t.Fatalf("%s cannot run %s, which $%s asks for", d.Info().Name, kernel, RequireVariable)
	}
	t.Skipf("%s cannot run %s", d.Info().Name, kernel)
}
