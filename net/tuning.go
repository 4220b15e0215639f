package net

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/shaders"
)

// Tuning is what Tune found to be fastest on one device: which kernel with which tile runs a kind of
// layer, and which layers run by Winograd's transforms. It is plain data, to be kept as JSON; an entry that
// the kernels of today do not know any more is ignored. A Tuning in use must not be changed.
type Tuning struct {
	Convs     []TunedConv     `json:"convs"`
	Winograds []TunedWinograd `json:"winograds"`
}

// Layer is a kind of convolution as a kernel sees it, apart from the number of pixels.
type Layer struct {
	Storage   string `json:"storage"` // of activations and weights, as shaders.Storage prints it
	Kernel    [2]int `json:"kernel"`  // height, width
	Stride    [2]int `json:"stride"`
	Pad       [2]int `json:"pad"`
	In        int    `json:"in"` // channels, in whole blocks of eight
	Out       int    `json:"out"`
	Norm      bool   `json:"norm"`      // applies GroupNorm and ReLU to what it reads
	Residual  bool   `json:"residual"`  // adds to what it computes
	Positions int    `json:"positions"` // sets of weights: 1, or of a Winograd product 16 or 36
}

// TunedConv is the fastest kernel of the family for a layer with so many output pixels in a batch.
type TunedConv struct {
	Layer     Layer    `json:"layer"`
	Pixels    int      `json:"pixels"`
	Kernel    string   `json:"kernel"`    // of package shaders
	Constants []uint32 `json:"constants"` // its own specialization constants
	Seconds   float64  `json:"seconds"`   // of one run
	Default   float64  `json:"default"`   // seconds of what runs without tuning
}

// TunedWinograd is the fastest way for a 3x3 layer, itself given as the direct convolution: tiles of
// Tile x Tile output pixels, or 0 for direct.
type TunedWinograd struct {
	Layer   Layer   `json:"layer"`
	Pixels  int     `json:"pixels"`
	Tile    int     `json:"tile"`
	Seconds float64 `json:"seconds"` // of all of its steps
	Direct  float64 `json:"direct"`  // seconds of the direct convolution
}

// layer is the kind of a convolution.
func (c convShape) layer(s shaders.Storage) Layer {
	return Layer{
		Storage: s.String(), Kernel: [2]int{c.kh, c.kw}, Stride: [2]int{c.sh, c.sw}, Pad: [2]int{c.ph, c.pw},
		In: 8 * c.in.C, Out: 8 * c.out.C, Norm: c.norm, Residual: c.residual, Positions: c.positions,
	}
}

// pixels counts the output pixels that share a set of weights.
func (c convShape) pixels() int { return c.images * c.out.Pixels() / c.positions }

// conv returns the entry for a layer whose number of pixels is the nearest, nil if there is none.
func (t *Tuning) conv(l Layer, pixels int) *TunedConv {
	if t == nil {
		return nil
	}
	return nearest(t.Convs, pixels, func(c *TunedConv) (bool, int) { return c.Layer == l, c.Pixels })
}

// winograd is conv for the choice between direct and transformed convolution.
func (t *Tuning) winograd(l Layer, pixels int) *TunedWinograd {
	if t == nil {
		return nil
	}
	return nearest(t.Winograds, pixels, func(w *TunedWinograd) (bool, int) { return w.Layer == l, w.Pixels })
}

// nearest picks among the entries that match the one whose pixels differ by the smallest factor.
func nearest[T any](entries []T, pixels int, match func(*T) (bool, int)) *T {
	var best *T
	distance := math.Inf(1)
	for i := range entries {
		ok, p := match(&entries[i])
		if !ok {
			continue
		}
		if d := math.Abs(math.Log(float64(max(p, 1)) / float64(max(pixels, 1)))); d < distance {
			best, distance = &entries[i], d
		}
	}
	return best
}

// TuneTo returns the tuning with which one kernel of the convolution family runs all layers of a network, in its own default
// tilings: for comparing kernels, nothing is measured. kernel is a name of package shaders without the storage type,
// like "conv_tile". It is an error if the device cannot run it.
func TuneTo(kernel string, c Config, info gpu.Info, s shaders.Storage) (*Tuning, error) {
	g, err := NewGraph(c, 224, 224, Outputs{Unpooled: true})
	if err != nil {
		return nil, err
	}
	target := NewTarget(info, s)
	i := slices.IndexFunc(convFamily, func(m convMember) bool {
		return m.usable(target) && m.kernel(shaders.For(s)).Source == kernel+".comp"
	})
	if i < 0 {
		return nil, fmt.Errorf("net: %s does not run %v convolutions by %q", info.Name, s, kernel)
	}
	m, t := convFamily[i], &Tuning{}
	for i, n := range g.Nodes {
		if n.Op != Conv {
			continue
		}
		shapes := []convShape{g.convShape(i, 1)}
		if n.fitsWinograd() {
			for _, side := range winogradTiles() {
				shapes = append(shapes, shapes[0].products(side, 1))
			}
		}
		for _, shape := range shapes {
			t.Convs = append(t.Convs, TunedConv{
				Layer: shape.layer(s), Pixels: shape.pixels(), Kernel: m.kernel(shaders.For(s)).Name, Constants: m.tilings(target, shape)[0].constants,
			})
		}
	}
	return t, nil
}

// Merge returns both: of what is in both, newer's.
func (t *Tuning) Merge(newer *Tuning) *Tuning {
	if t == nil {
		return newer
	}
	merged := &Tuning{Convs: slices.Clone(newer.Convs), Winograds: slices.Clone(newer.Winograds)}
	for _, c := range t.Convs {
		if n := newer.conv(c.Layer, c.Pixels); n == nil || n.Pixels != c.Pixels {
			merged.Convs = append(merged.Convs, c)
		}
	}
	for _, w := range t.Winograds {
		if n := newer.winograd(w.Layer, w.Pixels); n == nil || n.Pixels != w.Pixels {
			merged.Winograds = append(merged.Winograds, w)
		}
	}
	return merged
}
