package bitgpu

import (
	"context"
	"fmt"
	"image"
	"io"
	"iter"
	"runtime"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// Input is one picture of a stream; the first of the fields that is set counts.
type Input struct {
	Name  string      // for the caller; in errors of Open
	Image image.Image // a decoded picture
	Path  string      // a file
	Open  func() (io.ReadCloser, error)
}

// Result is the answer to one Input of a stream: Output with one row in each tensor, or Err.
type Result struct {
	Input  Input
	Output *Output
	Err    error
}

// Stream runs any number of pictures in constant memory and yields a Result for each, in order. A
// picture that cannot be read gives a Result with an error; the others go on. Pictures are decoded
// by as many goroutines as there are processors, while the device computes. If the device fails,
// that picture's and all later results carry the error. When ctx ends, what is in flight is dropped,
// and the last Result has ctx's error. inputs runs in a goroutine of its own.
func (m *Model) Stream(ctx context.Context, inputs iter.Seq[Input], want Outputs) iter.Seq[Result] {
	return m.stream(ctx, inputs, want, maxBatch)
}

// stream is Stream with at most so many pictures in a batch.
func (m *Model) stream(ctx context.Context, inputs iter.Seq[Input], want Outputs, most int) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		inner, cancel := context.WithCancel(ctx)
		s := &stream{model: m, ctx: inner}
		defer func() {
			cancel()
			for f := range s.flights { // until the pipeline has ended
				f.drop()
			}
		}()
		spec := net.BatchSpec{
			Images: most, Height: m.info.Preprocess.Size, Width: m.info.Preprocess.Size, Input: net.Pixels, Outputs: want,
		}
		var err error
		if spec.Images, err = m.batch(spec); err != nil {
			err = fmt.Errorf("bitgpu: %w", err)
		}
		s.start(inputs, spec, err)
		for f := range s.flights {
			for r := range f.results(inner) {
				if !yield(r) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Result{Err: fmt.Errorf("bitgpu: %w", err)})
		}
	}
}

// maxBatch is the largest automatic batch.
const maxBatch = 64

// stream is a running Stream: inputs -> jobs, decoded by workers -> flights, in order.
type stream struct {
	model   *Model
	ctx     context.Context
	order   chan *job // in the order of the inputs
	work    chan *job // the same jobs, for whichever worker is free
	flights chan *flight
}

// job is one picture on its way; crop and err are valid when done is closed.
type job struct {
	input Input
	crop  *loader.Image
	err   error
	done  chan struct{}
}

// flight is a run of consecutive jobs; those without an error are the rows of batch, in order.
type flight struct {
	jobs  []*job
	batch *net.Batch
	err   error // of the device: the answer to all jobs that have none of their own
}

func (s *stream) start(inputs iter.Seq[Input], spec net.BatchSpec, err error) {
	workers := runtime.GOMAXPROCS(0)
	s.order = make(chan *job, max(spec.Images, 1)+workers)
	s.work = make(chan *job, cap(s.order))
	s.flights = make(chan *flight, 1)
	go s.read(inputs)
	for range workers {
		go s.decode()
	}
	go s.fly(spec, err)
}

// read makes jobs of the inputs. It ends early when ctx does.
func (s *stream) read(inputs iter.Seq[Input]) {
	defer close(s.order)
	defer close(s.work)
	for in := range inputs {
		j := &job{input: in, done: make(chan struct{})}
		select {
		case s.order <- j:
		case <-s.ctx.Done():
			return
		}
		s.work <- j
	}
}

func (s *stream) decode() {
	for j := range s.work {
		if s.ctx.Err() == nil {
			j.crop, j.err = s.model.load(j.input)
		}
		close(j.done)
	}
}

// load decodes and preprocesses one picture.
func (m *Model) load(in Input) (*loader.Image, error) {
	img, err := m.decode(in)
	if err != nil {
		return nil, err
	}
	return m.info.Preprocess.Apply(img)
}

func (m *Model) decode(in Input) (*loader.Image, error) {
	limits := loader.DecodeLimits{MaxPixels: m.options.MaxPixels}
	switch {
	case in.Image != nil:
		return loader.FromGoImage(in.Image), nil
	case in.Path != "":
		return loader.DecodeFile(in.Path, limits)
	case in.Open != nil:
		r, err := in.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		img, err := loader.Decode(r, limits)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
		return img, nil
	}
	return nil, fmt.Errorf("bitgpu: input %q has no picture", in.Name)
}

// fly gathers jobs into batches and submits them. After a device error it goes on answering, with
// that error.
func (s *stream) fly(spec net.BatchSpec, err error) {
	defer close(s.flights)
	for open := true; open; {
		f := &flight{err: err}
		if open = f.gather(s, spec.Images); len(f.jobs) == 0 {
			return
		}
		if err == nil {
			err = f.submit(s, spec)
			f.err = err
		}
		select {
		case s.flights <- f:
		case <-s.ctx.Done():
			f.drop()
			return
		}
	}
}

// gather takes jobs until size of them have pictures; false when there are no more.
func (f *flight) gather(s *stream, size int) bool {
	for n := 0; n < max(size, 1); {
		select {
		case j, open := <-s.order:
			if !open {
				return false
			}
			<-j.done
			f.jobs = append(f.jobs, j)
			if j.err == nil {
				n++
			}
			if j.err != nil && n == 0 {
				return true // nothing to wait for
			}
		case <-s.ctx.Done():
			return false
		}
	}
	return true
}

// submit starts the device on the jobs that have a picture.
func (f *flight) submit(s *stream, spec net.BatchSpec) error {
	var crops []*loader.Image
	for _, j := range f.jobs {
		if j.err == nil && j.crop != nil {
			crops = append(crops, j.crop)
			j.crop = nil
		}
	}
	if len(crops) == 0 {
		return nil
	}
	spec.Images = len(crops)
	b, err := s.model.net.Start(s.ctx, spec, func(input []byte) {
		for _, c := range crops {
			input = input[copy(input, c.Pix):]
		}
	})
	if err != nil {
		return fmt.Errorf("bitgpu: %w", err)
	}
	f.batch = b
	return nil
}

// results waits for the batch and yields the jobs' answers.
func (f *flight) results(ctx context.Context) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		var out *Output
		if f.batch != nil {
			var err error
			if out, err = f.batch.Wait(ctx); err != nil {
				f.err = fmt.Errorf("bitgpu: %w", err)
			}
		}
		row := 0
		for _, j := range f.jobs {
			r := Result{Input: j.input, Err: j.err}
			if r.Err == nil && f.err != nil {
				r.Err = f.err
			}
			if r.Err == nil {
				r.Output = out.Image(row)
				row++
			}
			if !yield(r) {
				return
			}
		}
	}
}

// drop gives up a flight that nobody will wait for.
func (f *flight) drop() {
	if f.batch != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = f.batch.Wait(ctx) // gives the batch's room back when the device is done
	}
}
