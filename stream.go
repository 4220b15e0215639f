package bitgpu

import (
	"cmp"
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
	Class int // what the picture is, for Evaluate
}

// Result is the answer to one Input of a stream: Output with one row in each tensor, or Err.
type Result struct {
	Input  Input
	Output *Output
	Err    error
}

// Stream runs any number of pictures in constant memory and yields a Result for each, in order. A
// picture that cannot be read gives a Result with an error; the others go on. While the device
// computes, pictures are decoded by as many goroutines as there are processors, and some more read
// files; Input.Open is called from several goroutines at once.
//
// Several devices share the pictures, each taking the next when it is free. The pictures of one that
// fails are run by the others, and Close tells of it; when the last one fails, that picture's and all
// later results carry the error. When ctx ends, what is in flight is dropped, and the last Result has
// ctx's error. inputs runs in a goroutine of its own.
func (m *Model) Stream(ctx context.Context, inputs iter.Seq[Input], want Outputs) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		s := m.share(ctx, m.pictures(maxBatch, want))
		defer s.close()
		m.load(s, inputs)
		for f := range s.arrivals() {
			for r := range f.results() {
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

// pictures describes batches of at most so many pictures.
func (m *Model) pictures(most int, want Outputs) net.BatchSpec {
	size := m.info.Preprocess.Size
	return net.BatchSpec{Images: most, Height: size, Width: size, Input: m.options.Preprocessor.input(), Outputs: want}
}

// results yields the answers to a finished flight's jobs.
func (f *flight) results() iter.Seq[Result] {
	return func(yield func(Result) bool) {
		row := 0
		for _, j := range f.jobs {
			r := Result{Input: j.input, Err: j.err}
			switch {
			case j.err != nil:
			case f.err != nil:
				r.Err = fmt.Errorf("bitgpu: %w", f.err)
			default:
				r.Output = f.out.Image(row)
				row++
			}
			if !yield(r) {
				return
			}
		}
	}
}

// Flights that a device has at once. One is computed, one is uploaded and one read back; of several
// devices each has one less, which leaves more of a short sequence to the faster ones.
const (
	flightsAlone  = 3
	flightsShared = 2
)

// Results that wait for an earlier one on a slower device: pictures, and bytes.
const (
	windowPictures = 1024
	windowBytes    = 64 << 20
)

// share starts the devices on pictures of spec's size: at most spec.Images in a batch.
func (m *Model) share(ctx context.Context, spec net.BatchSpec) *sharing {
	var workers []*worker
	var failure error
	ahead, most, flying := 0, 0, 0 // pictures
	for _, e := range m.engines {
		size, err := m.fit(e, spec)
		if err != nil {
			failure = err
			continue
		}
		depth := flightsShared
		if len(m.engines) == 1 {
			depth = flightsAlone
		}
		workers = append(workers, &worker{
			size: size, depth: depth, failed: e.failed,
			run: func(ctx context.Context, p []picture) (*Output, error) { return m.run(ctx, e, spec, p) },
		})
		ahead, most, flying = ahead+size, max(most, size), flying+depth*size
	}
	each := int64(1)
	if len(workers) > 0 {
		spec.Images = 1
		if plan, err := m.engines[0].net.Plan(spec); err == nil { // fit has made it before
			each = max(plan.OutputSize, 1)
		}
	}
	window := max(flying+most, int(min(windowPictures, windowBytes/each)))
	return share(ctx, workers, ahead+m.options.loaders(), window, failure)
}

// decoders is how many pictures are decoded at once, by all Streams together.
func (o Options) decoders() int {
	if o.LowPriority {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// loaders is how many pictures a Stream has read or decoded at once: some wait for a disk or a network.
func (o Options) loaders() int { return 2*o.decoders() + 4 }

// load makes jobs of the inputs, in goroutines that end with the inputs or with the sharing.
func (m *Model) load(s *sharing, inputs iter.Seq[Input]) {
	work := make(chan *job, s.ahead) // no more are waiting to be settled
	held := new(waiting)
	go func() {
		defer close(work)
		defer s.end()
		for in := range inputs {
			j := &job{input: in}
			if !s.add(j) {
				return
			}
			work <- j
		}
	}()
	for range m.options.loaders() {
		go func() {
			for j := range work {
				if err := s.ctx.Err(); err != nil {
					s.settle(j, nil, err)
					continue
				}
				p, err := m.decode(s.ctx, j.input, held)
				s.settle(j, p, err)
			}
		}()
	}
}

// decode reads and decodes one picture, and preprocesses it unless the device does.
func (m *Model) decode(ctx context.Context, in Input, w *waiting) (p picture, err error) {
	file, err := m.read(in)
	if err != nil {
		return nil, err
	}
	select {
	case m.decoders <- struct{}{}:
		defer func() { <-m.decoders }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.engines[0].dev.Background(func() { p, err = m.decoded(in, file, w) })
	return p, err
}

// decoded makes the picture of a file, or of an image if there is no file.
func (m *Model) decoded(in Input, file *loader.Encoded, w *waiting) (picture, error) {
	if file == nil {
		return m.picture(loader.FromGoImage(in.Image), w)
	}
	img, err := file.Decode()
	if err != nil {
		return nil, err
	}
	if m.options.AutoOrient {
		img = img.Oriented(file.Orientation())
	}
	return m.picture(img, w)
}

// picture makes what the devices get of a decoded picture.
func (m *Model) picture(img *loader.Image, w *waiting) (picture, error) {
	if m.options.Preprocessor == PreprocessGPU {
		f, err := m.photo(img, w)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	crop, err := m.info.Preprocess.Apply(img)
	if err != nil {
		return nil, err
	}
	return pixels(crop.Pix), nil
}

// read brings a picture's file into memory; nil if it is decoded already.
func (m *Model) read(in Input) (*loader.Encoded, error) {
	limits := loader.DecodeLimits{MaxPixels: m.options.MaxPixels, MaxBytes: m.options.MaxBytes}
	switch {
	case in.Image != nil:
		return nil, nil
	case in.Path != "":
		return loader.ReadImageFile(in.Path, limits)
	case in.Open != nil:
		r, err := in.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return loader.ReadImage(r, cmp.Or(in.Name, "image"), limits)
	}
	return nil, fmt.Errorf("bitgpu: input %q has no picture", in.Name)
}
