// Package kerneltest runs single kernels for tests and holds what their results are compared with:
// operands in the kernels' layouts, exact conversions, and bounds on rounding errors.
//
// Only tests import it. Operands are float64 on the host and exactly representable in the storage
// type that they are laid out in, so that a reference computed in float64 sees what the kernel sees.
package kerneltest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// Dispatch is one run of a kernel that writes its last binding, or its last two.
type Dispatch struct {
	Kernel *shaders.Kernel
	Spec   []uint32
	Groups [3]uint32
	Push   []byte
	In     [][]byte // contents of the bindings before the output; nil binds the output itself
	At     int      // byte of the output where its binding begins
	// More is what the binding after the output holds before, and after. Nil binds the output there, too, if the kernel
	// has such a binding.
	More []byte
}

// poison is a NaN in binary32 and, twice, in binary16: what a kernel leaves out fails every comparison.
var poison = []byte{0xc0, 0x7f, 0xc0, 0x7f}

// Poison returns n bytes, a multiple of four, that are NaN in every storage type.
func Poison(n int) []byte { return bytes.Repeat(poison, n/4) }

// guard is the space that is watched on either side of an output; offsets of bindings on any device
// are multiples of it.
const guard = 256

// Run runs dispatches in order on one output, which holds its first contents before and its last
// ones after. The test fails if a kernel writes outside of it.
func Run(t testing.TB, dev *gpu.Device, out []byte, dispatches ...Dispatch) {
	t.Helper()
	rec := dev.NewRecorder()
	output := func(content []byte) (*gpu.Buffer, func()) {
		whole := slices.Concat(Poison(guard), content, Poison(guard))
		b, err := dev.NewBuffer(int64(len(whole)), gpu.Readback)
		if err != nil {
			t.Fatal(err)
		}
		rec.Copy(b.All(), upload(t, dev, whole).Slice(0, int64(len(whole))))
		return b, func() {
			after := b.Bytes()
			if !bytes.Equal(after[:guard], Poison(guard)) || !bytes.Equal(after[guard+len(content):], Poison(guard)) {
				t.Errorf("%s writes outside of its output", dispatches[0].Kernel.Name)
			}
			copy(content, after[guard:])
		}
	}
	y, finish := output(out)
	defer y.Release()
	results := []func(){finish}
	more := map[*byte]*gpu.Buffer{} // dispatches may share it
	for _, d := range dispatches {
		pipeline, err := dev.NewPipeline(d.Kernel, d.Spec...)
		if err != nil {
			t.Fatal(err)
		}
		bound := y.Slice(int64(guard+d.At), int64(len(out)-d.At))
		var ranges []gpu.Range
		for _, in := range d.In {
			if in == nil {
				ranges = append(ranges, bound)
			} else {
				ranges = append(ranges, upload(t, dev, in).All())
			}
		}
		ranges = append(ranges, bound)
		switch {
		case d.More != nil:
			b := more[&d.More[0]]
			if b == nil {
				b, finish = output(d.More)
				defer b.Release()
				more[&d.More[0]] = b
				results = append(results, finish)
			}
			ranges = append(ranges, b.Slice(guard, int64(len(d.More))))
		case len(d.Kernel.Bindings) > len(ranges):
			ranges = append(ranges, bound)
		}
		rec.Dispatch(pipeline, d.Groups, d.Push, ranges...)
	}
	cmds, err := rec.End()
	if err != nil {
		t.Fatal(err)
	}
	defer cmds.Release()
	pending, err := dev.Submit(gpu.Job{Compute: cmds})
	if err != nil {
		t.Fatal(err)
	}
	if err := pending.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, finish := range results {
		finish()
	}
}

// upload returns memory that lives as long as the test's device. Behind the content lies poison, for
// kernels that read too far: the end of a binding would stop them on some devices only.
func upload(t testing.TB, dev *gpu.Device, content []byte) *gpu.Buffer {
	t.Helper()
	b, err := dev.NewBuffer(int64(len(content)+guard), gpu.Upload)
	if err != nil {
		t.Fatal(err)
	}
	copy(b.Bytes()[copy(b.Bytes(), content):], Poison(guard))
	return b
}

// Grid is the workgroups of the given size that cover x invocations, for y rows.
func Grid(x, size, y int) [3]uint32 {
	return [3]uint32{uint32((x + size - 1) / size), uint32(y), 1}
}
