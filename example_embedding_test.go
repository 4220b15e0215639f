package bitgpu_test

// The code of docs/embedding.md. TestEmbeddingGuide makes sure that the page has nothing else.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
)

// classifier is what a server keeps for its whole life.
type classifier struct {
	model *bitgpu.Model
}

func newClassifier(ctx context.Context, name string) (*classifier, error) {
	m, err := bitgpu.Open(ctx, name, bitgpu.Options{
		Device:       "auto",
		MemoryBudget: 4 << 30, // leave the rest of the device's memory to others
	})
	if err != nil {
		return nil, err
	}
	return &classifier{m}, nil
}

// answer may be called from any number of goroutines.
func (c *classifier) answer(ctx context.Context, img image.Image) (string, error) {
	top, err := c.model.Classify(ctx, img, 1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %.0f %%", top[0].Label, 100*top[0].Prob), nil
}

func Example_server() {
	ctx := context.Background()
	c, err := newClassifier(ctx, bitgpu.Demo)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.model.Close()

	answers := make([]string, 3)
	var requests sync.WaitGroup
	for i := range answers {
		requests.Go(func() { answers[i], _ = c.answer(ctx, open("docs/photos/chelsea.png")) })
	}
	requests.Wait()
	fmt.Println(strings.Join(answers, "; "))
	// Output: cat, 66 %; cat, 66 %; cat, 66 %
}

// embedAll writes a line for every picture below a directory. It holds a few batches at a time, whatever the
// number of pictures.
func embedAll(ctx context.Context, m *bitgpu.Model, dir string, w io.Writer) error {
	inputs := func(yield func(bitgpu.Input) bool) {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && filepath.Ext(path) == ".png" && !yield(bitgpu.Input{Path: path}) {
				return filepath.SkipAll
			}
			return nil
		})
	}
	for r := range m.Stream(ctx, inputs, bitgpu.Outputs{Embedding: true}) {
		if r.Err != nil {
			fmt.Fprintln(w, filepath.Base(r.Input.Path), r.Err) // this picture; the others go on
			continue
		}
		fmt.Fprintln(w, filepath.Base(r.Input.Path), len(r.Output.Embedding.Data))
	}
	return ctx.Err()
}

func Example_stream() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	if err := embedAll(ctx, m, "docs/photos", os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// chelsea.png 1024
	// coffee.png 1024
}

// explain says what a user can do about an error.
func explain(err error) string {
	switch {
	case errors.Is(err, bitgpu.ErrNoModel):
		return "the weights are not on this machine"
	case errors.Is(err, loader.ErrCorrupt):
		return "the file is damaged"
	case errors.Is(err, gpu.ErrNoVulkan), errors.Is(err, gpu.ErrNoDevice):
		return "there is no Vulkan driver"
	case errors.Is(err, gpu.ErrOutOfMemory):
		return "close other programs, or use a smaller network"
	case errors.Is(err, gpu.ErrDeviceLost):
		return "the driver was reset: close the model and open it again"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "interrupted"
	}
	return err.Error()
}

func Example_errors() {
	_, err := bitgpu.Open(context.Background(), "no-such-file.safetensors", bitgpu.Options{Offline: true})
	fmt.Println(explain(err))
	// Output: the weights are not on this machine
}

// classifySoon gives up after a while. What the device has begun it finishes, and nobody waits for it.
func classifySoon(m *bitgpu.Model, img image.Image) ([]bitgpu.Prediction, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return m.Classify(ctx, img, 5)
}

// vulkan is what a program with a renderer of its own has.
type vulkan struct {
	instance, physicalDevice, device, queue uintptr // handles
	family                                  uint32
	queueLock                               sync.Mutex
}

// openBeside opens a model on the program's own device. Its pictures and those of the model share the queue.
func (v *vulkan) openBeside(ctx context.Context) (*bitgpu.Model, error) {
	return bitgpu.Open(ctx, bitgpu.DefaultModel, bitgpu.Options{
		Host: &gpu.Host{
			Instance: v.instance, PhysicalDevice: v.physicalDevice, Device: v.device,
			Queue: v.queue, QueueFamily: v.family, QueueLock: &v.queueLock,
			APIVersion: 1<<22 | 3<<12, // Vulkan 1.3, as the instance was made
		},
		SliceBudget: 8 * time.Millisecond, // the longest that a frame has to wait
	})
}

// window is a program with a window. The thread of the window calls all of its methods, and none of them waits.
type window struct {
	title   string
	err     error // why there is no model
	opening *bitgpu.Opening
	model   *bitgpu.Model        // nil until it is open
	answer  <-chan bitgpu.Result // for the picture that is shown; nil if there is none to wait for
	ctx     context.Context      // of everything
	close   context.CancelFunc
	hide    context.CancelFunc // the picture that is shown
}

func newWindow(name string) *window {
	w := &window{hide: func() {}}
	w.ctx, w.close = context.WithCancel(context.Background())
	w.opening = bitgpu.OpenAsync(w.ctx, name, bitgpu.Options{
		SliceBudget:  8 * time.Millisecond, // the longest that a frame has to wait for the device
		MemoryBudget: 2 << 30,
	})
	return w
}

// frame is what the window does before it draws.
func (w *window) frame() {
	if w.model == nil {
		p := w.opening.Progress()
		w.title = fmt.Sprintf("%v %d/%d", p.Phase, p.Done, p.Total)
		select {
		case <-w.opening.Done():
			w.model, w.err = w.opening.Model()
		default:
		}
	}
	select {
	case r := <-w.answer: // never of a nil channel
		w.answer = nil
		if r.Err == nil {
			w.title = w.model.Top(r.Output.Logits.Data, 1)[0].Label
		}
	default:
	}
}

// show begins to classify another picture; that before it is given up.
func (w *window) show(path string) {
	w.hide()
	var ctx context.Context
	ctx, w.hide = context.WithCancel(w.ctx)
	w.answer = w.model.Go(ctx, bitgpu.Input{Path: path}, bitgpu.Outputs{Logits: true})
}

// minimize leaves the device and its memory to others until restore.
func (w *window) minimize() {
	w.model.Pause()
	go w.model.Trim() // takes some milliseconds
}

func (w *window) restore() { w.model.Resume() }

// quit ends all work. The program ends when something comes from the channel.
func (w *window) quit() <-chan error {
	w.close()
	done := make(chan error, 1)
	go func() {
		m, err := w.opening.Model()
		if err == nil {
			err = m.Abort() // or Close, which lets the device finish
		}
		done <- err
	}()
	return done
}

func Example_window() {
	w := newWindow(bitgpu.Demo)
	for w.model == nil && w.err == nil {
		w.frame() // and draw it
		time.Sleep(time.Millisecond)
	}
	w.show("docs/photos/coffee.png")
	w.minimize()
	w.show("docs/photos/chelsea.png")
	w.restore()
	for w.answer != nil {
		w.frame()
		time.Sleep(time.Millisecond)
	}
	fmt.Println(w.title)
	fmt.Println(<-w.quit())
	// Output:
	// cat
	// <nil>
}

// openEmbedded opens weights that are part of the program, with //go:embed for example.
func openEmbedded(ctx context.Context, weights []byte) (*bitgpu.Model, error) {
	c, err := loader.NewSafetensors(bytes.NewReader(weights), int64(len(weights)), "my weights")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return bitgpu.OpenCheckpoint(ctx, "mine", c, nil, bitgpu.Options{CacheDir: "none"})
}

func Example_embedded() {
	weights, err := os.ReadFile("tests/testdata/nets/tiny/model.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	m, err := openEmbedded(ctx, weights)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	top, err := classifySoon(m, open("docs/photos/coffee.png"))
	fmt.Println(len(top), "classes,", err)
	// Output: 5 classes, <nil>
}

// TestEmbeddingGuide wants every piece of Go in docs/embedding.md to be in this file or in example_test.go, so that it
// is compiled.
func TestEmbeddingGuide(t *testing.T) {
	var compiled string
	for _, name := range []string{"example_embedding_test.go", "example_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled += unindented(string(text))
	}
	page, err := os.ReadFile("docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 5 {
		t.Errorf("only %d pieces of Go", len(blocks))
	}
	for _, block := range blocks {
		code, _, ok := strings.Cut(block, "```\n")
		if !ok || !strings.Contains(compiled, unindented(code)) {
			t.Errorf("not compiled:\n%s", code)
		}
	}
	var _ = (*vulkan).openBeside // shown, and only compiled: it needs a program with a device
}

// unindented is a text without the white space at the beginning of its lines.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t "))
	}
	return b.String()
}
