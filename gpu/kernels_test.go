package gpu

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// The test kernels, and how to compile them.
//
//go:generate glslangValidator -V --target-env vulkan1.1 testdata/affine.comp -o testdata/affine.spv
//go:generate glslangValidator -V --target-env vulkan1.1 testdata/inplace.comp -o testdata/inplace.spv
//go:generate glslangValidator -V --target-env vulkan1.1 testdata/subgroup.comp -o testdata/subgroup.spv
//go:generate glslangValidator -V --target-env vulkan1.1 testdata/half.comp -o testdata/half.spv
//go:generate sh -c "cd testdata && sha256sum *.comp *.spv > SHA256SUMS"
var (
	//go:embed testdata/affine.spv
	affineCode []byte
	//go:embed testdata/inplace.spv
	inplaceCode []byte
	//go:embed testdata/subgroup.spv
	subgroupCode []byte
	//go:embed testdata/half.spv
	halfCode []byte
)

func affineKernel() *shaders.Kernel {
	return &shaders.Kernel{
		Name: "affine", Bindings: []shaders.Access{shaders.Read, shaders.Write}, Push: 12,
		Spec: []shaders.Spec{{Name: "local_size_x", Default: 64}, {Name: "extra", Default: 0}}, SPIRV: affineCode,
	}
}

func inplaceKernel() *shaders.Kernel {
	return &shaders.Kernel{
		Name: "inplace", Bindings: []shaders.Access{shaders.ReadWrite}, Push: 12,
		Spec: []shaders.Spec{{Name: "local_size_x", Default: 64}}, SPIRV: inplaceCode,
	}
}

func subgroupKernel() *shaders.Kernel {
	return &shaders.Kernel{
		Name: "subgroup", Bindings: []shaders.Access{shaders.Read, shaders.Write}, OneSubgroup: true, Ballot: true,
		Spec: []shaders.Spec{{Name: "local_size_x", Default: 8}}, SPIRV: subgroupCode,
	}
}

func halfKernel() *shaders.Kernel {
	return &shaders.Kernel{
		Name: "half", Bindings: []shaders.Access{shaders.Read, shaders.Write},
		Spec: []shaders.Spec{{Name: "local_size_x", Default: 8}}, SPIRV: halfCode,
	}
}

// The compiled kernels are those of the sources: `go generate` notes the sums of both.
func TestKernelsMatchTheirSources(t *testing.T) {
	sums, err := os.ReadFile("testdata/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	sources, _ := filepath.Glob("testdata/*.comp")
	compiled, _ := filepath.Glob("testdata/*.spv")
	files := append(sources, compiled...)
	if len(files) != 8 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%x  %s\n", sha256.Sum256(content), filepath.Base(file))
		if !strings.Contains(string(sums), line) {
			t.Errorf("%s has changed; run go generate in this folder", file)
		}
	}
}

// push packs the push constants of affine and inplace.
func push(words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// groupsOf64 is how many workgroups of 64 do n elements.
func groupsOf64(n int) [3]uint32 { return [3]uint32{uint32(n+63) / 64, 1, 1} }

// open opens the auto device under validation, and fails the test on what the layer says.
func open(t testing.TB, o Options) *Device {
	t.Helper()
	o.Validation = o.Host == nil
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return d
}

func newBuffer(t testing.TB, d *Device, size int64, u Usage) *Buffer {
	t.Helper()
	b, err := d.NewBuffer(size, u)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newPipeline(t testing.TB, d *Device, k *shaders.Kernel, spec ...uint32) *Pipeline {
	t.Helper()
	p, err := d.NewPipeline(k, spec...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record records what f says.
func record(t testing.TB, d *Device, f func(r *Recorder)) *Commands {
	t.Helper()
	r := d.NewRecorder()
	f(r)
	c, err := r.End()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run submits a job and waits for it.
func run(t testing.TB, d *Device, j Job) {
	t.Helper()
	p, err := d.Submit(j)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// putWords and words write and read a mapped buffer as uint32.
func putWords(b *Buffer, f func(i int) uint32) {
	bytes := b.Bytes()
	for i := 0; i < len(bytes)/4; i++ {
		binary.LittleEndian.PutUint32(bytes[4*i:], f(i))
	}
}

func words(b *Buffer) []uint32 {
	bytes := b.Bytes()
	w := make([]uint32, len(bytes)/4)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(bytes[4*i:])
	}
	return w
}
