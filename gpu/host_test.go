package gpu

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// host is a program that has made its own Vulkan objects.
type host struct {
	loader   *vk.Loader
	instance *vk.Instance
	physical *vk.Physical
	device   *vk.Device
	queue    vk.Queue
	lock     countedLock
}

// countedLock counts how often it is taken.
type countedLock struct {
	sync.Mutex
	n atomic.Int32
}

func (l *countedLock) Lock() {
	l.n.Add(1)
	l.Mutex.Lock()
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{}
	var err error
	if h.loader, err = vk.OpenLoader(); err != nil {
		t.Fatal(err)
	}
	if h.instance, err = vk.NewInstance(h.loader, true); err != nil {
		t.Fatal(err)
	}
	all, err := h.instance.PhysicalDevices()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d devices, %v", len(all), err)
	}
	if h.physical, err = h.instance.Describe(all[0], instanceVersion); err != nil {
		t.Fatal(err)
	}
	family := uint32(chooseFamilies(h.physical.Families).compute)
	if h.device, err = h.physical.NewDevice([]uint32{family}, []uint32{1}, h.physical.Features); err != nil {
		t.Fatal(err)
	}
	h.queue = h.device.Queue(family, 0)
	t.Cleanup(func() {
		h.device.Destroy()
		for _, m := range h.instance.Destroy() {
			t.Error(m)
		}
	})
	return h
}

func (h *host) options() *Host {
	return &Host{
		Instance:       vk.Address(h.instance.Handle()),
		PhysicalDevice: vk.Address(h.physical.Handle),
		Device:         vk.Address(h.device.Handle()),
		Queue:          vk.Address(h.queue),
		QueueFamily:    uint32(chooseFamilies(h.physical.Families).compute),
		QueueLock:      &h.lock,
		APIVersion:     Version(instanceVersion),
		Features:       HostFeatures{Storage16: h.physical.Features.Storage16, SubgroupSizeControl: h.physical.Features.SubgroupSizeControl},
	}
}

func TestAdoptHost(t *testing.T) {
	h := newHost(t)
	own := h.options()
	own.GetInstanceProcAddr = h.loader.GetInstanceProcAddr()
	for _, o := range []*Host{h.options(), own} {
		d := open(t, Options{Host: o})
		if info := d.Info(); info.Name != h.physical.Name || info.TransferQueue || info.Storage16 != h.physical.Features.Storage16 || info.Int64 || info.Matrices != nil {
			t.Errorf("info %+v", info)
		}
		before := h.lock.n.Load()
		works(t, d)
		if h.lock.n.Load() == before {
			t.Error("the host's queue was used without its lock")
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		// What the host has still works.
		fence, err := h.device.NewFence()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.device.Submit(h.queue, nil, nil, vk.TimelinePoint{}, fence); err != nil {
			t.Fatal(err)
		}
		if err := h.device.WaitFence(fence); err != nil {
			t.Fatal(err)
		}
		h.device.DestroyFence(fence)
	}
}

func TestAdoptBuffer(t *testing.T) {
	h := newHost(t)
	theirs, err := h.device.NewBuffer(1024, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	size, types := h.device.Requirements(theirs)
	memory, err := h.device.Allocate(size, rankMemory(h.physical.MemoryTypes, types, Upload)[0], false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		h.device.DestroyBuffer(theirs)
		h.device.Free(memory)
	}()
	if err := h.device.Bind(theirs, memory); err != nil {
		t.Fatal(err)
	}
	bytes, err := h.device.Map(memory, 1024)
	if err != nil {
		t.Fatal(err)
	}
	bytes[1023] = 2

	d := open(t, Options{Host: h.options()})
	x, err := d.AdoptBuffer(vk.Address(theirs), 1024)
	if err != nil {
		t.Fatal(err)
	}
	y := newBuffer(t, d, 1024, Readback)
	p := newPipeline(t, d, affineKernel())
	run(t, d, Job{Compute: record(t, d, func(r *Recorder) { r.Dispatch(p, groupsOf64(256), push(256, 1, 0), x.All(), y.All()) })})
	if y.Bytes()[1023] != 2 {
		t.Error("the kernel does not see the host's bytes")
	}
	x.Release()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	bytes[0] = 1
	if _, err := d.AdoptBuffer(0, 8); err == nil {
		t.Error("a null buffer was adopted")
	}
}

func TestHostErrors(t *testing.T) {
	h := newHost(t)
	with := func(change func(o *Options)) Options {
		o := Options{Host: h.options()}
		change(&o)
		return o
	}
	for _, test := range []struct {
		o    Options
		want string
	}{
		{with(func(o *Options) { o.Host.Queue = 0 }), "must give"},
		{with(func(o *Options) { o.Host.QueueFamily = 99 }), "queue family 99"},
		{with(func(o *Options) { o.Host.APIVersion = 1 << 22 }), "1.1 is needed"},
		{with(func(o *Options) { o.Validation = true }), "Validation"},
		{with(func(o *Options) { o.Device = "cpu" }), "Device"},
	} {
		if _, err := Open(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want an error with %q", err, test.want)
		}
	}
}

// A host's instance has the devices that one of our own has, and is as good afterwards.
func TestHostDevices(t *testing.T) {
	h := newHost(t)
	want, err := Enumerate()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := (&Host{Instance: vk.Address(h.instance.Handle())}).Devices()
		if err != nil || len(got) != len(want) || got[0].UUID != want[0].UUID || got[0].Name != want[0].Name {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	if _, err := (&Host{}).Devices(); err == nil {
		t.Error("devices of no instance")
	}
}

// What a host is told to switch on is what a device of our own has.
func TestHostNeeds(t *testing.T) {
	h := newHost(t)
	in, err := NeedsOfInstance(h.loader.GetInstanceProcAddr())
	if err != nil || in.APIVersion != Version(instanceVersion) {
		t.Errorf("%+v, %v", in, err)
	}
	o := h.options()
	o.Device, o.Queue = 0, 0 // not made yet
	n, err := o.NeedsOfDevice()
	if err != nil {
		t.Fatal(err)
	}
	f := h.physical.Features
	want := HostFeatures{
		Storage16: f.Storage16, Float16: f.Float16, SubgroupSizeControl: f.SubgroupSizeControl, Int64: f.Int64, CooperativeMatrix: f.CooperativeMatrix,
		BufferAddress: f.BufferAddress,
	}
	if n.Features != want || n.Timelines != f.TimelineSemaphore || !slices.Equal(n.Extensions, h.physical.Extensions()) ||
		h.physical.Families[n.QueueFamily].Flags&vk.QueueCompute == 0 {
		t.Errorf("%+v, want %+v", n, want)
	}
	device, err := h.physical.NewDevice([]uint32{n.QueueFamily}, []uint32{1}, f) // with just these extensions
	if err != nil {
		t.Fatal(err)
	}
	device.Destroy()
	o.APIVersion = 1 << 22
	if _, err := o.NeedsOfDevice(); !errors.Is(err, ErrNoDevice) {
		t.Errorf("Vulkan 1.0: %v", err)
	}
	if _, err := (&Host{Instance: o.Instance}).NeedsOfDevice(); err == nil {
		t.Error("without a physical device: no error")
	}
}

// Semaphores, fences and images are a host's.
func TestExternalErrors(t *testing.T) {
	own := open(t, Options{Validation: true})
	for name, j := range map[string]Job{
		"wait": {Wait: []Semaphore{{Handle: 1}}}, "signal": {Signal: []Semaphore{{Handle: 1}}}, "fence": {Fences: []uintptr{1}},
	} {
		if _, err := own.Submit(j); err == nil {
			t.Errorf("%s of no host: no error", name)
		}
	}
	if err := own.WaitFence(t.Context(), 1); err == nil {
		t.Error("a fence of no host: no error")
	}
	h := newHost(t)
	d := open(t, Options{Host: h.options()})
	for name, j := range map[string]Job{
		"wait": {Wait: []Semaphore{{}}}, "signal": {Signal: []Semaphore{{Value: 3}}}, "fence": {Fences: []uintptr{0}},
	} {
		if _, err := d.Submit(j); err == nil {
			t.Errorf("null %s: no error", name)
		}
	}
	fence, err := h.device.NewFence()
	if err != nil {
		t.Fatal(err)
	}
	defer h.device.DestroyFence(fence)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.WaitFence(ctx, vk.Address(fence)); !errors.Is(err, context.Canceled) {
		t.Errorf("a fence that nobody signals: %v", err)
	}
	if _, err := d.Submit(Job{Fences: []uintptr{vk.Address(fence)}}); err != nil {
		t.Fatal(err)
	}
	if err := d.WaitFence(t.Context(), vk.Address(fence)); err != nil {
		t.Error(err)
	}
	out := newBuffer(t, d, 1024, Readback)
	good := ExternalImage{Handle: 1, Width: 20, Height: 10, Layout: vk.LayoutGeneral}
	for name, c := range map[string]struct {
		image      ExternalImage
		x, y, w, h int
		size       int64
	}{
		"null":      {ExternalImage{Width: 20, Height: 10, Layout: vk.LayoutGeneral}, 0, 0, 4, 4, 64},
		"undefined": {ExternalImage{Handle: 1, Width: 20, Height: 10}, 0, 0, 4, 4, 64},
		"outside":   {good, 17, 0, 4, 4, 64},
		"negative":  {good, -1, 0, 4, 4, 64},
		"empty":     {good, 0, 0, 0, 4, 0},
		"size":      {good, 0, 0, 4, 4, 60},
	} {
		r := d.NewRecorder()
		r.CopyImage(out.Slice(0, c.size), &c.image, c.x, c.y, c.w, c.h)
		if _, err := r.End(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r := own.NewRecorder()
	r.CopyImage(newBuffer(t, own, 64, DeviceLocal).All(), &good, 0, 0, 4, 4)
	if _, err := r.End(); err == nil {
		t.Error("an image of no host: no error")
	}
}
