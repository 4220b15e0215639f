// Package present shows rectangles, with pictures and text, in a window, on the Vulkan device that package gpu
// computes on. It is for programs with a window and built only with the tag desktop; which library opens the window is theirs to
// choose.
//
//	in, err := present.NewInstance(present.Options{Extensions: window.GetRequiredInstanceExtensions()})
//	surface, err := window.CreateWindowSurface(in.Handle(), nil)
//	d, err := in.Open(surface, "auto")
//	m, err := bitgpu.Open(ctx, "demo", bitgpu.Options{Host: d.Host(), SliceBudget: 20 * time.Millisecond})
//	shown, err := d.Frame(width, height, background, quads)
//
// # Ownership
//
// An Instance owns the devices' Vulkan instance, a Device its surface and all that it draws with. What a Host was
// made for is closed before its Device, and Devices before their Instance. Textures live until Release or until their Device
// is closed.
//
// # Goroutines
//
// A Device belongs to one goroutine. Package gpu may use its Host from others at the same time: where the device has a
// second queue that queue is the Host's alone, else both take the Host's lock.
//
// # Errors
//
// Those of package gpu, and ErrSurfaceLost. After an error of Frame, Capture or Finish, and after gpu.ErrDeviceLost of any call, a
// Device is good for Close only. A *gpu.ValidationError is none: the frame has been shown.
package present
