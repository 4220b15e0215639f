package resample

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// Resident is a picture that a host has in the device's memory, four bytes a pixel: a rectangle of an
// image, or rows in a buffer. What of it the crop depends on is copied on the device. The fourth byte is
// dropped.
type Resident struct {
	Image *gpu.ExternalImage
	X, Y  int // of the picture in the image

	// In place of Image: rows every Stride bytes, a multiple of four, from the start of Buffer to its end.
	Buffer   gpu.Range
	Stride   int
	Order    gpu.ExternalFormat
	Transfer bool   // the queue family Owner has released the buffer, and acquires it afterwards
	Owner    uint32 // (gpu.Recorder.Acquire)

	Wait, Signal []gpu.Semaphore // gpu.Job's
	Fences       []uintptr
}

// Format is that of the pixels.
func (x *Resident) Format() gpu.ExternalFormat {
	if x.Image != nil {
		return x.Image.Format
	}
	return x.Order
}

// stride is that of the rows as they are copied.
func (x *Resident) stride(p *Picture) int {
	if x.Image != nil {
		return 4 * p.Width
	}
	return x.Stride
}

func (x *Resident) check(p *Picture) error {
	switch {
	case p.Width < 1 || p.Height < 1:
		return fmt.Errorf("a picture of %d x %d pixels", p.Width, p.Height)
	case x.Image != nil:
		return nil // gpu.Recorder.CopyImage knows best
	case x.Order > gpu.BGRA8:
		return fmt.Errorf("pixels of format %d", x.Order)
	case x.Stride < 4*p.Width || x.Stride%4 != 0:
		return fmt.Errorf("rows of %d bytes for %d pixels: want a multiple of 4, and at least %d", x.Stride, p.Width, 4*p.Width)
	case x.Buffer.Buffer == nil || x.Buffer.Size != int64(p.Height-1)*int64(x.Stride)+int64(4*p.Width):
		return errors.New("a part of a buffer that is not the picture's size")
	}
	return nil
}

// fetch records the copy of a picture to dst.
func (x *Resident) fetch(rec *gpu.Recorder, p *Picture, dst gpu.Range) {
	if x.Image != nil {
		dst.Size = 4 * int64(p.Width) * int64(p.Height)
		rec.CopyImage(dst, x.Image, x.X, x.Y, p.Width, p.Height)
		return
	}
	dst.Size = x.Buffer.Size
	if x.Transfer {
		rec.Acquire(x.Buffer, x.Owner)
	}
	rec.Copy(dst, x.Buffer)
	if x.Transfer {
		rec.Release(x.Buffer, x.Owner)
	}
}

// share has a job wait and signal for its resident pictures.
func share(job *gpu.Job, pictures []Picture) {
	for i := range pictures {
		if x := pictures[i].Resident; x != nil {
			job.Wait = append(job.Wait, x.Wait...)
			job.Signal = append(job.Signal, x.Signal...)
			job.Fences = append(job.Fences, x.Fences...)
		}
	}
}

// Skip waits for resident pictures, on the device, and signals that they are read, without reading them.
func (r *Resizer) Skip(pictures []Picture) {
	var job gpu.Job
	share(&job, pictures)
	_, _ = r.dev.Submit(job) // whoever skips has an error to tell
}

// resident returns the first pass for pixels of four bytes.
func (r *Resizer) resident(f gpu.ExternalFormat) (*gpu.Pipeline, error) {
	var swap uint32
	if f == gpu.BGRA8 {
		swap = 1
	}
	return r.dev.NewPipeline(shaders.Resize().Rows, localSize, 4, swap)
}
