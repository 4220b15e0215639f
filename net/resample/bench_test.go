package resample_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net/resample"
)

// BenchmarkPreprocess compares the device with one core of the processor: decoded pictures in memory to crops, of
// the device in its own memory, in batches of 16.
func BenchmarkPreprocess(b *testing.B) {
	dev, err := gpu.Open(gpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer dev.Close()
	r, err := resample.New(dev)
	if err != nil {
		b.Fatal(err)
	}
	const batch = 16
	for _, size := range [][2]int{{500, 375}, {1920, 1080}, {4000, 3000}} {
		m := noise(rand.New(rand.NewPCG(1, 1)), size[0], size[1])
		for _, p := range configurations {
			name := fmt.Sprintf("%dx%d/%d%v", size[0], size[1], p.Size, p.Interpolation)
			dst := make([]byte, p.Size*p.Size*3)
			b.Run(name+"/cpu", func(b *testing.B) {
				for b.Loop() {
					if err := p.ApplyTo(dst, m); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
			})
			out, err := dev.NewBuffer(int64(batch*p.Size*p.Size*4), gpu.DeviceLocal)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/device", func(b *testing.B) {
				for b.Loop() {
					pictures := make([]resample.Picture, batch)
					for i := range pictures {
						pictures[i] = picture(b, p, m) // with its windows
					}
					last, err := r.Resize(b.Context(), pictures, out.All())
					if err == nil {
						err = last.Wait(b.Context())
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "pictures/s")
			})
			out.Release()
		}
	}
}
