//go:build desktop

package present

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// Format is what a texture's pixels are.
type Format int

const (
	RGBA8 Format = iota // four bytes, not premultiplied
	R8                  // one byte, for text
)

func (f Format) vk() int32 {
	if f == R8 {
		return vk.FormatR8
	}
	return vk.FormatRGBA8
}

// bytes of a pixel.
func (f Format) bytes() int {
	if f == R8 {
		return 1
	}
	return 4
}

// Texture is an image that quads are filled with. What it holds before the first Upload is undefined.
type Texture struct {
	dev           *Device
	format        Format
	width, height int
	levels        int
	image         vk.Image
	memory        vk.Memory
	view          vk.ImageView
	set           vk.DescriptorSet
	used          bool // has been uploaded to
	released      bool
}

// MaxSize is the largest width and height of textures that every device has.
const MaxSize = 4096

// NewTexture makes a texture of at most MaxSize pixels in each direction, with so many levels, each half of the one before it.
func (d *Device) NewTexture(f Format, width, height, levels int) (*Texture, error) {
	if width < 1 || height < 1 || width > MaxSize || height > MaxSize || levels < 1 || max(width, height)>>(levels-1) == 0 {
		return nil, fmt.Errorf("present: a texture of %dx%d with %d levels", width, height, levels)
	}
	t := &Texture{dev: d, format: f, width: width, height: height, levels: levels}
	if err := t.open(); err != nil {
		t.destroy()
		return nil, d.noted(err)
	}
	return t, nil
}

func (t *Texture) open() error {
	d := t.dev
	d.textures[t] = struct{}{}
	var err error
	if t.image, err = d.vk.NewImage(t.format.vk(), uint32(t.width), uint32(t.height), uint32(t.levels), vk.ImageUsageSampled|vk.ImageUsageTransferDst); err != nil {
		return err
	}
	size, types := d.vk.ImageRequirements(t.image)
	if t.memory, err = d.allocate(size, types, vk.MemoryDeviceLocal); err != nil {
		return err
	}
	if err = d.vk.BindImage(t.image, t.memory); err != nil {
		return err
	}
	if t.view, err = d.g.NewImageView(t.image, t.format.vk(), uint32(t.levels)); err != nil {
		return err
	}
	if n := len(d.sets); n > 0 {
		t.set, d.sets = d.sets[n-1], d.sets[:n-1]
		d.g.WriteImageSet(t.set, t.view, d.sampler)
		return nil
	}
	if d.made == maxTextures {
		return fmt.Errorf("%w: more than %d textures", gpu.ErrOutOfMemory, maxTextures)
	}
	d.made++
	t.set, err = d.g.NewImageSet(d.pool, d.layout, t.view, d.sampler)
	return err
}

// Size returns width and height in pixels.
func (t *Texture) Size() (width, height int) { return t.width, t.height }

// Upload copies tightly packed rows of pixels to a rectangle of a level; they are there from the next frame on.
func (t *Texture) Upload(level, x, y, width, height int, pixels []byte) error {
	if t.released || level < 0 || level >= t.levels || x < 0 || y < 0 || width < 1 || height < 1 ||
		x+width > max(t.width>>level, 1) || y+height > max(t.height>>level, 1) || len(pixels) != width*height*t.format.bytes() {
		return fmt.Errorf("present: %d bytes for %dx%d pixels at %d,%d of level %d of a texture of %dx%d", len(pixels), width, height, x, y, level, t.width, t.height)
	}
	staging, err := t.dev.newMapped(int64(len(pixels)))
	if err != nil {
		return t.dev.noted(err)
	}
	copy(staging.bytes, pixels)
	t.dev.uploads = append(t.dev.uploads, upload{t, level, x, y, width, height, staging})
	return nil
}

// upload is pixels on their way to a texture.
type upload struct {
	texture                    *Texture
	level, x, y, width, height int
	staging                    *mapped
}

// record has a frame's commands make the uploads; the staging memory is then the frame's.
func (d *Device) recordUploads(f *frame) {
	read := vk.ImageUse{Stage: vk.StageFragment, Access: vk.AccessShaderRead, Layout: vk.LayoutShaderRead}
	write := vk.ImageUse{Stage: vk.StageTransfer, Access: vk.AccessTransferWrite, Layout: vk.LayoutTransferDst}
	open := map[*Texture]bool{}
	for _, u := range d.uploads {
		f.later(func() { u.staging.destroy(d) })
		t := u.texture
		if t.released {
			continue
		}
		if !open[t] {
			before := vk.ImageUse{Stage: vk.StageFragment, Layout: vk.LayoutUndefined}
			if t.used {
				before = read
			}
			d.vk.CmdImageBarrier(f.commands, t.image, uint32(t.levels), before, write)
		} else {
			d.vk.CmdImageBarrier(f.commands, t.image, uint32(t.levels), write, write)
		}
		open[t], t.used = true, true
		d.vk.CmdCopyToImage(f.commands, u.staging.buffer, 0, t.image, uint32(u.level), u.x, u.y, u.width, u.height)
	}
	for t := range open {
		d.vk.CmdImageBarrier(f.commands, t.image, uint32(t.levels), write, read)
	}
	d.uploads = nil
}

// Release gives a texture up. Calls after the first one, and on nil, do nothing.
func (t *Texture) Release() {
	if t == nil || t.released {
		return
	}
	t.released = true
	if t.dev.closed {
		return
	}
	t.dev.last().later(t.destroy)
}

// destroy frees what there is, when no frame uses it any more.
func (t *Texture) destroy() {
	t.released = true
	d := t.dev
	delete(d.textures, t)
	if t.view != nil {
		d.g.DestroyImageView(t.view)
	}
	if t.image != nil {
		d.vk.DestroyImage(t.image)
	}
	if t.memory != nil {
		d.vk.Free(t.memory)
	}
	if t.set != nil {
		d.sets = append(d.sets, t.set)
	}
	t.view, t.image, t.memory, t.set = nil, nil, nil, nil
}

// mapped is a buffer that the host writes or reads.
type mapped struct {
	buffer vk.Buffer
	memory vk.Memory
	bytes  []byte
}

func (d *Device) newMapped(size int64) (_ *mapped, err error) {
	m := &mapped{}
	defer func() {
		if err != nil {
			m.destroy(d)
		}
	}()
	size = (size + 15) &^ 15
	if m.buffer, err = d.vk.NewBuffer(size, nil, false); err != nil {
		return nil, err
	}
	need, types := d.vk.Requirements(m.buffer)
	if m.memory, err = d.allocate(need, types, vk.MemoryHostVisible|vk.MemoryHostCoherent); err != nil {
		return nil, err
	}
	if err = d.vk.Bind(m.buffer, m.memory); err != nil {
		return nil, err
	}
	m.bytes, err = d.vk.Map(m.memory, size)
	return m, err
}

func (m *mapped) destroy(d *Device) {
	if m == nil {
		return
	}
	if m.buffer != nil {
		d.vk.DestroyBuffer(m.buffer)
	}
	if m.memory != nil {
		d.vk.Free(m.memory)
	}
	*m = mapped{}
}

// allocate allocates memory of the first type that has what is wanted.
func (d *Device) allocate(size int64, types, want uint32) (vk.Memory, error) {
	for i, t := range d.physical.MemoryTypes {
		if types>>i&1 == 1 && t.Flags&want == want {
			return d.vk.Allocate(size, i, false)
		}
	}
	return nil, errors.Join(gpu.ErrOutOfMemory, errors.New("present: no memory of the kind that is needed"))
}
