package vk

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// MoltenVK is listed only to instances that ask for it: here a driver of this system says the same of itself.
func TestPortabilityEnumeration(t *testing.T) {
	manifests, err := filepath.Glob("/usr/share/vulkan/icd.d/lvp_icd*.json")
	if err != nil || len(manifests) == 0 {
		t.Skip("no manifest of lavapipe to copy")
	}
	text, err := os.ReadFile(manifests[0])
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	manifest["ICD"].(map[string]any)["is_portability_driver"] = true
	if text, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "portable.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VK_DRIVER_FILES", path)
	t.Setenv("VK_ICD_FILENAMES", path)

	l, err := OpenLoader()
	if err != nil {
		t.Fatal(err)
	}
	if !l.HasPortability() {
		t.Skip("the loader is too old for " + Portability)
	}
	if devices := devicesOf(t, l); len(devices) != 1 {
		t.Errorf("%d devices, want the driver's one", len(devices))
	}
}

// A device that has VK_KHR_portability_subset, as MoltenVK's have, is made with it.
func TestPortabilitySubset(t *testing.T) {
	library := filepath.Join(t.TempDir(), "portability.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", library, "testdata/portability.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv(LoaderVariable, library)
	l, err := OpenLoader()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range devicesOf(t, l) {
		if extensions := p.Extensions(); !slices.Contains(extensions, "VK_KHR_portability_subset") {
			t.Errorf("%s: %v", p.Name, extensions)
		}
		d, err := p.NewDevice([]uint32{0}, []uint32{1}, p.Features)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		d.Destroy()
	}
}

// devicesOf lists the devices of a loader. They are there until the test ends.
func devicesOf(t *testing.T, l *Loader) (all []*Physical) {
	t.Helper()
	in, err := NewInstance(l, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Destroy() })
	handles, err := in.PhysicalDevices()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range handles {
		p, err := in.Describe(h, 1<<22|3<<12)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
