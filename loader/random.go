package loader

// This file owns the generated weights, "random:golden": values that are a
// function of a tensor's name and an element's index alone, so that a network
// of any size can be checked against results computed elsewhere, with no file.
//
//	key(name) = 64-bit FNV-1a of the name's UTF-8 bytes
//	z(name,i) = output i (from 0) of splitmix64 seeded with key(name)
//	r(name,i) = (z>>44 - 2^19) * 2^-19            20 bits, in [-1, 1)
//	value     = base + scale*r                    base and scale by the name, see generatorFor
//
// All values are exact in float32: no step rounds, so every implementation
// gives the same bits. (FNV: Fowler, Noll and Vo; splitmix64: Steele, Lea and
// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.)

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"sort"
	"strings"
)

// splitmixGamma is the increment of splitmix64's state.
const splitmixGamma = 0x9E3779B97F4A7C15

// generator is the sequence of values of one name.
type generator struct {
	key         uint64
	base, scale float32
}

func newGenerator(name string, base, scale float32) generator {
	h := fnv.New64a()
	h.Write([]byte(name))
	return generator{h.Sum64(), base, scale}
}

// generatorFor returns the generator of a BiT network's tensor. The scales
// keep the activations of a network of any depth near 1. It fails on a name
// that is no weight and no bias.
func generatorFor(name string) (generator, bool) {
	weight := strings.HasSuffix(name, ".weight")
	switch {
	case name == "head.fc.weight":
		return newGenerator(name, 0, 1./4), true
	case name == "head.fc.bias":
		return newGenerator(name, 0, 1./2), true
	case weight && strings.Contains(name, "conv"):
		return newGenerator(name, 0, 1./16), true
	case strings.HasSuffix(name, "norm3.weight"):
		return newGenerator(name, 1./8, 1./16), true
	case strings.HasSuffix(name, "norm3.bias"):
		return newGenerator(name, 0, 1./16), true
	case weight:
		return newGenerator(name, 1./2, 1./4), true
	case strings.HasSuffix(name, ".bias"):
		return newGenerator(name, 0, 1./4), true
	}
	return generator{}, false
}

// mix turns a splitmix64 state into its output.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// at returns value i.
func (g generator) at(i int) float32 {
	return g.value(g.key + (uint64(i)+1)*splitmixGamma)
}

// value returns the value for a splitmix64 state.
func (g generator) value(state uint64) float32 {
	return float32(int32(mix(state)>>44)-1<<19)*(g.scale/(1<<19)) + g.base
}

// fill writes the values from i on as little-endian float32; len(p) is a
// multiple of 4.
func (g generator) fill(p []byte, i int) {
	state := g.key + (uint64(i)+1)*splitmixGamma
	for ; len(p) >= 4; p = p[4:] {
		binary.LittleEndian.PutUint32(p, math.Float32bits(g.value(state)))
		state += splitmixGamma
	}
}

// Generated returns a checkpoint of the given tensors with generated weights.
// They are float32 whatever DType the infos have. Nothing is stored: ReadTensor
// computes what it is asked for.
//
// A tensor whose name ends in neither ".weight" nor ".bias" has no values, and
// one whose shape is not valid has no size: reading it is an error.
func Generated(tensors []TensorInfo) Checkpoint {
	c := generated(make([]TensorInfo, len(tensors)))
	for i, t := range tensors {
		c[i] = TensorInfo{Name: t.Name, DType: F32, Shape: t.Shape}
	}
	sort.Slice(c, func(i, j int) bool { return c[i].Name < c[j].Name })
	return c
}

type generated []TensorInfo

func (c generated) Tensors() []TensorInfo       { return c }
func (c generated) Metadata() map[string]string { return nil }
func (c generated) Close() error                { return nil }

func (c generated) ReadTensor(name string, p []byte, off int64) error {
	i := sort.Search(len(c), func(i int) bool { return c[i].Name >= name })
	if i == len(c) || c[i].Name != name {
		return fmt.Errorf("loader: generated weights: no tensor %q", name)
	}
	if err := checkRange(name, c[i].Bytes(), off, len(p)); err != nil {
		return fmt.Errorf("loader: generated weights: %w", err)
	}
	g, ok := generatorFor(name)
	if !ok {
		return fmt.Errorf("loader: generated weights: tensor %q: the name is no weight and no bias", name)
	}
	// A piece may begin and end inside an element.
	element := int(off / 4)
	var cut [4]byte
	if skip := int(off % 4); skip > 0 {
		g.fill(cut[:], element)
		p = p[copy(p, cut[skip:]):]
		element++
	}
	whole := len(p) / 4 * 4
	g.fill(p[:whole], element)
	if whole < len(p) {
		g.fill(cut[:], element+whole/4)
		copy(p[whole:], cut[:])
	}
	return nil
}

// GeneratedInput returns the picture that goes with the generated weights,
// float32 [1, 3, h, w] in [-1, 1), already normalized: the mean of noise per
// value and of noise per 32x32 block, so that it has both fine and coarse
// structure. It returns nil when h or w is not positive.
func GeneratedInput(h, w int) []float32 {
	if h <= 0 || w <= 0 {
		return nil
	}
	noise, blocks := newGenerator("input", 0, 1./2), newGenerator("input.block", 0, 1./2)
	bh, bw := (h+31)/32, (w+31)/32
	x := make([]float32, 3*h*w)
	for i := range x {
		c, y, col := i/(h*w), i/w%h, i%w
		x[i] = noise.at(i) + blocks.at((c*bh+y/32)*bw+col/32)
	}
	return x
}
