package shaders_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
	"github.com/bitgpu/bitgpu/shaders"
	kt "github.com/bitgpu/bitgpu/shaders/kerneltest"
)

// readsByAddress says whether a device has what the kernels need that take a unit of channels by address (unit.glsl).
func readsByAddress(info gpu.Info) bool {
	eight := info.SubgroupControl && info.MinSubgroupSize <= 8 && info.MaxSubgroupSize >= 8 ||
		info.MinSubgroupSize == 8 && info.MaxSubgroupSize == 8
	return eight && info.BufferAddress && info.SubgroupShuffle && info.SubgroupBallot && info.Int64
}

// How a unit is normalized: NORM of unit.glsl.
const (
	normNone = iota
	normGiven
	normTaken
)

// unitCase is an operand in units of channels, and how they are normalized.
type unitCase struct {
	normCase
	norm, unit, blocks, part int
}

func (k unitCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d norm %d of %d groups, units of %d and %d, parts of %d", k.n, k.c, k.h, k.w, k.norm, k.groups, k.unit, k.blocks, k.part)
}

// spec is the first specialization constants of unit.glsl.
func (k unitCase) spec(more ...uint32) []uint32 {
	return append([]uint32{8, uint32(k.norm), uint32(k.blocks)}, more...)
}

// operand makes x, what is bound as norm, and f: what x is after GroupNorm and ReLU, and bounds of the errors.
func (k unitCase) operand(rng *rand.Rand, s shaders.Storage) (x *kt.Tensor, norm []byte, f, bound *kt.Tensor) {
	x = kt.Random(rng, s, k.n, k.c, k.h, k.w, k.mean, k.std)
	gamma, beta := kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1), kt.Random(rng, shaders.F32, k.c, 1, 1, 1, 0, 1)
	affine := k.reference(x, gamma, beta)
	f, bound = kt.NewTensor(k.n, k.c, k.h, k.w), kt.NewTensor(k.n, k.c, k.h, k.w)
	if k.norm == normGiven {
		for i, v := range affine.Want {
			affine.Want[i], affine.Bound[i] = float64(float32(v)), 0
		}
		norm = kt.Encode(shaders.F32, affine.Want)
	} else {
		norm = kt.Encode(shaders.F32, append(gamma.Data, beta.Data...))
	}
	for i, v := range x.Data {
		f.Data[i] = v
		if plane := i / (k.h * k.w); k.norm != normNone { // channels are whole blocks
			scale, shift := affine.Want[2*plane], affine.Want[2*plane+1]
			f.Data[i] = max(v*scale+shift, 0)
			bound.Data[i] = math.Abs(v)*affine.Bound[2*plane] + affine.Bound[2*plane+1] + 3*kt.U*(math.Abs(v*scale)+math.Abs(shift))
		}
	}
	return x, norm, f, bound
}

// panel is where value k of pixel p of an image lies among panels of P pixels of so many of either.
func panel(image, pixels, products, p, k, wide int) int {
	return ((image*((pixels+wide-1)/wide)+p/wide)*products+k)*wide + p%wide
}

// reciprocal is what the kernels divide by n with: 2^31 / n, rounded up.
func reciprocal(n int) int { return (1<<31 + n - 1) / n }

func TestPanels(t *testing.T) {
	dev, rng := gputest.Open(t), random(90)
	if !readsByAddress(dev.Info()) {
		gputest.Lacks(t, dev, "conv_panel")
	}
	for _, k := range []struct {
		unitCase
		wide, kh, kw, sh, sw, ph, pw int
	}{
		{unitCase{normCase{2, 32, 9, 11, 8, 1 << 12, 0, 1, 8}, normNone, 4, 4, 16}, 10, 1, 1, 1, 1, 0, 0},        // parts, pixels left over
		{unitCase{normCase{1, 8, 21, 13, 8, 1 << 12, 0, 1, 8}, normNone, 1, 1, 64}, 8, 7, 4, 2, 1, 3, 2},         // the stem
		{unitCase{normCase{2, 16, 7, 9, 4, 1 << 12, 1, 1, 8}, normGiven, 2, 2, 6}, 6, 3, 3, 2, 2, 1, 1},          // a border, every second pixel
		{unitCase{normCase{3, 24, 5, 7, 3, 1 << 12, 0, 2, 8}, normTaken, 1, 1, 36}, 4, 1, 1, 1, 1, 0, 0},         // a block is a group
		{unitCase{normCase{1, 64, 6, 7, 4, 1 << 12, -3, 1, 8}, normTaken, 4, 2, 42}, 12, 1, 1, 2, 2, 0, 0},       // groups of two blocks, two of them in a unit
		{unitCase{normCase{2, 48, 4, 5, 2, 1 << 12, 0.1, 1, 8}, normTaken, 3, 1, 20}, 10, 3, 3, 1, 1, 1, 1},      // a group of three blocks
		{unitCase{normCase{1, 16, 50, 53, 8, 1 << 12, 1000, 1, 8}, normTaken, 2, 2, 2650}, 14, 1, 1, 1, 1, 0, 0}, // many pixels far from zero
		{unitCase{normCase{1, 128, 1, 1, 2, 1 << 12, 2, 1, 8}, normTaken, 8, 4, 2}, 8, 1, 1, 1, 1, 0, 0},         // one pixel
		{unitCase{normCase{1, 8, 3, 3, 8, 1 << 12, 0, 0, 8}, normTaken, 1, 1, 10}, 8, 1, 1, 1, 1, 0, 0},          // constant
	} {
		for _, s := range storages {
			t.Run(fmt.Sprint(s, " ", k), func(t *testing.T) {
				k.chunk = max(k.chunk, k.h*k.w)
				x, norm, f, bound := k.operand(rng, s)
				outH, outW := (k.h+2*k.ph-k.kh)/k.sh+1, (k.w+2*k.pw-k.kw)/k.sw+1
				first := min(2*k.wide, (outH*outW-1)/k.wide*k.wide) // a slice of the pixels
				if k.norm == normTaken {
					first = 0
				}
				pixels, products := outH*outW-first, k.kh*k.kw*k.c
				out := kt.Poison(k.n * ((pixels + k.wide - 1) / k.wide) * k.wide * products * 4)
				kt.Run(t, dev, out, kt.Dispatch{
					Kernel: shaders.For(s).Panels,
					Spec:   k.spec(map[bool]uint32{true: 1}[k.kh*k.kw*k.sh*k.sw == 1]),
					Groups: [3]uint32{uint32(k.c / 8 / k.unit), uint32((pixels + k.part - 1) / k.part), uint32(k.n)},
					Push: shaders.Push(k.h, k.w, outW, k.c/8, first, pixels, k.part, k.unit, k.c/k.groups,
						k.kh, k.kw, k.sh, k.sw, k.ph, k.pw, k.wide, reciprocal(k.wide), normEps),
					In: [][]byte{x.Activation(s), norm},
				})
				all, want, got := kt.Decode(shaders.F32, out), &kt.Values{}, []float64{}
				for i := range k.n * pixels * products {
					image, p, tap, c := i/(pixels*products), i/products%pixels, i%products/k.c, i%k.c
					y, x := (p+first)/outW*k.sh-k.ph+tap/k.kw, (p+first)%outW*k.sw-k.pw+tap%k.kw
					got = append(got, all[panel(image, pixels, products, p, tap*k.c+c, k.wide)])
					if f.Inside(y, x) {
						want.Add(shaders.F32, f.At(image, c, y, x), bound.At(image, c, y, x))
					} else {
						want.AddExact(0)
					}
				}
				want.Check(t, "panels", got)
			})
		}
	}
}

func TestWinogradPanels(t *testing.T) {
	dev, rng := gputest.Open(t), random(91)
	if !readsByAddress(dev.Info()) {
		gputest.Lacks(t, dev, "conv_panel")
	}
	for _, k := range []struct {
		unitCase
		wide, first, images int
	}{
		{unitCase{normCase{1, 16, 9, 14, 4, 1 << 12, 0, 1, 8}, normNone, 2, 2, 3}, 4, 0, 1},
		{unitCase{normCase{3, 8, 5, 6, 8, 1 << 12, 1, 1, 8}, normGiven, 1, 1, 64}, 10, 1, 2}, // not the first image
		{unitCase{normCase{2, 32, 7, 7, 2, 1 << 12, -2, 1, 8}, normTaken, 2, 2, 16}, 8, 0, 2},
		{unitCase{normCase{2, 16, 3, 1, 8, 1 << 12, 50, 1, 8}, normTaken, 1, 1, 8}, 14, 1, 1},
	} {
		for _, m := range []int{2, 4} {
			for _, s := range storages {
				w := newWinograd(m)
				t.Run(fmt.Sprint("F", m, " ", s, " ", k), func(t *testing.T) {
					x, norm, f, bound := k.operand(rng, s)
					tilesY, tilesX := (k.h+m-1)/m, (k.w+m-1)/m
					tiles, positions, part := tilesY*tilesX, w.a*w.a, k.part
					if k.norm == normTaken {
						part = tiles
					}
					out := kt.Poison(positions * ((k.images*tiles + k.wide - 1) / k.wide) * k.wide * k.c * 4)
					kt.Run(t, dev, out, kt.Dispatch{
						Kernel: shaders.For(s).WinogradPanels, Spec: k.spec(uint32(m)),
						Groups: [3]uint32{uint32(k.c / 8 / k.unit), uint32((tiles + part - 1) / part), uint32(k.images)},
						Push:   shaders.Push(k.h, k.w, tilesY, tilesX, k.c/8, k.first, k.images, part, k.unit, k.c/k.groups, k.wide, reciprocal(k.wide), normEps),
						In:     [][]byte{x.Activation(s), norm},
					})
					all, want, got := kt.Decode(shaders.F32, out), &kt.Values{}, []float64{}
					for i := range k.images * tiles * k.c {
						image, tile, c := i/(tiles*k.c), i/k.c%tiles, i%k.c
						of := func(t *kt.Tensor) func(r, q int) float64 {
							return func(r, q int) float64 {
								y, x := tile/tilesX*m-1+r, tile%tilesX*m-1+q
								if !t.Inside(y, x) {
									return 0
								}
								return t.At(image+k.first, c, y, x)
							}
						}
						values, errs := around(w.b, of(f)), around(absolute(w.b), of(bound))
						magnitudes := around(absolute(w.b), func(r, q int) float64 { return math.Abs(of(f)(r, q)) })
						for p, v := range values {
							got = append(got, all[panel(p, k.images*tiles, k.c, image*tiles+tile, c, k.wide)])
							want.Add(shaders.F32, v, errs[p]+kt.SumError(12, magnitudes[p]))
						}
					}
					want.Check(t, "panels", got)
				})
			}
		}
	}
}
