package bitgpu

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net/resample"
)

// Cropper resizes and crops pictures on a device, without a network. It is safe for use from many goroutines.
type Cropper struct {
	dev        *gpu.Device
	resizer    *resample.Resizer
	preprocess loader.Preprocess
}

// OpenCropper opens a device, one, for crops as p describes them. Of the options only Device, CacheDir,
// MemoryBudget, Host and Validation count. The error wraps those of package gpu as Open's does.
func OpenCropper(p loader.Preprocess, o Options) (*Cropper, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	dev, err := openDevice(o, o.Device)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	r, err := resample.New(dev)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", errors.Join(err, dev.Close()))
	}
	return &Cropper{dev, r, p}, nil
}

// Device describes the device.
func (c *Cropper) Device() gpu.Info { return c.dev.Info() }

// Close waits for work in flight and frees everything. It is idempotent.
func (c *Cropper) Close() error { return c.dev.Close() }

// Crop returns what Preprocess.Apply does, to the byte, for each picture. What is too large for the device the
// processor computes.
func (c *Cropper) Crop(ctx context.Context, pictures ...*loader.Image) ([]*loader.Image, error) {
	if len(pictures) == 0 {
		return nil, nil
	}
	photos := make([]*photo, len(pictures))
	for i, img := range pictures {
		var err error
		if photos[i], err = newPhoto(c.preprocess, img); err != nil {
			return nil, fmt.Errorf("bitgpu: picture %d: %w", i, err)
		}
	}
	pixels := c.preprocess.Size * c.preprocess.Size
	out, err := c.dev.NewBuffer(int64(len(photos)*pixels*4), gpu.Readback)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	defer out.Release()
	last, err := resize(ctx, c.resizer, photos, out.All())
	if err == nil {
		err = last.Wait(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	crops := make([]*loader.Image, len(photos))
	for i := range crops {
		crop := &loader.Image{Width: c.preprocess.Size, Height: c.preprocess.Size, Pix: make([]uint8, pixels*3)}
		rgbx := out.Bytes()[i*pixels*4:]
		for j := range pixels {
			copy(crop.Pix[3*j:3*j+3], rgbx[4*j:])
		}
		crops[i] = crop
	}
	return crops, nil
}
