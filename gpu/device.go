package gpu

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Options say which device to open and how. The zero value opens the best device.
type Options struct {
	// Device is "" or "auto", "cpu", an index or a UUID of Enumerate, or part of a name in any case. auto is a
	// discrete device before an integrated before a virtual one; a CPU only if there is nothing else.
	Device string
	// Validation runs everything under VK_LAYER_KHRONOS_validation, which must be installed. Its warnings
	// and errors come as a *ValidationError from the next Submit, Wait, NewPipeline, NewBuffer, End or Close.
	Validation bool
	// CacheDir is the folder for compiled pipelines, made if need be; "" for none. There is a file for each
	// device and driver version in it. One that is damaged, or belongs to another driver, is replaced.
	CacheDir string
	// MemoryBudget is how many bytes may be allocated in the device's own memory; 0 for what the device has to give.
	MemoryBudget int64
	// SliceBudget is the longest time that the device is to work for us without a break, for programs that share its queue or
	// show something on it; 0 for no breaks. Jobs then reach the device in slices that take about three quarters of it by their
	// measured times, large kernels in several parts, and each slice when the one before it is done. A first run
	// begins with shorter slices. The jobs follow each other; their copies do not overlap other jobs.
	SliceBudget time.Duration
	// LowPriority has the device do other work first. The queues of a device that Open makes have the lowest priority that
	// its driver grants (VK_KHR_global_priority). Of a CPU driver on Linux the threads have it (nice 10); all other devices, those
	// of a host too, work in slices (SliceBudget, 20 ms if it is 0), and rest after each for as long as it took.
	LowPriority bool
	// Host has Open use a device that the program already has.
	Host *Host

	shareQueue bool // for tests: use the compute queue for the other lanes too
}

// Device is an open Vulkan device. It is safe for use from many goroutines.
//
// Locks are taken in this order: life, order, mu, a queue's lock.
type Device struct {
	info     Info
	checks   bool // the validation layer is there
	budget   int64
	cacheDir string
	slice    time.Duration // Options.SliceBudget
	low      bool          // Options.LowPriority
	rests    bool          // after each slice

	instance *vk.Instance
	physical *vk.Physical
	vk       *vk.Device
	features vk.Features
	lanes    [lanes]lane // but for the compute lane, used only with queues of their own
	families []uint32    // that share buffers; nil for a single one

	life   sync.RWMutex // held for reading while Vulkan is called, for writing by Close
	closed bool         // guarded by life
	lost   atomic.Bool

	pipelines pipelines
	hold      hold

	order sync.Mutex     // held by Submit: jobs reach the queues in the order of the calls
	work  sync.WaitGroup // jobs in flight

	mu        sync.Mutex // guards what follows, and the state of buffers, commands and lanes
	destroyed bool
	heapUsed  []int64 // bytes allocated by us, by heap
	allocs    uint32
	buffers   map[*Buffer]struct{}
	commands  map[*Commands]struct{}
	fences    []vk.Fence // free ones
	stale     []vk.Fence // of jobs that a lost device never finished
	paced     []*Pending // jobs that wait for their turn, with a slice budget
	pacing    bool       // a goroutine sends them

	rested time.Time // when the next slice may begin; of the goroutine that sends them
}

// Open opens a device. The caller closes it.
func Open(o Options) (*Device, error) {
	d := &Device{
		cacheDir: o.CacheDir,
		budget:   o.MemoryBudget,
		slice:    o.SliceBudget,
		low:      o.LowPriority,
		buffers:  map[*Buffer]struct{}{},
		commands: map[*Commands]struct{}{},
		hold:     hold{aborted: make(chan struct{})},
	}
	if o.MemoryBudget < 0 {
		return nil, fmt.Errorf("gpu: a memory budget of %d bytes", o.MemoryBudget)
	}
	if o.SliceBudget < 0 {
		return nil, fmt.Errorf("gpu: a slice budget of %v", o.SliceBudget)
	}
	var err error
	if o.Host != nil {
		err = d.adopt(o)
	} else {
		d.Background(func() { err = d.create(o) })
	}
	if err == nil {
		err = d.setUp(o)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// create makes an instance and a device of our own.
func (d *Device) create(o Options) error {
	_, in, err := newInstance(o.Validation)
	if err != nil {
		return err
	}
	d.instance, d.checks = in, o.Validation
	all, err := listCandidates(in)
	if err != nil {
		return err
	}
	infos := make([]Info, len(all))
	for i, c := range all {
		infos[i] = c.info
	}
	i, err := chooseDevice(infos, o.Device)
	if err != nil {
		return err
	}
	c := all[i]
	d.physical, d.info, d.features = c.physical, c.info, c.physical.Features
	use, queues := []uint32{uint32(c.families.compute)}, []uint32{1}
	if d.info.TransferQueue {
		use = append(use, uint32(c.families.transfer))
		queues = append(queues, min(c.physical.Families[c.families.transfer].Queues, 2))
		d.families = use
	}
	features := d.features
	features.LowPriority = d.low
	if d.vk, err = d.physical.NewDevice(use, queues, features); err != nil {
		return fmt.Errorf("gpu: %s: %w", d.info.Name, classify(err))
	}
	queue := func(i int, index uint32) lane {
		return lane{used: true, family: use[i], queue: d.vk.Queue(use[i], index), lock: new(sync.Mutex)}
	}
	d.lanes[computeLane] = queue(0, 0)
	if d.info.TransferQueue {
		d.lanes[uploadLane] = queue(1, 0)
		if queues[1] > 1 {
			d.lanes[readbackLane] = queue(1, 1)
		}
	}
	return nil
}

// setUp makes what every device needs.
func (d *Device) setUp(o Options) (err error) {
	d.heapUsed = make([]int64, len(d.physical.Heaps))
	d.makeWay(o)
	if d.budget > 0 {
		d.info.BudgetBytes = min(d.info.BudgetBytes, d.budget)
	}
	if o.shareQueue && !d.overlaps() && d.features.TimelineSemaphore {
		d.lanes[uploadLane], d.lanes[readbackLane] = d.lanes[computeLane], d.lanes[computeLane]
	}
	for l := range d.lanes {
		if d.lanes[l].used && d.overlaps() {
			if d.lanes[l].timeline, err = d.vk.NewTimeline(); err != nil {
				return fmt.Errorf("gpu: %s: %w", d.info.Name, d.noted(err))
			}
		}
	}
	if err := d.pipelines.open(d); err != nil {
		return err
	}
	return d.messages()
}

// Info describes the device as it was when it was opened.
func (d *Device) Info() Info { return d.info }

// use is the start of everything that calls Vulkan; the caller ends it with d.life.RUnlock if it returns nil.
func (d *Device) use() error {
	d.life.RLock()
	switch {
	case d.closed:
		d.life.RUnlock()
		return ErrClosed
	case d.lost.Load():
		d.life.RUnlock()
		return ErrDeviceLost
	}
	return nil
}

// Close waits for the work in flight and destroys everything that was made from the device; a host's own
// objects stay. Jobs that a pause holds back are aborted. It works on a lost device too. Calls after the first one,
// and on nil, do nothing. The error is about what does not hinder closing: validation messages, or a pipeline cache
// that could not be written.
func (d *Device) Close() error {
	if d == nil {
		return nil
	}
	d.hold.close()
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.work.Wait()
	var errs []error
	if d.vk != nil {
		if d.vk.Owned() {
			// A lost device may still run a last command. And Mesa's queue threads touch a timeline for a moment
			// after the fence of the same submission is signalled. The only failure can be that the device is lost.
			_ = d.vk.WaitIdle()
		}
		errs = append(errs, d.pipelines.close(d))
		d.mu.Lock()
		for c := range d.commands {
			c.destroy()
		}
		for b := range d.buffers {
			b.destroy()
		}
		for _, f := range append(d.fences, d.stale...) {
			d.vk.DestroyFence(f)
		}
		for i := range d.lanes {
			if t := d.lanes[i].timeline; t != nil {
				d.vk.DestroySemaphore(t)
			}
		}
		d.mu.Unlock()
		d.vk.Destroy()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.destroyed = true
	if d.instance != nil {
		errs = append(errs, validationError(d.instance.Destroy()))
	}
	return errors.Join(errs...)
}
