package gpu

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

func TestChooseDevice(t *testing.T) {
	all := []Info{
		{Name: "llvmpipe (LLVM 15)", Type: CPU, UUID: UUID{15: 1}},
		{Name: "Radeon 780M", Type: Integrated, UUID: UUID{15: 2}},
		{Name: "GeForce RTX 4090", Type: Discrete, UUID: UUID{0: 0xab, 15: 3}},
		{Name: "GeForce GTX 1080", Type: Discrete, UUID: UUID{15: 4}},
		{Name: "Virtio Venus", Type: Virtual, UUID: UUID{15: 5}},
	}
	for _, test := range []struct {
		name string
		want int // -1: ErrNoDevice
	}{
		{"", 2}, {"auto", 2}, {"AUTO", 2}, {" auto ", 2},
		{"cpu", 0}, {"0", 0}, {"4", 4},
		{"geforce", 2}, {"1080", 3}, {"radeon", 1}, {"Venus", 4}, {"LLVM", 0},
		{"ab000000-0000-0000-0000-000000000003", 2},
		{"00000000000000000000000000000004", 3},
		{"5", -1}, {"-1", -1}, {"matrox", -1}, {"ab000000-0000-0000-0000-000000000009", -1},
	} {
		got, err := chooseDevice(all, test.name)
		if test.want < 0 {
			if !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "GeForce GTX 1080") {
				t.Errorf("%q: %d, %v; want ErrNoDevice with the list of devices", test.name, got, err)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%q: %d, %v; want %d", test.name, got, err, test.want)
		}
	}
	if _, err := chooseDevice(all[1:], "cpu"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("cpu without one: %v, want ErrNoDevice", err)
	}
}

func TestSelect(t *testing.T) {
	cpu := Info{Name: "llvmpipe (LLVM 15, 256 bits)", Type: CPU, UUID: UUID{15: 1}}
	gpu := Info{Name: "GeForce RTX 4090", Type: Discrete, UUID: UUID{15: 2}}
	other := Info{Name: "Radeon 780M", Type: Integrated}
	numbered := func(all ...Info) []Info {
		for i := range all {
			all[i].Index = i
		}
		return all
	}
	mixed := numbered(cpu, gpu, other, gpu)
	for _, test := range []struct {
		all       []Info
		selection string
		want      []int  // nil: an error
		says      string // in it
	}{
		{mixed, "", []int{1}, ""}, {mixed, "2", []int{2}, ""}, {mixed, "geforce", []int{1}, ""},
		{mixed, "2,1", []int{2, 1}, ""}, {mixed, " cpu , 3", []int{0, 3}, ""}, {mixed, "radeon,auto,0", []int{2, 1, 0}, ""},
		{mixed, "(LLVM 15, 256 bits)", []int{0}, ""},
		{mixed, "all", []int{1, 2}, ""}, {mixed, " all ", []int{1, 2}, ""},
		{numbered(cpu), "all", []int{0}, ""}, {numbered(other, other), "all", []int{0, 1}, ""},
		{mixed, "0,0", nil, `"0,0" names device 0, llvmpipe (LLVM 15, 256 bits), twice`}, {mixed, "auto,geforce", nil, "twice"},
		{mixed, "0,", nil, "missing"}, {mixed, "0,matrox", nil, `"matrox"`}, {mixed, "matrox", nil, `"matrox"`},
		{nil, "all", nil, ErrNoDevice.Error()},
	} {
		got, err := Select(test.all, test.selection)
		if test.want == nil {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q: %v, %v; want an error with %s", test.selection, got, err, test.says)
			}
			continue
		}
		var indices []int
		for _, d := range got {
			indices = append(indices, d.Index)
		}
		if err != nil || !slices.Equal(indices, test.want) {
			t.Errorf("%q: %v, %v; want %v", test.selection, indices, err, test.want)
		}
	}
}

func TestAutoPrefersRealDevices(t *testing.T) {
	for _, test := range []struct {
		types []Type
		want  int
	}{
		{[]Type{CPU}, 0}, {[]Type{CPU, Virtual}, 1}, {[]Type{CPU, Other}, 1}, {[]Type{Virtual, Integrated, CPU}, 1},
		{[]Type{Integrated, Discrete, Discrete}, 1},
	} {
		var all []Info
		for _, typ := range test.types {
			all = append(all, Info{Type: typ})
		}
		if got := autoDevice(all); got != test.want {
			t.Errorf("%v: %d, want %d", test.types, got, test.want)
		}
	}
}

func TestChooseFamilies(t *testing.T) {
	const c, g, x = vk.QueueCompute, vk.QueueGraphics, vk.QueueTransfer
	for _, test := range []struct {
		flags []uint32
		want  families
	}{
		{[]uint32{g | c | x}, families{0, -1}},
		{[]uint32{g | c | x, c | x, x}, families{0, 2}},
		{[]uint32{x, g | x, c}, families{2, 0}},
		{[]uint32{g, x}, families{-1, 1}},
	} {
		var all []vk.QueueFamily
		for _, f := range test.flags {
			all = append(all, vk.QueueFamily{Flags: f, Queues: 1})
		}
		if got := chooseFamilies(all); got != test.want {
			t.Errorf("%v: %v, want %v", test.flags, got, test.want)
		}
	}
	if got := chooseFamilies([]vk.QueueFamily{{Flags: c}}); got.compute != -1 {
		t.Errorf("a family without queues was chosen")
	}
}

func TestEnumerateAndOpen(t *testing.T) {
	all, err := Enumerate()
	if err != nil {
		t.Fatal(err)
	}
	auto := 0
	for i, info := range all {
		if info.Auto {
			auto++
		}
		if info.Index != i || info.Name == "" || info.UUID == (UUID{}) || info.APIVersion < oldestVersion ||
			info.Limits.MaxStorageBufferRange < 1<<27 || info.Limits.MaxWorkGroupSize[0] < 128 ||
			info.SubgroupSize == 0 || info.MemoryBytes <= 0 || info.BudgetBytes <= 0 {
			t.Errorf("device %d: %+v", i, info)
		}
	}
	if auto != 1 {
		t.Errorf("%d devices are auto, want 1", auto)
	}
	d := open(t, Options{Device: all[0].UUID.String()})
	if got := d.Info(); got.UUID != all[0].UUID || got.Name != all[0].Name {
		t.Errorf("opened %s, want %s", got.Name, all[0].Name)
	}
	if _, err := Open(Options{Device: "no such device"}); !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), all[0].Name) {
		t.Errorf("%v, want ErrNoDevice with the list", err)
	}
}

func TestNoLoader(t *testing.T) {
	t.Setenv(vk.LoaderVariable, "/nonexistent/libvulkan.so.1")
	_, err := Open(Options{})
	if !errors.Is(err, ErrNoVulkan) || !strings.Contains(err.Error(), "/nonexistent/libvulkan.so.1") {
		t.Errorf("%v, want ErrNoVulkan with the name of what was tried", err)
	}
	if _, err := Enumerate(); !errors.Is(err, ErrNoVulkan) {
		t.Errorf("%v, want ErrNoVulkan", err)
	}
}

func TestNoDriver(t *testing.T) {
	t.Setenv("VK_DRIVER_FILES", "/nonexistent/icd.json")
	t.Setenv("VK_ICD_FILENAMES", "/nonexistent/icd.json")
	_, err := Open(Options{})
	if !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), installDriver) {
		t.Errorf("%v, want ErrNoDevice with what to install", err)
	}
}
