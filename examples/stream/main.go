// Command stream says what a camera sees, as it sees it. Frames come as JPEG files one after the other on standard
// input (MJPEG, which most programs for cameras write), or, without a camera, from a window that moves over a picture.
//
//	ffmpeg -v error -f v4l2 -i /dev/video0 -c:v copy -f mjpeg - | go run ./stream
//	go run ./stream -over ../docs/photos/chelsea.png -frames 100
//
// A camera does not wait. The frame that is run is always the latest one; those that came meanwhile are dropped, and
// their JPEG is not even decoded. Every second a line tells what is seen, and how many frames came and were run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/bitgpu/bitgpu"
)

func main() {
	over := flag.String("over", "", "the `PICTURE` to move a window over, in place of a camera")
	frames := flag.Int("frames", 0, "the number of frames after which that ends; 0 for never")
	fps := flag.Int("fps", 30, "its frames a second")
	name := flag.String("model", bitgpu.Demo, "the network")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	m, err := bitgpu.Open(ctx, *name, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	camera := func(put func(bitgpu.Input)) error { return readMJPEG(os.Stdin, put) }
	if *over != "" {
		camera = func(put func(bitgpu.Input)) error { return pan(ctx, *over, *frames, *fps, put) }
	}
	if err := watch(ctx, m, camera, os.Stdout, time.Second); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// watch runs the latest of a camera's frames until the camera ends or ctx does.
func watch(ctx context.Context, m *bitgpu.Model, camera func(put func(bitgpu.Input)) error, w io.Writer, every time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slot, ended := newLatest(), make(chan error, 1)
	go func() {
		ended <- camera(slot.put)
		close(slot.frame)
	}()
	run, last, began := 0, "nothing", time.Now()
	tell := func() {
		seconds := time.Since(began).Seconds()
		fmt.Fprintf(w, "%s  (%d frames, %d run, %d dropped; %.1f run a second)\n", last, slot.came.Load(), run, slot.dropped.Load(), float64(run)/seconds)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			tell()
		case frame, ok := <-slot.frame:
			if !ok {
				tell()
				return <-ended
			}
			r := <-m.Go(ctx, frame, bitgpu.Outputs{Logits: true})
			if r.Err != nil {
				last = r.Err.Error() // a damaged frame; the next one is another
			} else {
				top := m.Top(r.Output.Logits.Data, 1)[0]
				last = fmt.Sprintf("%s, %.0f %%", top.Label, 100*top.Prob)
			}
			run++
		}
	}
}
