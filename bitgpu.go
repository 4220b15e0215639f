// Package bitgpu runs Google's Big Transfer (BiT) image networks on any Vulkan device, from Go:
// classification, embeddings and feature maps, with timm's preprocessing to the byte.
//
//	m, err := bitgpu.Open(ctx, "demo", bitgpu.Options{})
//	if err != nil { ... }
//	defer m.Close()
//	top, err := m.Classify(ctx, img, 5)
//
// A Model holds one or several devices and a network's weights on each. All of its methods may be called from many
// goroutines. The package keeps no global state, writes nothing and installs nothing; Close returns
// all that Open took.
package bitgpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/shaders"
)

// Demo is the name of the small network that is part of every program: CIFAR-10's ten classes at
// 64x64 pixels (loader/demo).
const Demo = "demo"

// DefaultModel is the network that bitgpu is made for.
const DefaultModel = net.DefaultModel

// RandomGolden as Options.Weights stands for generated weights, which need no file: they test a
// network of any published size (loader.Generated).
const RandomGolden = "random:golden"

// ErrNoModel is wrapped by the error of Open when no weights were found under a name.
var ErrNoModel = errors.New("model not found")

// Precision is how activations and weights are stored on the device. Sums, statistics and results
// are float32 always.
type Precision uint8

const (
	Auto Precision = iota // FP16
	FP32
	FP16
)

// ParsePrecision reads "auto", "fp32" or "fp16".
func ParsePrecision(s string) (Precision, error) {
	for _, p := range []Precision{Auto, FP32, FP16} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("bitgpu: precision %q, want auto, fp32 or fp16", s)
}

// String is the inverse of ParsePrecision.
func (p Precision) String() string {
	switch p {
	case FP32:
		return "fp32"
	case FP16:
		return "fp16"
	}
	return "auto"
}

func (p Precision) storage() shaders.Storage {
	if p == FP32 {
		return shaders.F32
	}
	return shaders.F16
}

// Override stands in for parts of a model's preprocessing.
type Override = loader.Override

// Options of Open. The zero value works.
type Options struct {
	// Device is "", "auto", "cpu", an index, a UUID or part of a name, as gpu.Options has it; or several of
	// these with commas between, or "all", as gpu.Select has them: then the devices share the pictures of Stream
	// and Forward, and another call goes to the one with the least to do. Each has the weights in its memory.
	// Results may differ in the last bits between devices of different kinds.
	Device    string
	Precision Precision // storage on the device
	Batch     int       // most images in one batch; 0 for what suits the network and the device
	Weights   string    // "" for the model's own; RandomGolden with a published architecture's name

	// Offline forbids to fetch weights, as HF_HUB_OFFLINE=1 does. Otherwise those of a published model, or of one
	// that is named hf-hub:OWNER/NAME, are fetched when they are not on this machine, as Pull does.
	Offline  bool
	Fetching func(hub.Progress) // if set, called while weights are fetched

	// Head takes the place of the model's own classifier, or of none: it gives the logits and the labels. The
	// error of Open wraps ErrOtherModel if it was trained on embeddings of another model.
	Head *loader.Head

	// CacheDir is where compiled pipelines are kept between runs: "" for the folder bitgpu in the
	// user's cache directory, "none" for nowhere.
	CacheDir     string
	MemoryBudget int64 // bytes of each device's memory to use at most; 0 for all that is free
	// SliceBudget is the longest time that a device is busy without a break, as gpu.Options has it: 20 ms leave a program that
	// shows something on the same device its frames. With it calls whose ctx ends leave the device at once. 0 for no breaks.
	SliceBudget time.Duration
	// LowPriority has the model make way for other work on the machine: its devices do, as gpu.Options has it, and pictures
	// are decoded one at a time.
	LowPriority bool
	Host        *gpu.Host // a Vulkan device of the program's own to run on; nil to open one
	Validation  bool      // run under the Vulkan validation layer; its messages become errors

	Preprocess   Override     // in place of the model's own preprocessing, part by part
	Preprocessor Preprocessor // who resizes and crops pictures; the results are the same
	AutoOrient   bool         // turn files upright by their EXIF orientation, which timm ignores
	// Flip averages logits and embeddings over a picture and its mirror image, which run in one batch. Feature
	// maps and unpooled features cannot be had then.
	Flip bool

	MaxPixels int64 // largest picture to decode; 0 for loader.DefaultMaxPixels
	MaxBytes  int64 // largest file of a picture; 0 for loader.DefaultMaxBytes
	// Progress, if set, is called while weights are loaded: parameters done, and all of them, over all devices.
	Progress func(done, total int64)

	phase func(Phase) // if set, hears what Open is at
}

// Info describes an open model.
type Info struct {
	Name       string
	Config     net.Config
	Labels     []string // a name for each class
	Synsets    []string // the WordNet id of each class; nil if they are not known
	Preprocess loader.Preprocess
	Precision  Precision  // FP32 or FP16
	Device     gpu.Info   // the first of Devices
	Devices    []gpu.Info // in the order of Options.Device
	Parameters int64

	// Trunk identifies all weights but the classifier's: embeddings of two models with the same Trunk and the
	// same preprocessing can be compared, be it that one is stored in half precision.
	Trunk string
}

// Model is a network on one or several devices.
type Model struct {
	info    Info
	options Options
	engines []*engine // one for each device
	calls   calls
	// decoders has the goroutines that decode or resize pictures for Streams and for Go.
	decoders chan struct{}

	// weights opens the checkpoint once more, for what is seldom wanted of it; done closes it.
	weights func(context.Context) (s *source, done func() error, err error)

	end            sync.Mutex // guards what follows
	paused, closed bool
}

// Info describes the model.
func (m *Model) Info() Info { return m.info }

// Open opens a model and brings its weights onto its devices. name is Demo, a name of timm's registry
// (with or without the tag, looked up as loader.Find says, or else fetched), hf-hub:OWNER/NAME with or without
// @REVISION, a checkpoint file of any form that loader.Open knows, or a directory that holds one with its config.json.
//
// The error wraps ErrNoModel if there are no such weights, and one of package hub's if they could not be fetched;
// loader.ErrCorrupt if they are damaged,
// and gpu.ErrNoVulkan, gpu.ErrNoDevice, gpu.ErrOutOfMemory or gpu.ErrDeviceLost if the device is at
// fault.
func Open(ctx context.Context, name string, o Options) (*Model, error) {
	found, err := find(name, o.Weights, o.fetcher(ctx))
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", cmp.Or(ctx.Err(), err))
	}
	defer found.checkpoint.Close()
	return open(ctx, found, o, func(ctx context.Context) (*source, func() error, error) {
		s, err := find(name, o.Weights, o.fetcher(ctx))
		if err != nil {
			return nil, nil, err
		}
		return s, s.checkpoint.Close, nil
	})
}

// OpenCheckpoint is Open for weights that the program has by itself, such as a file of its own in
// an io.ReaderAt (loader.NewSafetensors). config may be nil if the tensors say enough: then pictures
// are made 224x224, bicubic, and classes have no names. The checkpoint is the caller's to close.
func OpenCheckpoint(ctx context.Context, name string, c loader.Checkpoint, config *loader.Config, o Options) (*Model, error) {
	found, err := describe(name, c, config)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return open(ctx, found, o, func(context.Context) (*source, func() error, error) {
		return found, func() error { return nil }, nil
	})
}

// open opens a model. weights is Model's.
func open(ctx context.Context, s *source, o Options, weights func(context.Context) (*source, func() error, error)) (*Model, error) {
	var err error
	if s.info.Preprocess, err = s.info.Preprocess.With(o.Preprocess); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	if size := s.info.Preprocess.Size; size < net.MinSize {
		return nil, fmt.Errorf("bitgpu: pictures of %d pixels, want at least %d", size, net.MinSize)
	}
	if o.Head != nil {
		if err := s.withHead(o.Head); err != nil {
			return nil, fmt.Errorf("bitgpu: %w", err)
		}
	}
	if o.phase != nil {
		o.phase(PhaseDevice)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	devices, err := selectDevices(o)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	m, err := openOn(ctx, devices, s, o)
	if err != nil {
		return nil, err
	}
	m.weights = weights
	return m, nil
}

// selectDevices resolves Options.Device to what gpu.Options.Device takes, for each device.
func selectDevices(o Options) ([]string, error) {
	if name := strings.TrimSpace(o.Device); name != gpu.All && !strings.ContainsRune(name, ',') {
		return []string{o.Device}, nil
	}
	list, err := gpu.Enumerate()
	if err != nil {
		return nil, err
	}
	chosen, err := gpu.Select(list, o.Device)
	if err != nil {
		return nil, err
	}
	var devices []string
	for _, d := range chosen {
		devices = append(devices, strconv.Itoa(d.Index))
	}
	return devices, nil
}

// openOn opens all devices at once.
func openOn(ctx context.Context, devices []string, s *source, o Options) (*Model, error) {
	m := &Model{
		info: s.info, options: o, engines: make([]*engine, len(devices)),
		decoders: make(chan struct{}, o.decoders()),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var opening sync.WaitGroup
	progress := newProgress(o.Progress, len(devices))
	for i, device := range devices {
		opening.Go(func() {
			var err error
			if m.engines[i], err = openEngine(ctx, s, o, device, progress.of(i)); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	opening.Wait()
	if err := context.Cause(ctx); err != nil {
		for _, e := range m.engines {
			if e != nil {
				err = errors.Join(err, e.close())
			}
		}
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	for _, e := range m.engines {
		m.info.Devices = append(m.info.Devices, e.dev.Info())
	}
	m.info.Device = m.info.Devices[0]
	m.info.Precision = FP16
	if o.Precision == FP32 {
		m.info.Precision = FP32
	}
	return m, nil
}

// table is what Preprocess.Normalize makes of every byte.
func table(p loader.Preprocess) (t [3][256]float32) {
	var bytes [3 * 256]uint8
	for i := range bytes {
		bytes[i] = uint8(i / 3)
	}
	var values [3 * 256]float32
	_ = p.Normalize(values[:], bytes[:]) // fails only on lengths
	for c := range t {
		copy(t[c][:], values[256*c:])
	}
	return t
}
