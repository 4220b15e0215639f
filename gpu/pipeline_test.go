package gpu

import (
	"strings"
	"sync"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

func TestPipelinesAreMemoised(t *testing.T) {
	d := open(t, Options{})
	k := affineKernel()
	a := newPipeline(t, d, k)
	if newPipeline(t, d, k, 64) != a || newPipeline(t, d, k, 64, 0) != a {
		t.Error("the defaults written out are another pipeline")
	}
	b := newPipeline(t, d, k, 32)
	if a == b || newPipeline(t, d, k, 64, 1) == a {
		t.Error("other constants are the same pipeline")
	}
	if a.layout != b.layout {
		t.Error("layouts are not shared")
	}
}

func TestPipelinesFromManyGoroutines(t *testing.T) {
	d := open(t, Options{})
	k := affineKernel()
	var all [16]*Pipeline
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			p, err := d.NewPipeline(k, 64, uint32(i%4))
			if err != nil {
				t.Error(err)
			}
			all[i] = p
		})
	}
	group.Wait()
	for i := range all {
		if all[i] == nil || all[i] != all[i%4] {
			t.Errorf("pipeline %d is not pipeline %d", i, i%4)
		}
	}
}

func TestPipelineErrors(t *testing.T) {
	d := open(t, Options{})
	limits := d.Info().Limits
	with := func(change func(k *shaders.Kernel)) *shaders.Kernel {
		k := affineKernel()
		change(k)
		return k
	}
	for _, test := range []struct {
		name   string
		kernel *shaders.Kernel
		spec   []uint32
		want   string
	}{
		{"too many constants", affineKernel(), []uint32{1, 2, 3}, "specialization constants"},
		{"no invocations", affineKernel(), []uint32{0}, "workgroups of 0"},
		{"too many invocations", affineKernel(), []uint32{limits.MaxWorkGroupInvocations + 1}, "workgroups of"},
		{"push constants", with(func(k *shaders.Kernel) { k.Push = int(limits.MaxPushConstants) + 4 }), nil, "push constants"},
		{"odd push constants", with(func(k *shaders.Kernel) { k.Push = 7 }), nil, "push constants"},
		{"bindings", with(func(k *shaders.Kernel) { k.Bindings = make([]shaders.Access, 1000) }), nil, "bindings"},
		{"missing code", &shaders.Kernel{Name: "nonexistent"}, nil, "nonexistent"},
		{"damaged code", &shaders.Kernel{Name: "text", SPIRV: []byte("this is not SPIR-V at all")}, nil, "not SPIR-V"},
		{"short code", with(func(k *shaders.Kernel) { k.SPIRV = k.SPIRV[:24] }), nil, "damaged SPIR-V"},
		{"subgroup size", subgroupKernel(), []uint32{2 * d.Info().MaxSubgroupSize}, "subgroups of"},
		{"one subgroup without a size", with(func(k *shaders.Kernel) { k.Spec, k.OneSubgroup = nil, true }), nil, "local_size_x"},
	} {
		_, err := d.NewPipeline(test.kernel, test.spec...)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.kernel.Name) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestCheckKernel(t *testing.T) {
	full := Info{
		Name: "fake", SubgroupBallot: true, SubgroupSize: 32, MinSubgroupSize: 8, MaxSubgroupSize: 32, SubgroupControl: true,
		Limits: Limits{MaxStorageBuffers: 4, MaxPushConstants: 128, MaxWorkGroupSize: [3]uint32{1024, 1, 1}, MaxWorkGroupInvocations: 256},
	}
	with := func(change func(i *Info)) Info {
		i := full
		change(&i)
		return i
	}
	ballot := &shaders.Kernel{Name: "b", Ballot: true}
	wide := &shaders.Kernel{Name: "i", Int64: true}
	one := &shaders.Kernel{Name: "s", OneSubgroup: true}
	matrix := &shaders.Kernel{Name: "m", Matrix: true, Subgroups: 1}
	matrices := func(i *Info) { i.Matrices = []Matrix{{16, 16, 16}} }
	for _, test := range []struct {
		name string
		info Info
		k    *shaders.Kernel
		spec []uint32
		want string // "": no error
	}{
		{"fits", full, ballot, []uint32{256}, ""},
		{"invocations", full, ballot, []uint32{512}, "1 to 256"},
		{"ballot", with(func(i *Info) { i.SubgroupBallot = false }), ballot, nil, "ballot"},
		{"int64", full, wide, nil, "64-bit integers"},
		{"int64 is there", with(func(i *Info) { i.Int64 = true }), wide, nil, ""},
		{"subgroup of 16 by control", full, one, []uint32{16}, ""},
		{"subgroup of 12", full, one, []uint32{12}, "powers of 2 from 8 to 32"},
		{"subgroup of 4", full, one, []uint32{4}, "powers of 2 from 8 to 32"},
		{"subgroup of 64", full, one, []uint32{64}, "powers of 2 from 8 to 32"},
		{"sizes vary", with(func(i *Info) { i.SubgroupControl = false }), one, []uint32{32}, "by itself"},
		{"only size", with(func(i *Info) { i.SubgroupControl, i.MinSubgroupSize = false, 32 }), one, []uint32{32}, ""},
		{"no matrices", full, matrix, []uint32{64, 32}, "cooperative matrices"},
		{"matrices", with(matrices), matrix, []uint32{64, 32}, ""},
		{"subgroups of 64 in all", with(matrices), matrix, []uint32{64, 64}, "powers of 2 from 8 to 32"},
		{"half a subgroup", with(matrices), matrix, []uint32{80, 32}, "not a multiple"},
		{"subgroups without a size", with(matrices), matrix, []uint32{64}, "is missing"},
		{"subgroups of no size", with(matrices), matrix, []uint32{64, 0}, "subgroups of 0"},
		{"not the only size", with(func(i *Info) { i.SubgroupControl, i.MinSubgroupSize = false, 32 }), one, []uint32{16}, "has 32"},
	} {
		err := checkKernel(test.info, test.k, test.spec)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestCheckCapabilities(t *testing.T) {
	module := func(capabilities ...uint32) []uint32 {
		code := []uint32{spirvMagic, 0x10300, 0, 8, 0, 2<<16 | opCapability, 1}
		for _, c := range capabilities {
			code = append(code, 2<<16|opCapability, c)
		}
		return append(code, 3<<16|14, 0, 1) // OpMemoryModel
	}
	for _, test := range []struct {
		name string
		info Info
		code []uint32
		want string
	}{
		{"plain", Info{}, module(), ""},
		{"fp16", Info{}, module(9), "Float16"},
		{"fp16 is there", Info{Float16: true}, module(9), ""},
		{"16-bit storage", Info{}, module(4433), "StorageBuffer16BitAccess"},
		{"16-bit storage is there", Info{Storage16: true}, module(4433), ""},
		{"matrices", Info{Float16: true}, module(9, 6022), "CooperativeMatrixKHR"},
		{"the memory model", Info{}, module(5345), "VulkanMemoryModel"},
		{"matrices of any size", Info{Float16: true, Matrices: []Matrix{{16, 16, 16}}}, module(9, 5345, 6022, 5430), "CooperativeMatrixReductionsNV"},
		{"matrices of any size are there", Info{Float16: true, Matrices: []Matrix{{16, 16, 16}}, FlexibleMatrices: []Matrix{{16, 16, 16}}}, module(9, 6022, 5430, 5432), ""},
		{"matrices are there", Info{Float16: true, Matrices: []Matrix{{16, 16, 16}}}, module(9, 5345, 6022), ""},
		{"the second of two", Info{Float16: true}, module(9, 64), "GroupNonUniformBallot"},
		{"fp64", Info{}, module(10), "Float64"},
		{"empty", Info{}, nil, "not SPIR-V"},
		{"truncated", Info{}, module()[:6], "damaged"},
	} {
		err := checkCapabilities(test.info, 0, test.code)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestOneSubgroup(t *testing.T) {
	d := open(t, Options{})
	info := d.Info()
	if !info.SubgroupBallot {
		t.Skip("the device has no ballot operations")
	}
	for size := info.MinSubgroupSize; size <= info.MaxSubgroupSize; size *= 2 {
		x, y := newBuffer(t, d, int64(4*4*size), Upload), newBuffer(t, d, 4*3*4, Readback)
		putWords(x, func(i int) uint32 { return uint32(100 + i) })
		p := newPipeline(t, d, subgroupKernel(), size)
		run(t, d, Job{Compute: record(t, d, func(r *Recorder) { r.Dispatch(p, [3]uint32{4, 1, 1}, nil, x.All(), y.All()) })})
		for g, w := range [][]uint32{words(y)[0:3], words(y)[3:6], words(y)[6:9], words(y)[9:12]} {
			if w[0] != 1 || w[1] != size || w[2] != 101+uint32(g)*size {
				t.Errorf("size %d, workgroup %d: %d subgroups of %d, broadcast %d", size, g, w[0], w[1], w[2])
			}
		}
	}
}

func TestHalfStorage(t *testing.T) {
	d := open(t, Options{})
	p, err := d.NewPipeline(halfKernel())
	if !d.Info().Storage16 {
		if err == nil || !strings.Contains(err.Error(), "16Bit") {
			t.Errorf("%v, want an error about 16-bit storage", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	x, y := newBuffer(t, d, 16, Upload), newBuffer(t, d, 32, Readback)
	putWords(x, func(int) uint32 { return 0x3c003e00 }) // 1.5, 1
	run(t, d, Job{Compute: record(t, d, func(r *Recorder) { r.Dispatch(p, [3]uint32{1, 1, 1}, nil, x.All(), y.All()) })})
	for i, v := range words(y) {
		if want := []uint32{0x40400000, 0x40000000}[i%2]; v != want { // 3, 2
			t.Errorf("y[%d] = %#x, want %#x", i, v, want)
		}
	}
}
