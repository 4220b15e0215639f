// Package gpu runs compute kernels on a Vulkan device. It knows kernels (package shaders), buffers, command
// buffers and queues, and nothing of networks.
//
//	d, err := gpu.Open(gpu.Options{})
//	in, err := d.NewBuffer(4096, gpu.Upload)
//	out, err := d.NewBuffer(4096, gpu.Readback)
//	p, err := d.NewPipeline(kernel)
//	r := d.NewRecorder()
//	r.Dispatch(p, [3]uint32{16, 1, 1}, nil, in.All(), out.All())
//	c, err := r.End()
//	pending, err := d.Submit(gpu.Job{Compute: c})
//	err = pending.Wait(ctx)
//
// Commands are recorded once and submitted as often as wanted. A Job has up to three parts, upload, compute
// and readback; where the device has a transfer queue, the outer two run there beside the compute of other
// jobs.
//
// # Ownership
//
// A Device owns everything made from it, and Close destroys all of it. Release gives up one object earlier;
// an object that a submission in flight uses is destroyed when that is done. Released objects cannot be
// submitted any more.
//
// # Goroutines
//
// A Device and what is made from it may be used from any goroutine, but for Recorder, which belongs to one,
// and for the bytes of mapped buffers, which nothing protects: write an Upload buffer before the Submit
// that reads it, read a Readback buffer after the Wait for the job that wrote it.
//
// # Hosts
//
// Options.Host makes a Device of what a program already has; NeedsOfInstance and Host.NeedsOfDevice say how that is best made.
// Jobs of such a Device may wait for the program's semaphores and signal them and its fences, copy from its images
// (Recorder.CopyImage) and use its buffers (AdoptBuffer), with changes of the owning queue family. Close waits for the jobs and
// leaves all that is the host's as it was.
//
// # Making way
//
// With Options.SliceBudget jobs reach the queue in short slices. Pause holds the next one back, Abort ends all jobs before it, and
// with Options.LowPriority the device rests after each, or its driver's threads make way by themselves.
//
// # Errors
//
// ErrNoVulkan, ErrNoDevice, ErrDeviceLost, ErrOutOfMemory and ErrClosed are found with errors.Is, and
// *ValidationError with errors.As. After ErrDeviceLost everything but Release and Close fails; a new device can be
// opened.
package gpu
