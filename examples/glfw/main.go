// Command glfw shows a picture with Vulkan, in a window of GLFW, and has bitgpu run a network on the same Vulkan device: the
// picture that is shown is the one that is classified, and it is never copied to the processor. The title has the answer.
//
//	go run ./glfw ../docs/photos/chelsea.png
//
// Device holds what a host has to do for bitgpu, screen what it does for itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"log"
	"os"
	"runtime"
	"time"

	_ "image/jpeg"
	_ "image/png"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/go-gl/glfw/v3.3/glfw"
	vk "github.com/vulkan-go/vulkan"
)

func init() { runtime.LockOSThread() } // window systems want their calls from the thread that the program began on

func main() {
	once := flag.Bool("once", false, "end when the answer is there, and print it")
	flag.Parse()
	if err := run(flag.Arg(0), *once); err != nil {
		log.Fatal(err)
	}
}

func run(path string, once bool) error {
	picture, err := decode(path)
	if err != nil {
		return err
	}
	if err := glfw.Init(); err != nil {
		return err
	}
	defer glfw.Terminate()
	glfw.WindowHint(glfw.ClientAPI, glfw.NoAPI)
	window, err := glfw.CreateWindow(picture.Rect.Dx(), picture.Rect.Dy(), "opening …", nil, nil)
	if err != nil {
		return err
	}
	defer window.Destroy()
	d, err := newDevice(window)
	if err != nil {
		return err
	}
	defer d.close()
	texture, err := d.upload(picture)
	if err != nil {
		return err
	}
	defer texture.close()
	s := &screen{device: d, window: window, picture: texture}
	defer s.close()

	// The network runs beside the window. SliceBudget leaves the queue free for frames in between.
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan string, 1)
	go func() {
		defer close(answer)
		text, err := classify(ctx, d.host(), texture)
		if err != nil {
			text = err.Error()
		}
		answer <- text
		glfw.PostEmptyEvent()
	}()
	defer func() { // before what the network uses goes
		cancel()
		for range answer {
		}
	}()

	dirty := true
	window.SetRefreshCallback(func(*glfw.Window) { dirty = true })
	window.SetFramebufferSizeCallback(func(*glfw.Window, int, int) { dirty = true })
	for !window.ShouldClose() {
		if dirty {
			drawn, err := s.draw()
			if err != nil {
				return err
			}
			dirty = !drawn
		}
		select {
		case text, ok := <-answer:
			if !ok {
				answer = nil
				break
			}
			window.SetTitle(text)
			if once {
				fmt.Println(text)
				window.SetShouldClose(true)
			}
		default:
		}
		glfw.WaitEventsTimeout(0.1)
	}
	return nil
}

// classify runs the network on the picture where it is.
func classify(ctx context.Context, host *gpu.Host, picture *texture) (string, error) {
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{Host: host, SliceBudget: 8 * time.Millisecond})
	if err != nil {
		return "", err
	}
	defer m.Close()
	out, err := m.RunHost(ctx, []bitgpu.HostPicture{{Image: &gpu.ExternalImage{
		Handle: handle(picture.image), Format: gpu.RGBA8, Width: picture.width, Height: picture.height,
		Layout: int32(vk.ImageLayoutTransferSrcOptimal), // as upload left it, and as draw wants it
	}}}, bitgpu.Outputs{Logits: true})
	if err != nil {
		return "", err
	}
	top := m.Top(out.Logits.Data, 1)[0]
	return fmt.Sprintf("%s, %.0f %%", top.Label, 100*top.Prob), nil
}

func decode(path string) (*image.RGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	picture := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(picture, picture.Rect, img, img.Bounds().Min, draw.Src)
	return picture, nil
}
