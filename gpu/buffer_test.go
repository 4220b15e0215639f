package gpu

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

func TestBufferLimits(t *testing.T) {
	d := open(t, Options{})
	limit := d.largest()
	for _, test := range []struct {
		name   string
		size   int64
		usage  Usage
		memory bool // ErrOutOfMemory
	}{
		{"empty", 0, DeviceLocal, false},
		{"negative", -1, Upload, false},
		{"unknown usage", 64, Usage(7), false},
		{"above the device's limit", limit + 1, DeviceLocal, true},
		{"far above", math.MaxInt64, Readback, true},
	} {
		b, err := d.NewBuffer(test.size, test.usage)
		if err == nil || b != nil || errors.Is(err, ErrOutOfMemory) != test.memory {
			t.Errorf("%s: %v, %v", test.name, b, err)
		}
	}
	if _, err := d.NewBuffer(limit+1, DeviceLocal); !strings.Contains(err.Error(), mib(limit)) {
		t.Errorf("%v does not name the limit %s", err, mib(limit))
	}
}

func TestBufferMapping(t *testing.T) {
	d := open(t, Options{})
	for _, test := range []struct {
		usage  Usage
		mapped bool
	}{{DeviceLocal, false}, {Upload, true}, {Readback, true}} {
		b := newBuffer(t, d, 1001, test.usage)
		if n := len(b.Bytes()); test.mapped != (n == 1001) || !test.mapped && b.Bytes() != nil {
			t.Errorf("%v: %d bytes mapped", test.usage, n)
		}
		b.Release()
		b.Release()
		if b.Bytes() != nil {
			t.Errorf("%v: still mapped after Release", test.usage)
		}
	}
	var none *Buffer
	none.Release()
}

func TestBudget(t *testing.T) {
	d := open(t, Options{MemoryBudget: 1 << 20})
	if got := d.Info().BudgetBytes; got != 1<<20 {
		t.Errorf("budget %d", got)
	}
	a := newBuffer(t, d, 600<<10, DeviceLocal)
	if m := d.Memory(); m.Used < 600<<10 || m.Budget > 424<<10 {
		t.Errorf("memory %+v", m)
	}
	_, err := d.NewBuffer(600<<10, DeviceLocal)
	if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "614400 bytes in use") {
		t.Errorf("over budget: %v", err)
	}
	a.Release()
	newBuffer(t, d, 600<<10, DeviceLocal).Release()
	if m := d.Memory(); m.Used != 0 {
		t.Errorf("%d bytes in use after releasing all", m.Used)
	}
	if _, err := Open(Options{MemoryBudget: -1}); err == nil {
		t.Error("a negative budget was taken")
	}
}

func TestAllocationCount(t *testing.T) {
	d := open(t, Options{})
	d.info.Limits.MaxAllocations = 2
	newBuffer(t, d, 64, DeviceLocal)
	b := newBuffer(t, d, 64, Upload)
	if _, err := d.NewBuffer(64, DeviceLocal); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("third of two buffers: %v", err)
	}
	b.Release()
	newBuffer(t, d, 64, DeviceLocal)
}

func TestRankMemory(t *testing.T) {
	const l, v, c, k = vk.MemoryDeviceLocal, vk.MemoryHostVisible, vk.MemoryHostCoherent, vk.MemoryHostCached
	const protected = 1 << 5
	discrete := []vk.MemoryType{{Flags: l | v | c}, {Flags: v | c}, {Flags: l}, {Flags: v | c | k}, {Flags: v | k}, {Flags: l | protected}}
	unified := []vk.MemoryType{{Flags: l | v | c | k}}
	for _, test := range []struct {
		types   []vk.MemoryType
		allowed uint32
		usage   Usage
		want    []int
	}{
		{discrete, ^uint32(0), DeviceLocal, []int{2, 0}},
		{discrete, ^uint32(0), Upload, []int{1, 0, 3}},
		{discrete, ^uint32(0), Readback, []int{3, 4, 1, 0}},
		{discrete, ^uint32(1 << 2), DeviceLocal, []int{0}},
		{unified, 1, DeviceLocal, []int{0}},
		{unified, 1, Upload, []int{0}},
		{unified, 1, Readback, []int{0}},
		{unified, 0, Readback, nil},
	} {
		got := rankMemory(test.types, test.allowed, test.usage)
		if len(got) != len(test.want) {
			t.Errorf("%v: %v, want %v", test.usage, got, test.want)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%v: %v, want %v", test.usage, got, test.want)
				break
			}
		}
	}
}

func TestArena(t *testing.T) {
	d := open(t, Options{})
	a := d.NewArena(1 << 16)
	var all []Range
	for _, size := range []int64{1, 256, 257, 60000, 100, 1 << 17} {
		r, err := a.Alloc(size)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size != size || r.Offset%256 != 0 || r.Offset%d.info.Limits.MinStorageBufferOffsetAlignment != 0 || r.check(d) != nil {
			t.Errorf("%d bytes: %+v", size, r)
		}
		for _, other := range all {
			if accessOf(r, true).conflicts(accessOf(other, true)) {
				t.Errorf("%+v and %+v overlap", r, other)
			}
		}
		all = append(all, r)
	}
	if got := a.Size(); got != 1<<16+1<<17 {
		t.Errorf("size %d, want one chunk and one buffer of its own", got)
	}
	if _, err := a.Alloc(0); err == nil {
		t.Error("0 bytes were allocated")
	}
	a.Release()
	a.Release()
	if _, err := a.Alloc(8); err == nil || a.Size() != 0 || d.Memory().Used != 0 {
		t.Errorf("after Release: %v, %d bytes", err, d.Memory().Used)
	}
}

func TestArenaWithinBudget(t *testing.T) {
	d := open(t, Options{MemoryBudget: 1 << 20})
	a := d.NewArena(math.MaxInt64) // no device has that
	if _, err := a.Alloc(500 << 10); err != nil {
		t.Errorf("a chunk is over the budget, what was asked for is not: %v", err)
	}
	if _, err := a.Alloc(600 << 10); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("%v, want ErrOutOfMemory", err)
	}
}

func TestReleaseInFlight(t *testing.T) {
	const n = 1 << 16
	d := open(t, Options{})
	x, down := newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, Readback)
	p := newPipeline(t, d, inplaceKernel())
	c := record(t, d, func(r *Recorder) {
		r.Fill(x.All(), 1)
		for range 50 {
			r.Dispatch(p, groupsOf64(n), push(n, 1, 1), x.All())
		}
		r.Copy(down.All(), x.All())
	})
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	x.Release()
	c.Release()
	if err := pending.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := words(down); w[0] != 51 || w[n-1] != 51 {
		t.Errorf("%d ... %d, want 51", w[0], w[n-1])
	}
	d.mu.Lock()
	gone := x.gone && c.gone && !down.gone
	d.mu.Unlock()
	if !gone {
		t.Error("what was released in flight is not destroyed after the job, or more is")
	}
	if _, err := d.Submit(Job{Compute: c}); err == nil {
		t.Error("released commands were submitted")
	}
	use := record(t, d, func(r *Recorder) { r.Fill(down.All(), 0) })
	down.Release()
	if _, err := d.Submit(Job{Compute: use}); err == nil || !strings.Contains(err.Error(), "released") {
		t.Errorf("commands with a released buffer: %v", err)
	}
}
