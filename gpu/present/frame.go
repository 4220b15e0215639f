//go:build desktop

package present

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"image"
	"math"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

//go:generate glslangValidator -V --target-env vulkan1.1 quad.vert -o quad.vert.spv
//go:generate glslangValidator -V --target-env vulkan1.1 quad.frag -o quad.frag.spv
//go:generate sh -c "sha256sum quad.vert quad.frag quad.vert.spv quad.frag.spv > SHA256SUMS"
var (
	//go:embed quad.vert.spv
	vertexCode []byte
	//go:embed quad.frag.spv
	fragmentCode []byte
)

// words are the words of SPIR-V.
func words(code []byte) []uint32 {
	w := make([]uint32, len(code)/4)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	return w
}

// Color is red, green, blue and alpha as displays take them (sRGB), not premultiplied.
type Color [4]uint8

// Kind is how a quad is filled.
type Kind uint8

const (
	Solid Kind = iota // with its colour
	Image             // with its texture times its colour
	Text              // with its colour, as much of it as the texture, an R8, says
)

// Quad is a rectangle. Lengths are pixels of the window from its top left corner.
type Quad struct {
	X, Y, W, H float32
	Kind       Kind
	Texture    *Texture   // of Image and Text
	UV         [4]float32 // of the texture at the top left and the bottom right corner, 0 to 1
	Radius     float32    // of the corners
	Soft       float32    // half the width of the edge, for shadows; 0 for a sharp one
	From, To   Color      // at the left edge and at the right one
}

// Sizes of a quad in the storage buffer (quad.vert) and of the push constants.
const (
	quadBytes = 64
	viewBytes = 8
)

func (q *Quad) put(b []byte) {
	for i, v := range [...]float32{q.X, q.Y, q.W, q.H, q.UV[0], q.UV[1], q.UV[2], q.UV[3], q.Radius, q.Soft, float32(q.Kind), 0} {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	copy(b[48:], q.From[:])
	copy(b[52:], q.To[:])
}

// frame is what one frame in flight owns.
type frame struct {
	pool     vk.CommandPool
	commands vk.CommandBuffer
	acquired vk.Semaphore
	fence    vk.Fence
	busy     bool // the fence will be signalled
	quads    *mapped
	set      vk.DescriptorSet
	sets     int      // allocated
	garbage  []func() // to be done when the frame is
}

// maxGrowth is how often a frame's memory for quads can grow, by a factor of four each time.
const maxGrowth = 8

const firstQuads = 1024

func (f *frame) open(d *Device) error {
	var err error
	if f.pool, err = d.vk.NewCommandPool(d.family); err != nil {
		return err
	}
	if f.commands, err = d.vk.BeginCommandBuffer(f.pool); err != nil {
		return err
	}
	if f.acquired, err = d.vk.NewBinary(); err != nil {
		return err
	}
	if f.fence, err = d.vk.NewFence(); err != nil {
		return err
	}
	return f.grow(d, firstQuads)
}

// grow makes room for so many quads.
func (f *frame) grow(d *Device, quads int) error {
	size := int64(firstQuads * quadBytes)
	for size < int64(quads)*quadBytes {
		size *= 4
	}
	if f.quads != nil && int64(len(f.quads.bytes)) >= size {
		return nil
	}
	if f.sets == maxGrowth {
		return errors.New("present: too many quads")
	}
	m, err := d.newMapped(size)
	if err != nil {
		return err
	}
	f.quads.destroy(d)
	f.quads = m
	f.sets++
	f.set, err = d.vk.NewDescriptorSet(d.pool, d.layout.Sets[0], []vk.Binding{{Buffer: m.buffer, Size: size}})
	return err
}

// later has something done when the frame is.
func (f *frame) later(do func()) { f.garbage = append(f.garbage, do) }

// finish waits for the frame.
func (f *frame) finish(d *Device) error {
	if f.busy {
		if err := d.vk.WaitFence(f.fence); err != nil {
			return d.noted(err)
		}
		if err := d.vk.ResetFence(f.fence); err != nil {
			return d.noted(err)
		}
		f.busy = false
	}
	f.clean()
	return nil
}

func (f *frame) clean() {
	garbage := f.garbage
	f.garbage = nil
	for _, do := range garbage {
		do()
	}
}

func (f *frame) destroy(d *Device) {
	f.clean()
	f.quads.destroy(d)
	if f.fence != nil {
		d.vk.DestroyFence(f.fence)
	}
	if f.acquired != nil {
		d.vk.DestroySemaphore(f.acquired)
	}
	if f.pool != nil {
		d.vk.DestroyCommandPool(f.pool)
	}
}

// last is the slot of the frame that was begun last.
func (d *Device) last() *frame { return &d.frames[(d.count+len(d.frames)-1)%len(d.frames)] }

// acquireTimeout is how long a frame waits for the window system before it is left out.
const acquireTimeout = 100 * time.Millisecond

// Frame draws quads, in order, on a background over a window of width x height pixels, and shows them when the display is ready; it may
// wait for that. shown is false if nothing could be shown now: the window is minimized, or the window system is busy. Then the
// caller tries again later.
func (d *Device) Frame(width, height int, background Color, quads []Quad) (shown bool, err error) {
	_, shown, err = d.frame(width, height, background, quads, false)
	return shown, err
}

// Capture is Frame, and returns what it has drawn, as it was shown. Without an error the image is nil if nothing was shown.
func (d *Device) Capture(width, height int, background Color, quads []Quad) (*image.NRGBA, error) {
	img, _, err := d.frame(width, height, background, quads, true)
	return img, err
}

// Finish waits until the last frame has been drawn.
func (d *Device) Finish() error {
	f := d.last()
	if !f.busy {
		return nil
	}
	return d.noted(d.vk.WaitFence(f.fence))
}

// frame draws a frame, and after an error no other: an image or a semaphore may be left as nobody expects it.
func (d *Device) frame(width, height int, background Color, quads []Quad, capture bool) (img *image.NRGBA, shown bool, err error) {
	switch {
	case d.lost:
		return nil, false, gpu.ErrDeviceLost
	case d.broken != nil:
		return nil, false, d.broken
	}
	if img, shown, err = d.draw(width, height, background, quads, capture); err != nil {
		d.broken = err
		return nil, false, err
	}
	return img, shown, d.in.messages()
}

func (d *Device) draw(width, height int, background Color, quads []Quad, capture bool) (*image.NRGBA, bool, error) {
	ok, err := d.surfaceFits(width, height)
	if !ok || err != nil {
		return nil, false, err
	}
	f := &d.frames[d.count%len(d.frames)]
	if err := f.finish(d); err != nil {
		return nil, false, err
	}
	i, err := d.g.Acquire(d.swap.handle, uint64(acquireTimeout), f.acquired)
	switch {
	case errors.Is(err, vk.Suboptimal):
		d.swap.stale = true // but good for this frame
	case errors.Is(err, vk.OutOfDate):
		d.swap.stale = true
		return nil, false, nil
	case errors.Is(err, vk.Timeout), errors.Is(err, vk.NotReady):
		return nil, false, nil
	case err != nil:
		return nil, false, d.noted(err)
	}
	d.count++
	var pixels *mapped
	if capture && d.swap.readable {
		if pixels, err = d.newMapped(int64(d.swap.width) * int64(d.swap.height) * 4); err != nil {
			return nil, false, d.noted(err)
		}
		defer func() { pixels.destroy(d) }()
	}
	if err := d.record(f, &d.swap.images[i], background, quads, pixels); err != nil {
		return nil, false, d.noted(err)
	}
	if err := d.submit(f, i); err != nil {
		return nil, false, err
	}
	if pixels != nil {
		if err := d.Finish(); err != nil {
			return nil, false, err
		}
		return d.swap.decode(pixels.bytes), true, nil
	}
	return nil, true, nil
}

// record fills a frame's command buffer.
func (d *Device) record(f *frame, t *target, background Color, quads []Quad, pixels *mapped) error {
	if err := f.grow(d, len(quads)); err != nil {
		return err
	}
	for i := range quads {
		quads[i].put(f.quads.bytes[i*quadBytes:])
	}
	if err := d.g.ResetPool(f.pool); err != nil {
		return err
	}
	if err := d.vk.OpenCommandBuffer(f.commands); err != nil {
		return err
	}
	d.recordUploads(f)
	s := d.swap
	view := make([]byte, viewBytes)
	binary.LittleEndian.PutUint32(view, math.Float32bits(float32(s.width)))
	binary.LittleEndian.PutUint32(view[4:], math.Float32bits(float32(s.height)))
	var clear [4]float32
	for i, v := range background {
		clear[i] = float32(v) / 255
	}
	d.g.CmdBeginQuads(f.commands, s.pass, t.framebuffer, s.width, s.height, clear, s.pipeline, d.layout, f.set, view)
	for first := 0; first < len(quads); {
		n := 1
		for first+n < len(quads) && d.texture(&quads[first+n]) == d.texture(&quads[first]) {
			n++
		}
		d.g.CmdDrawQuads(f.commands, d.layout, d.texture(&quads[first]).set, first, n)
		first += n
	}
	d.g.CmdEndQuads(f.commands)
	if pixels != nil {
		shown := vk.ImageUse{Stage: vk.StageColor, Access: vk.AccessColorWrite, Layout: vk.LayoutPresent}
		copied := vk.ImageUse{Stage: vk.StageTransfer, Access: vk.AccessTransferRead, Layout: vk.LayoutTransferSrc}
		d.vk.CmdImageBarrier(f.commands, t.image, 1, shown, copied)
		d.vk.CmdCopyFromImage(f.commands, vk.ImagePart{Image: t.image, Width: int(s.width), Height: int(s.height)}, pixels.buffer, 0)
		d.vk.CmdImageBarrier(f.commands, t.image, 1, copied, vk.ImageUse{Stage: vk.StageBottom, Layout: vk.LayoutPresent})
		d.vk.CmdBarrier(f.commands, vk.StageTransfer, vk.AccessTransferWrite, vk.StageHost, vk.AccessHostRead)
	}
	return d.vk.EndCommandBuffer(f.commands)
}

// texture is what a quad binds.
func (d *Device) texture(q *Quad) *Texture {
	if q.Kind == Solid || q.Texture == nil || !q.Texture.used || q.Texture.released {
		return d.white
	}
	return q.Texture
}

// submit gives a frame to the device, and its image to the display.
func (d *Device) submit(f *frame, image uint32) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	drawn := d.swap.images[image].drawn
	if err := d.g.SubmitFrame(d.queue, f.commands, f.acquired, drawn, f.fence); err != nil {
		return d.noted(err)
	}
	f.busy = true
	err := d.g.Present(d.queue, d.swap.handle, image, drawn)
	if errors.Is(err, vk.Suboptimal) || errors.Is(err, vk.OutOfDate) {
		d.swap.stale = true
		return nil
	}
	return d.noted(err)
}

// decode makes an image of the bytes of one of the swapchain's.
func (s *swapchain) decode(pixels []byte) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, int(s.width), int(s.height)))
	copy(img.Pix, pixels)
	for i := 0; i < len(img.Pix); i += 4 {
		if s.format == vk.FormatBGRA8 {
			img.Pix[i], img.Pix[i+2] = img.Pix[i+2], img.Pix[i]
		}
		img.Pix[i+3] = 255
	}
	return img
}
