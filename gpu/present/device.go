//go:build desktop

package present

import (
	"errors"
	"fmt"
	"sync"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Device draws on a window's surface.
//
// Invariants: frames alternate between two slots, and a slot's objects are used again only when its fence says that the device is done
// with them; what is released is destroyed when the frame that was the last to be able to use it is done.
type Device struct {
	in       *Instance
	physical *vk.Physical
	info     gpu.Info
	vk       *vk.Device
	g        *vk.Graphics
	family   uint32
	queue    vk.Queue // of the frames
	lock     sync.Locker
	host     *gpu.Host
	surface  vk.Surface

	layout   vk.QuadLayout
	pool     vk.DescriptorPool
	sampler  vk.Sampler
	swap     *swapchain
	frames   [2]frame
	count    int // frames begun
	white    *Texture
	uploads  []upload
	textures map[*Texture]struct{}
	sets     []vk.DescriptorSet // of released textures
	made     int                // sets of textures
	lost     bool
	broken   error // why there can be no more frames
	closed   bool
}

// maxTextures is how many textures a device may have at once.
const maxTextures = 64

// Open opens the device that a selection names as gpu.Options.Device does, to show images on a window's surface,
// a VkSurfaceKHR given as its bits, which it takes over. gpu.ErrNoDevice if that one cannot show anything there.
func (in *Instance) Open(surface uintptr, device string) (*Device, error) {
	d := &Device{in: in, surface: vk.SurfaceFrom(surface), textures: map[*Texture]struct{}{}}
	if err := d.open(device); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Device) open(device string) error {
	if err := d.choose(device); err != nil {
		return err
	}
	queues := min(d.physical.Families[d.family].Queues, 2)
	var err error
	if d.vk, err = d.physical.NewDevice([]uint32{d.family}, []uint32{queues}, d.physical.Features, vk.SwapchainExtension); err != nil {
		return fmt.Errorf("present: %s: %w", d.info.Name, err)
	}
	d.queue, d.lock = d.vk.Queue(d.family, 0), new(sync.Mutex)
	f := d.physical.Features
	d.host = d.in.host()
	d.host.PhysicalDevice, d.host.Device = vk.Address(d.physical.Handle), vk.Address(d.vk.Handle())
	d.host.Queue, d.host.QueueFamily, d.host.QueueLock = vk.Address(d.queue), d.family, d.lock
	d.host.Features = gpu.HostFeatures{
		Storage16: f.Storage16, Float16: f.Float16, SubgroupSizeControl: f.SubgroupSizeControl, Int64: f.Int64, CooperativeMatrix: f.CooperativeMatrix,
		CooperativeMatrix2: f.CooperativeMatrix2, BufferAddress: f.BufferAddress,
	}
	if queues > 1 {
		d.host.Queue, d.host.QueueLock = vk.Address(d.vk.Queue(d.family, 1)), nil
	}
	if d.g, err = d.in.vk.NewGraphics(d.vk); err != nil {
		return fmt.Errorf("present: %s: %w", d.info.Name, err)
	}
	if d.layout, err = d.g.NewQuadLayout(viewBytes); err != nil {
		return d.noted(err)
	}
	if d.sampler, err = d.g.NewSampler(); err != nil {
		return d.noted(err)
	}
	if d.pool, err = d.g.NewQuadPool(len(d.frames)*maxGrowth, maxTextures); err != nil {
		return d.noted(err)
	}
	for i := range d.frames {
		if err := d.frames[i].open(d); err != nil {
			return d.noted(err)
		}
	}
	if d.white, err = d.NewTexture(RGBA8, 1, 1, 1); err != nil {
		return err
	}
	return d.white.Upload(0, 0, 0, 1, 1, []byte{255, 255, 255, 255})
}

// choose finds the physical device, and its queue family that draws, computes and shows.
func (d *Device) choose(device string) error {
	all, err := d.in.Devices()
	if err != nil {
		return err
	}
	chosen, err := gpu.Select(all, device)
	if err != nil {
		return err
	}
	if len(chosen) != 1 {
		return fmt.Errorf("present: %q are several devices, a window is on one", device)
	}
	d.info = chosen[0]
	handles, err := d.in.vk.PhysicalDevices()
	if err != nil {
		return fmt.Errorf("present: %w", err)
	}
	for _, h := range handles {
		p, err := d.in.vk.Describe(h, apiVersion)
		if err != nil {
			return fmt.Errorf("present: %w", err)
		}
		if p.UUID != d.info.UUID || p.Name != d.info.Name {
			continue
		}
		const wanted = vk.QueueGraphics | vk.QueueCompute
		for i, f := range p.Families {
			if f.Flags&wanted != wanted {
				continue
			}
			if ok, err := d.in.vk.CanPresent(h, uint32(i), d.surface); err != nil {
				return fmt.Errorf("present: %s: %w", p.Name, err)
			} else if ok {
				d.physical, d.family = p, uint32(i)
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %s has no queue that draws, computes and shows images in this window", gpu.ErrNoDevice, d.info.Name)
}

// Info describes the device.
func (d *Device) Info() gpu.Info { return d.info }

// Host is what bitgpu.Options.Host and gpu.Options.Host take.
func (d *Device) Host() *gpu.Host { return d.host }

// SharesQueue says whether the network waits for the frames, and they for it, on the device's only queue.
func (d *Device) SharesQueue() bool { return d.host.QueueLock != nil }

// ErrSurfaceLost is the error of frames for a window that cannot be shown on any more: what is left is to close the Device, and to
// open another with a new surface.
var ErrSurfaceLost = errors.New("present: the window's surface is lost")

// noted wraps the error of a Vulkan call, and remembers that the device is lost.
func (d *Device) noted(err error) error {
	switch {
	case err == nil, errors.Is(err, gpu.ErrDeviceLost), errors.Is(err, gpu.ErrOutOfMemory), errors.Is(err, ErrSurfaceLost):
		return err
	case errors.Is(err, vk.SurfaceLost):
		return fmt.Errorf("%w: %w", ErrSurfaceLost, err)
	case errors.Is(err, vk.DeviceLost):
		d.lost = true
		return fmt.Errorf("%w: %w", gpu.ErrDeviceLost, err)
	case errors.Is(err, vk.OutOfHostMemory), errors.Is(err, vk.OutOfDeviceMemory), errors.Is(err, vk.OutOfPoolMemory):
		return fmt.Errorf("%w: %w", gpu.ErrOutOfMemory, err)
	}
	return fmt.Errorf("present: %w", err)
}

// drain waits until the frames are done.
func (d *Device) drain() error {
	if d.lost {
		return nil
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.noted(d.vk.QueueWaitIdle(d.queue))
}

// Close destroys everything that was made, and the surface; the Host must not be used any more. It works on a lost device too. The
// error is what the validation layer has said.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if d.vk != nil {
		_ = d.vk.WaitIdle() // can only fail on a lost device, which then does nothing any more
		if d.g != nil {
			d.swap.destroy(d)
			for i := range d.frames {
				d.frames[i].destroy(d)
			}
			for _, u := range d.uploads {
				u.staging.destroy(d)
			}
			for t := range d.textures {
				t.destroy()
			}
			if d.pool != nil {
				d.vk.DestroyDescriptorPool(d.pool)
			}
			if d.sampler != nil {
				d.g.DestroySampler(d.sampler)
			}
			d.g.DestroyQuadLayout(d.layout)
			d.g.Free()
		}
		d.vk.Destroy()
	}
	d.in.vk.DestroySurface(d.surface)
	return d.in.messages()
}
