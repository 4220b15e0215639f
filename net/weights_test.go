package net

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/x448/float16"
)

// typed is a Source that gives memory's tensors in a 16-bit type.
type typed struct {
	memory
	dtype DType
}

func (s typed) DType(string) (DType, error) { return s.dtype, nil }

func (s typed) ReadTensor(name string, p []byte, off int64) error {
	values := s.memory[name][off/2:]
	for i := range len(p) / 2 {
		bits := uint16(math.Float32bits(values[i]) >> 16)
		if s.dtype == F16 {
			bits = float16.Fromfloat32(values[i]).Bits()
		}
		binary.LittleEndian.PutUint16(p[2*i:], bits)
	}
	return nil
}

// rounded is what a checkpoint of 16-bit weights holds, as float32.
func (s typed) rounded() memory {
	m := memory{}
	for name, values := range s.memory {
		raw := make([]byte, 2*len(values))
		_ = s.ReadTensor(name, raw, 0) // never fails
		m[name] = decode(raw, s.dtype)
	}
	return m
}

// testLoadTypes: a network of 16-bit weights computes what one of the same values in float32 does.
func testLoadTypes(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	spec := tensors(1, 37, 51, Outputs{Logits: true, Maps: 1})
	x := randomInput(spec, 30)
	for _, dtype := range []DType{F16, BF16} {
		src := typed{randomWeights(c, 31), dtype}
		n := load(t, dev, c, src, Options{})
		out, err := n.Run(context.Background(), spec, x)
		if err != nil {
			t.Fatal(err)
		}
		checkReference(t, n, src.rounded(), spec, x, out)
	}
}

// testLoadPieces: a tensor larger than a staging buffer goes up in pieces, the last one not full.
func testLoadPieces(t *testing.T, dev *gpu.Device) {
	c := Config{
		Layers: []int{1}, Channels: []int{2048}, Mid: []int{8}, Stem: 8, Classes: 2101,
		Groups: 8, NormEps: DefaultNormEps, WeightEps: DefaultWeightEps,
	}
	if bytes := c.Classes * c.Features() * 4; bytes <= stagingSize {
		t.Fatalf("the classifier's %d bytes fit a staging buffer", bytes)
	}
	m := randomWeights(c, 32)
	n := load(t, dev, c, m, Options{})
	spec := tensors(1, 37, 51, Outputs{Logits: true, Embedding: true})
	x := randomInput(spec, 33)
	out, err := n.Run(context.Background(), spec, x)
	if err != nil {
		t.Fatal(err)
	}
	checkReference(t, n, m, spec, x, out)
}

// failing is a Source in which one tensor cannot be read.
type failing struct {
	memory
	name string
	err  error
}

func (s failing) ReadTensor(name string, p []byte, off int64) error {
	if name == s.name {
		return s.err
	}
	return s.memory.ReadTensor(name, p, off)
}

// checkFreed waits until nothing is left of what was released, some of it perhaps in flight.
func checkFreed(t *testing.T, dev *gpu.Device, before int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		used := dev.Memory().Used
		if used == before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are in use for good, %d were before", used, before)
		}
	}
}

// testLoadErrors: whatever tensor fails, the error names it, and no memory is kept.
func testLoadErrors(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	damaged, before := errors.New("damaged"), dev.Memory().Used
	for _, name := range []string{"stem.conv.weight", "stages.0.blocks.0.norm1.weight", "stages.0.blocks.0.norm1.bias", "norm.bias", "head.fc.weight", "head.fc.bias"} {
		_, err := Load(context.Background(), dev, c, failing{randomWeights(c, 34), name, damaged}, Options{})
		if !errors.Is(err, damaged) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", name)) {
			t.Errorf("%s: error %v", name, err)
		}
		missing := randomWeights(c, 34)
		delete(missing, name)
		if _, err := Load(context.Background(), dev, c, missing, Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v", name, err)
		}
		checkFreed(t, dev, before)
	}
}

// testLoadCancelled stops in the middle.
func testLoadCancelled(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls, before := 0, dev.Memory().Used
	_, err := Load(ctx, dev, c, randomWeights(c, 35), Options{Progress: func(int64, int64) {
		if calls++; calls == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || calls != 5 {
		t.Errorf("error %v after %d tensors", err, calls)
	}
	checkFreed(t, dev, before)
}

func testLoadProgress(t *testing.T, dev *gpu.Device) {
	c := tinyConfig()
	var total int64
	for _, p := range c.Params() {
		total += product(p.Shape)
	}
	var done []int64
	n := load(t, dev, c, randomWeights(c, 36), Options{Progress: func(d, of int64) {
		if of != total {
			t.Errorf("%d elements in all, want %d", of, total)
		}
		done = append(done, d)
	}})
	if !slices.IsSorted(done) || len(done) == 0 || done[len(done)-1] != total {
		t.Errorf("progress %v, of %d", done, total)
	}
	if n.WeightBytes() < total*4 {
		t.Errorf("%d bytes for %d weights", n.WeightBytes(), total)
	}
}
