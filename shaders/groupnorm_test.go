package shaders_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

const normEps = float32(1e-5)

type normCase struct {
	n, c, h, w, groups int
	chunk              int // pixels of a workgroup
	mean, std          float64
	lanes              int // invocations of a workgroup of gn_stats
}

// moments is torch's: mean and biased variance over a group's channels and all pixels.
func (k normCase) moments(x *kt.Tensor, n, group int) (mean, variance float64) {
	size := k.c / k.groups
	count := float64(size * k.h * k.w)
	for c := group * size; c < (group+1)*size; c++ {
		for _, v := range x.Channel(n, c) {
			mean += v / count
		}
	}
	for c := group * size; c < (group+1)*size; c++ {
		for _, v := range x.Channel(n, c) {
			variance += (v - mean) * (v - mean) / count
		}
	}
	return mean, variance
}

// reference is scale and shift of every image and channel, zero in the padding, with error bounds.
func (k normCase) reference(x, gamma, beta *kt.Tensor) *kt.Values {
	ref := &kt.Values{}
	size := k.c / k.groups
	// A lane sums its pixels' deviations from the chunk's first, all lanes are merged, then
	// all chunks of all channels of the group; a merge rounds five times.
	roundings := k.chunk/k.lanes + 5*(k.lanes+size*((k.h*k.w+k.chunk-1)/k.chunk))
	for n := range k.n {
		for c := range 8 * kt.Blocks(k.c) {
			if c >= k.c {
				ref.AddExact(0)
				ref.AddExact(0)
				continue
			}
			mean, variance := k.moments(x, n, c/size)
			std := math.Sqrt(variance)
			// The mean is kept as a sum of a pixel and a mean deviation, so that its own size costs
			// one rounding a merge; deviations are of the size of std.
			meanErr := kt.SumError(roundings, math.Abs(mean)+4*std)
			varErr := 2*std*meanErr + kt.SumError(roundings, variance)
			rstd := 1 / math.Sqrt(variance+float64(normEps))
			relative := varErr*rstd*rstd/2 + 10*kt.U // a division, a square root, two products
			g, b := gamma.Data[c], beta.Data[c]
			scale := g * rstd
			scaleErr := math.Abs(scale) * relative
			ref.Add(shaders.F32, scale, scaleErr)
			shift := b - mean*scale
			ref.Add(shaders.F32, shift, math.Abs(mean)*scaleErr+math.Abs(scale)*meanErr+2*kt.U*(math.Abs(b)+math.Abs(mean*scale)))
		}
	}
	return ref
}

// run computes scale and shift with the two kernels.
func (k normCase) run(t *testing.T, dev *gpu.Device, s shaders.Storage, x, gamma, beta *kt.Tensor) []float64 {
	pixels, planes := k.h*k.w, kt.Blocks(k.c)
	chunks := (pixels + k.chunk - 1) / k.chunk
	part := kt.Poison(k.n * chunks * planes * 8 * 8)
	kt.Run(t, dev, part, kt.Dispatch{
		Kernel: shaders.For(s).GNStats, Spec: []uint32{uint32(k.lanes)},
		Groups: [3]uint32{uint32(planes), uint32(chunks), uint32(k.n)}, Push: shaders.Push(pixels, k.chunk), In: [][]byte{x.Activation(s)},
	})
	return k.finalize(t, dev, part, 1, chunks, false, gamma, beta)
}

// finalize computes scale and shift from the moments of chunks of k.chunk tiles.
func (k normCase) finalize(t *testing.T, dev *gpu.Device, part []byte, side, chunks int, joined bool, gamma, beta *kt.Tensor) []float64 {
	norm := kt.Poison(k.n * kt.Blocks(k.c) * 8 * 8)
	kt.Run(t, dev, norm, kt.Dispatch{
		Kernel: shaders.For(shaders.F32).GNFinalize, Spec: []uint32{uint32(k.lanes), map[bool]uint32{true: 1}[joined]},
		Groups: [3]uint32{uint32(k.groups), uint32(k.n), 1}, Push: shaders.Push(k.c, k.groups, k.h, k.w, side, k.chunk, chunks, normEps),
		In: [][]byte{part, kt.Encode(shaders.F32, append(gamma.Data, beta.Data...))},
	})
	return kt.Decode(shaders.F32, norm)
}

// TestFinalizeChunks merges moments of chunks as all kernels leave them: runs of tiles of one pixel or several, many
// or few of them, which begin with an image or divide one row of all images' tiles.
func TestFinalizeChunks(t *testing.T) {
	dev, rng := gputest.Open(t), random(7)
	for _, k := range []struct {
		normCase
		side   int
		joined bool
	}{
		{normCase{n: 2, c: 12, h: 9, w: 11, groups: 3, chunk: 16}, 1, false},
		{normCase{n: 3, c: 12, h: 9, w: 11, groups: 3, chunk: 16, mean: 1000}, 1, true},
		{normCase{n: 5, c: 8, h: 2, w: 3, groups: 8, chunk: 64}, 1, true},              // all images in one chunk
		{normCase{n: 4, c: 8, h: 4, w: 4, groups: 2, chunk: 8}, 1, true},               // chunks end with images
		{normCase{n: 2, c: 19, h: 7, w: 10, groups: 1, chunk: 4, mean: -50}, 4, false}, // tiles that lie in the picture partly
		{normCase{n: 1, c: 8, h: 9, w: 5, groups: 4, chunk: 32}, 2, false},
		{normCase{n: 1, c: 8, h: 70, w: 70, groups: 1, chunk: 8, mean: 3}, 1, false}, // many chunks
		{normCase{n: 2, c: 8, h: 1, w: 1, groups: 2, chunk: 32}, 4, false},
	} {
		for _, k.lanes = range []int{8, 64} {
			t.Run(fmt.Sprintf("%dx%dx%dx%d_side_%d_chunk_%d_joined=%v_%d_lanes", k.n, k.c, k.h, k.w, k.side, k.chunk, k.joined, k.lanes), func(t *testing.T) {
				x := kt.Random(rng, shaders.F32, k.n, k.c, k.h, k.w, k.mean, 1)
				gamma, beta := kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1), kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1)
				part, chunks := k.parts(x, k.side, k.joined)
				got := k.finalize(t, dev, kt.Encode(shaders.F32, part), k.side, chunks, k.joined, gamma, beta)
				k.reference(x, gamma, beta).Check(t, "scale and shift", got)
			})
		}
	}
}

// parts is the moments of all chunks of a tensor, and how many an image has; NaN where there are none.
func (k normCase) parts(x *kt.Tensor, side int, joined bool) (part []float64, chunks int) {
	tilesX := (k.w + side - 1) / side
	tiles := (k.h + side - 1) / side * tilesX
	chunkOf := func(n, tile int) int {
		if joined {
			return (n*tiles+tile)/k.chunk - n*tiles/k.chunk
		}
		return tile / k.chunk
	}
	for n := range k.n {
		chunks = max(chunks, chunkOf(n, tiles-1)+1)
	}
	stride := 8 * kt.Blocks(k.c)
	part = slices.Repeat([]float64{math.NaN()}, 2*k.n*chunks*stride)
	for n := range k.n {
		for c := range k.c {
			values := make([][]float64, chunks)
			for i, v := range x.Channel(n, c) {
				at := chunkOf(n, i/k.w/side*tilesX+i%k.w/side)
				values[at] = append(values[at], v)
			}
			for at, v := range values {
				if len(v) > 0 {
					copy(part[2*((n*chunks+at)*stride+c):], kt.Moments(func(i int) float64 { return v[i] }, 0, len(v)).Want)
				}
			}
		}
	}
	return part, chunks
}

// runOnce computes scale and shift with the one kernel.
func (k normCase) runOnce(t *testing.T, dev *gpu.Device, s shaders.Storage, x, gamma, beta *kt.Tensor) []float64 {
	blocks, size := kt.Blocks(k.c), k.c/k.groups
	unit := size // blocks that are whole groups: the least common multiple of size and 8, over 8
	for unit%2 == 0 && unit > size/8 {
		unit /= 2
	}
	norm := kt.Poison(k.n * blocks * 8 * 8)
	kt.Run(t, dev, norm, kt.Dispatch{
		Kernel: shaders.For(s).GroupNorm, Spec: []uint32{8, normTaken, 1},
		Groups: [3]uint32{uint32((blocks + unit - 1) / unit), uint32(k.n), 1},
		Push:   shaders.Push(k.c, blocks, k.h*k.w, unit, size, normEps),
		In:     [][]byte{x.Activation(s), kt.Encode(shaders.F32, append(gamma.Data, beta.Data...))},
	})
	return kt.Decode(shaders.F32, norm)
}

func TestGroupNorm(t *testing.T) {
	dev, rng := gputest.Open(t), random(6)
	for _, k := range []normCase{
		{1, 32, 7, 9, 32, 4096, 0, 1, 0},     // a channel a group
		{2, 12, 5, 5, 6, 4096, 0.5, 2, 0},    // two channels; a block that is half empty
		{3, 9, 4, 7, 3, 4096, -1, 0.1, 0},    // groups that straddle blocks
		{2, 36, 3, 3, 3, 4096, 0, 1, 0},      // twelve channels, fewer pixels than lanes
		{1, 16, 19, 17, 4, 64, 0, 1, 0},      // six chunks, the last of three pixels
		{2, 10, 16, 16, 5, 64, 1000, 1, 0},   // large mean, full chunks
		{1, 12, 23, 23, 1, 4096, 1000, 1, 0}, // large mean, one group
		{1, 8, 1, 1, 2, 4096, 3, 1, 0},       // one pixel
		{2, 8, 6, 6, 8, 4096, 0.05, 1e-3, 0}, // variance below eps
		{1, 4, 1, 33, 4, 32, 0, 0, 0},        // constant: scale = gamma / sqrt(eps)
		{1, 16, 4, 5, 2, 7, -300, 2, 0},      // chunks that do not fill a workgroup
	} {
		for i, s := range slices.Concat(storages, storages) {
			k.lanes = []int{8, 32}[i/len(storages)]
			t.Run(fmt.Sprintf("%v/%d_lanes/%dx%dx%dx%d_%d_groups_chunk_%d_mean_%g", s, k.lanes, k.n, k.c, k.h, k.w, k.groups, k.chunk, k.mean), func(t *testing.T) {
				x := kt.Random(rng, s, k.n, k.c, k.h, k.w, k.mean, k.std)
				for c := range k.c { // every channel with a mean of its own
					for n := range k.n {
						for i, v := range x.Channel(n, c) {
							x.Channel(n, c)[i] = kt.Round(s, v+k.std*float64(c%5))
						}
					}
				}
				gamma, beta := kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1), kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1)
				got := k.run(t, dev, s, x, gamma, beta)
				k.reference(x, gamma, beta).Check(t, "scale and shift", got)
				if k.lanes == 8 && readsByAddress(dev.Info()) {
					once := k
					once.chunk = max(k.chunk, k.h*k.w) // its sums are as long
					once.reference(x, gamma, beta).Check(t, "scale and shift in one step", k.runOnce(t, dev, s, x, gamma, beta))
				}
			})
		}
	}
}
