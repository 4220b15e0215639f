package gpu

import (
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

func TestNames(t *testing.T) {
	for vulkan, want := range map[int]string{
		vk.TypeOther: "other", vk.TypeIntegrated: "integrated", vk.TypeDiscrete: "discrete", vk.TypeVirtual: "virtual",
		vk.TypeCPU: "cpu", 99: "other",
	} {
		if got := typeOf(vulkan).String(); got != want {
			t.Errorf("type %d: %s, want %s", vulkan, got, want)
		}
	}
	id := UUID{0: 0x01, 3: 0x23, 4: 0x45, 7: 0x67, 9: 0x89, 15: 0xef}
	if got := id.String(); got != "01000023-4500-0067-0089-0000000000ef" {
		t.Errorf("UUID %s", got)
	}
	if got := Version(1<<22 | 3<<12 | 239).String(); got != "1.3.239" {
		t.Errorf("version %s", got)
	}
	for n, want := range map[int64]string{7: "7 bytes", 3 << 19: "1.5 MiB"} {
		if got := mib(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	err := &ValidationError{Messages: []string{"first", "second"}}
	if got := err.Error(); !strings.Contains(got, "2 ") || !strings.Contains(got, "first\nsecond") {
		t.Errorf("%s", got)
	}
}

func TestMainHeap(t *testing.T) {
	const own = vk.HeapDeviceLocal
	for _, test := range []struct {
		heaps []vk.Heap
		want  int
	}{
		{[]vk.Heap{{Size: 1}}, 0},
		{[]vk.Heap{{Size: 64}, {Size: 8, Flags: own}}, 1},
		{[]vk.Heap{{Size: 8, Flags: own}, {Size: 64}, {Size: 1, Flags: own}}, 0},
		{[]vk.Heap{{Size: 1, Flags: own}, {Size: 8, Flags: own}}, 1},
	} {
		if got := mainHeap(&vk.Physical{Heaps: test.heaps}); got != test.want {
			t.Errorf("%v: %d, want %d", test.heaps, got, test.want)
		}
	}
}

// Matrices are listed where the device is used with them, and with fp16 arithmetic; those of any size where it is used with
// these as well.
func TestMatrices(t *testing.T) {
	p := &vk.Physical{Heaps: []vk.Heap{{Size: 1}}, Matrices: [][3]uint32{{16, 8, 32}}, FlexibleMatrices: [][3]uint32{{16, 16, 8}}}
	for features, want := range map[vk.Features]int{
		{}: 0, {CooperativeMatrix: true}: 0, {Float16: true}: 0, {CooperativeMatrix: true, Float16: true}: 1,
	} {
		got := describe(p, families{-1, -1}, features).Matrices
		if len(got) != want || want > 0 && got[0] != (Matrix{M: 16, N: 8, K: 32}) {
			t.Errorf("%+v: %v", features, got)
		}
		for _, flexible := range []bool{false, true} {
			features.CooperativeMatrix2 = flexible
			got := describe(p, families{-1, -1}, features).FlexibleMatrices
			if (len(got) == 1) != (flexible && want == 1) || len(got) > 0 && got[0] != (Matrix{M: 16, N: 16, K: 8}) {
				t.Errorf("%+v: of any size %v", features, got)
			}
		}
	}
}
