package bitgpu_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/index"
	"github.com/bitgpu/bitgpu/net/head"
)

func open(path string) image.Image {
	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		log.Fatal(err)
	}
	return img
}

// Classify a picture with the network that is part of the program.
func Example() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	top, err := m.Classify(ctx, open("docs/photos/chelsea.png"), 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %.1f %%\n", top[0].Label, 100*top[0].Prob)
	// Output: cat, 66.4 %
}

// An embedding is a vector that lies close to those of similar pictures.
func ExampleModel_Embed() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	v, err := m.Embed(ctx, open("docs/photos/coffee.png"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(v), "values")
	// Output: 1024 values
}

// Feature maps: 0 is the stem's, the others are the outputs of the stages.
func ExampleModel_Features() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	maps, err := m.Features(ctx, open("docs/photos/coffee.png"), 1, 4)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range maps {
		fmt.Println(f.Shape)
	}
	// Output:
	// [1 128 16 16]
	// [1 1024 2 2]
}

// Many pictures run as a stream: they are decoded while the device computes, memory stays constant,
// and a picture that cannot be read does not stop the others.
func ExampleModel_Stream() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{Precision: bitgpu.FP32})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	inputs := []bitgpu.Input{
		{Path: "docs/photos/chelsea.png"},
		{Path: "docs/photos/CREDITS.txt"},
		{Path: "docs/photos/coffee.png"},
	}
	for r := range m.Stream(ctx, slices.Values(inputs), bitgpu.Outputs{Logits: true}) {
		if r.Err != nil {
			fmt.Println(filepath.Base(r.Input.Path), "is not a picture")
			continue
		}
		fmt.Println(filepath.Base(r.Input.Path), m.Top(r.Output.Logits.Data, 1)[0].Label)
	}
	// Output:
	// chelsea.png cat
	// CREDITS.txt is not a picture
	// coffee.png automobile
}

// Preprocessing, and averages over mirror images, are options; pictures may come from the web.
func ExampleOptions() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{
		Preprocess: bitgpu.Override{CropPct: 0.95, Interpolation: "lanczos"},
		Flip:       true,
		AutoOrient: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	server := httptest.NewServer(http.FileServer(http.Dir("docs/photos")))
	defer server.Close()
	web := &loader.Fetcher{MaxBytes: 10 << 20}
	inputs := slices.Values([]bitgpu.Input{{Name: "chelsea.png", Open: func() (io.ReadCloser, error) {
		return web.Open(ctx, server.URL+"/chelsea.png")
	}}})
	for r := range m.Stream(ctx, inputs, bitgpu.Outputs{Logits: true}) {
		if r.Err != nil {
			log.Fatal(r.Err)
		}
		fmt.Println(r.Input.Name, m.Top(r.Output.Logits.Data, 1)[0].Label)
	}
	// Output: chelsea.png cat
}

// Explain maps where a picture shows a class: the mean of the map, and the class's bias, are its logit.
func ExampleModel_Explain() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	e, err := m.Explain(ctx, open("docs/photos/chelsea.png"), -1) // the most probable class
	if err != nil {
		log.Fatal(err)
	}
	img, err := e.Overlay(0, bitgpu.MapStyle{Side: 256, Colormap: bitgpu.Inferno}) // to be encoded or shown
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Info().Labels[e.Classes[0]], e.Maps.Shape, img.Bounds())
	// Output: cat [1 2 2] (0,0)-(256,256)
}

// Evaluate tells how often the network is right about pictures whose classes are known.
func ExampleModel_Evaluate() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	const automobile, cat = 1, 3 // in m.Info().Labels
	inputs := []bitgpu.Input{
		{Path: "docs/photos/chelsea.png", Class: cat},
		{Path: "docs/photos/coffee.png", Class: cat},
	}
	e, err := m.Evaluate(ctx, slices.Values(inputs), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d images, top-1 %.0f %%, taken for automobiles: %d\n", e.Images, 100*e.Top1(), e.Classes[automobile].Taken)
	// Output: 2 images, top-1 50 %, taken for automobiles: 1
}

// Forward takes tensors that are normalized already, of any size from 32x32 on.
func ExampleModel_Forward() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	x := &bitgpu.Tensor{Shape: []int{2, 3, 75, 101}, Data: make([]float32, 2*3*75*101)}
	out, err := m.Forward(ctx, x, bitgpu.Outputs{Logits: true, Unpooled: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Logits.Shape, out.Unpooled.Shape)
	// Output: [2 10] [2 1024 3 4]
}

// The device can resize and crop too. What a Cropper makes is what the processor makes, to the byte.
func ExampleOpenCropper() {
	ctx := context.Background()
	p, err := bitgpu.FindPreprocess("resnetv2_50x1_bit")
	if err != nil {
		log.Fatal(err)
	}
	c, err := bitgpu.OpenCropper(p, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	img := loader.FromGoImage(open("docs/photos/coffee.png"))
	crops, err := c.Crop(ctx, img)
	if err != nil {
		log.Fatal(err)
	}
	same, err := p.Apply(img)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(crops[0].Width, crops[0].Height, bytes.Equal(crops[0].Pix, same.Pix))
	// Output: 224 224 true
}

// A program that renders with Vulkan hands over its device, and a picture that is in an image there; here one that is in
// VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL (5) and was drawn by work that signals a semaphore.
func ExampleModel_RunHost() {
	run := func(ctx context.Context, host *gpu.Host, image, drawn, read uintptr) error {
		m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{Host: host, SliceBudget: 20 * time.Millisecond})
		if err != nil {
			return err
		}
		defer m.Close()

		out, err := m.RunHost(ctx, []bitgpu.HostPicture{{
			Image:  &gpu.ExternalImage{Handle: image, Format: gpu.BGRA8, Width: 1280, Height: 720, Layout: 5},
			Wait:   []gpu.Semaphore{{Handle: drawn}},
			Signal: []gpu.Semaphore{{Handle: read}},
		}}, bitgpu.Outputs{Logits: true})
		if err != nil {
			return err
		}
		fmt.Println(m.Top(out.Logits.Data, 1)[0].Label)
		return nil
	}
	_ = run // with what the program has
}

// A checkpoint of any form tells what it is.
func ExampleInspect() {
	i, err := bitgpu.Inspect("tests/testdata/checkpoints/google.npz", 224)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(i.Form)
	fmt.Printf("%d parameters, %.2f GMAC, %.2f M activations\n", i.Parameters, float64(i.MACs)/1e9, float64(i.Activations)/1e6)
	// Output:
	// npz, Google names
	// 389322 parameters, 0.33 GMAC, 3.01 M activations
}

// Google's file becomes a directory that timm loads, in half precision.
func ExampleConvert() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	c, err := bitgpu.Convert(context.Background(), "tests/testdata/checkpoints/google.npz", dir, bitgpu.ConvertOptions{DType: "bf16"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Tensors, "tensors in", filepath.Base(c.Weights), "and", filepath.Base(c.Config))
	// Output: 63 tensors in model.safetensors and config.json
}

// Weights are fetched once, into the cache that timm uses too; a call that was interrupted goes on where it was.
func ExamplePull() {
	path, err := bitgpu.Pull(context.Background(), "resnetv2_50x1_bit", bitgpu.PullOptions{
		Progress: func(p hub.Progress) { log.Printf("%s: %d of %d bytes", p.File, p.Done, p.Total) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}

// The published networks, and what is known of them.
func ExampleModels() {
	for _, m := range bitgpu.Models() {
		if m.Top1 > 84.5 {
			fmt.Printf("%s: %.1f M parameters, %.0f GMAC, top-1 %.2f %%\n", m.Name, float64(m.Parameters())/1e6, float64(m.MACs())/1e9, m.Top1)
		}
	}
	// Output: resnetv2_152x4_bit.goog_in21k_ft_in1k: 936.5 M parameters, 839 GMAC, top-1 84.94 %
}

// An index finds the pictures that are nearest to another. Called again, WriteIndex embeds only what has changed.
func ExampleModel_WriteIndex() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "photos.idx")
	photos := []bitgpu.Input{{Path: "docs/photos/chelsea.png"}, {Path: "docs/photos/coffee.png"}}
	if err := m.WriteIndex(ctx, path, slices.Values(photos), bitgpu.IndexOptions{}); err != nil {
		log.Fatal(err)
	}
	x, err := index.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	v, err := m.Embed(ctx, open("docs/photos/coffee.png"))
	if err != nil {
		log.Fatal(err)
	}
	found, err := x.Search(ctx, [][]float32{v}, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(x.Path(found[0][0].Row)))
	// Output: coffee.png
}

// A head that was trained on embeddings takes the place of the network's own classifier.
func ExampleOptions_head() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	d := head.Data{Features: m.Info().Config.Features(), Classes: 2}
	for class, photo := range []string{"docs/photos/chelsea.png", "docs/photos/coffee.png"} {
		v, err := m.Embed(ctx, open(photo))
		if err != nil {
			log.Fatal(err)
		}
		d.X, d.Y = append(d.X, v...), append(d.Y, class)
	}
	m.Close()
	trained, err := head.Train(ctx, d, head.Options{L2: 0.01})
	if err != nil {
		log.Fatal(err)
	}
	h := &loader.Head{Labels: []string{"tabby", "cup"}, Features: d.Features}
	for _, w := range trained.Weight {
		h.Weight = append(h.Weight, float32(w))
	}
	for _, b := range trained.Bias {
		h.Bias = append(h.Bias, float32(b))
	}

	m, err = bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{Head: h})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	top, err := m.Classify(ctx, open("docs/photos/coffee.png"), 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(top[0].Label)
	// Output: cup
}
