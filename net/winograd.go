package net

import (
	"fmt"
	"slices"

	"github.com/bitgpu/bitgpu/shaders"
)

// Winograd says which convolutions run by Winograd's transforms (shaders/winograd.glsl): the side of
// their output tiles, 2 or 4, by the node's name. One that is not in it, or has 0, runs directly. Weights
// are loaded in the form that their convolution needs, so it holds for all batches of a network.
type Winograd map[string]int

// fits reports whether a node can run by the transforms.
func (n Node) fitsWinograd() bool {
	return n.Op == Conv && n.Kernel == 3 && n.Stride == 1 && n.Pad == 1
}

// check returns an error if a node of the graph cannot run as the map says.
func (w Winograd) check(g *Graph) error {
	for _, n := range g.Nodes {
		switch m := w[n.Name]; {
		case m == 0:
		case m != 2 && m != 4:
			return fmt.Errorf("net: winograd: %s with tiles of %dx%d, want 2x2 or 4x4", n.Name, m, m)
		case !n.fitsWinograd():
			return fmt.Errorf("net: winograd: %s is no 3x3 convolution of stride 1", n.Name)
		}
	}
	return nil
}

// products is the 1x1 convolution over tiles that stands for a 3x3 one of so many images: an "image" for
// each position of a transformed tile, its pixels the tiles of all images.
func (c convShape) products(m, images int) convShape {
	positions := (m + 2) * (m + 2)
	tiles := images * ceilDiv(c.out.H, m) * ceilDiv(c.out.W, m)
	return convShape{
		in: Shape{c.in.C, 1, tiles}, out: Shape{c.out.C, 1, tiles}, kh: 1, kw: 1, sh: 1, sw: 1,
		images: positions, positions: positions,
	}
}

// winograd plans a convolution in three steps: transformed tiles of the operand, their products with
// the transformed weights of each position, and back. As many images at a time as the device can bind.
func (p *planner) winograd(m int, n Node, c convShape, x *value, norm any, residual, y *value) {
	positions := (m + 2) * (m + 2)
	tilesY, tilesX := ceilDiv(n.Out.H, m), ceilDiv(n.Out.W, m)
	size := func(blocks, images int) int64 {
		return int64(positions*blocks) * int64(images*tilesY*tilesX) * p.blockBytes()
	}
	local, part := 64, y // part: bound, but not written unless the layer leaves statistics
	if p.Target.Lane {
		local = 8
	} else if c.stats && !p.Target.Panel {
		y.stats = newStatistics(n.Name, p.Batch, c.out, m, local/2, false)
		part = y.stats.part
	}
	most := max(1, int(p.Target.MaxRange/size(max(c.in.C, c.out.C), 1)))
	if p.Target.Panel {
		most = min(most, max(1, int(panelBytes/(size(c.in.C, 1)*4/p.Target.Storage.Size()))))
	}
	for first := 0; first < p.Batch; first += most {
		images := min(most, p.Batch-first)
		tiles := images * tilesY * tilesX
		products := c.products(m, images)
		macs := int64(positions) * int64(tiles) * int64(p.Graph.Nodes[n.In[0]].Out.C) * int64(n.Out.C)
		z := newValue(n.Name+".products", size(c.out.C, images))
		back := shaders.Push(c.out.H, c.out.W, tilesY, tilesX, c.out.C, first, images)
		if p.Target.Panel {
			tiling := choosePanel(p.Target, products)
			v := newValue(n.Name+".input", int64(ceilDiv(tiles, tiling.p))*tiling.bytes(products))
			u := p.unit(c, norm, tilesY*tilesX)
			p.step(Step{
				Name: n.Name + ".input", Kernel: p.kernels.WinogradPanels, Spec: append(u.spec, uint32(m)),
				Push: shaders.Push(c.in.H, c.in.W, tilesY, tilesX, c.in.C, first, images, u.part, u.unit, u.group,
					tiling.p, reciprocal(tiling.p), p.Graph.Config.NormEps),
				Groups: [3]uint32{uint32(c.in.C / u.unit), uint32(ceilDiv(tilesY*tilesX, u.part)), uint32(images)},
			}, x, norm, v)
			p.multiplyPanels(n.Name, products, tiling, 0, ceilDiv(tiles, tiling.p), 2*macs, v, v, z)
			p.step(Step{
				Name: n.Name + ".output", Kernel: p.kernels.WinogradGather, Spec: []uint32{panelLanes, uint32(m), flag(c.residual)}, Push: back,
				Groups: [3]uint32{uint32(ceilDiv(tilesY*tilesX, panelLanes)), uint32(2 * c.out.C), uint32(images)},
			}, z, residual, y)
			continue
		}
		v := newValue(n.Name+".input", size(c.in.C, images))
		p.step(Step{
			Name: n.Name + ".input", Kernel: p.kernels.WinogradInput, Spec: []uint32{uint32(local), uint32(m), flag(c.norm)},
			Push:   shaders.Push(c.in.H, c.in.W, tilesY, tilesX, c.in.C, first, images),
			Groups: [3]uint32{uint32(ceilDiv(2*tiles, local)), uint32(c.in.C), 1}, // an invocation makes half a block
		}, x, norm, v)
		p.products(n.Name, products, 2*macs, v, v, v, z)
		p.step(Step{
			Name: n.Name + ".output", Kernel: p.kernels.WinogradOutput, Spec: []uint32{uint32(local), uint32(m), flag(c.residual), flag(y.stats != nil)}, Push: back,
			Groups: [3]uint32{uint32(ceilDiv(2*tilesY*tilesX, local)), uint32(c.out.C), uint32(images)},
		}, z, residual, y, part)
	}
}

// graph is that of the pictures that the weights are loaded for.
func (o Options) graph(c Config) (*Graph, error) {
	h, w := o.Height, o.Width
	if h == 0 {
		h = 224
	}
	if w == 0 {
		w = 224
	}
	return NewGraph(c, h, w, Outputs{Unpooled: true})
}

// winograd is the choice of the options for a network, checked.
func (o Options) winograd(g *Graph, t Target) (Winograd, error) {
	if o.Winograd == nil {
		return ChooseWinograd(g, t), nil
	}
	known := map[string]bool{}
	for _, n := range g.Nodes {
		known[n.Name] = true
	}
	for name := range o.Winograd {
		if !known[name] {
			return nil, fmt.Errorf("net: winograd: the network has no %s", name)
		}
	}
	return o.Winograd, o.Winograd.check(g)
}

// What defaultWinograd weighs, in multiply-adds of a convolution, as measured on lavapipe: a value to
// transform, and a weight to read. And a layer's transformed weights should not take more than mostWeights:
// F(4x4) needs four times the memory of the nine weights, and the last stages have most of the network's.
const (
	transformCost = 45
	weightCost    = 12
	mostWeights   = 32 << 20 // bytes
)

// defaultWinograd chooses for a graph the form that should take the least time for one image. Devices with
// matrix units convolve directly: there multiply-adds are cheap, and memory is what a layer waits for.
func defaultWinograd(g *Graph, t Target) Winograd {
	w := Winograd{}
	if t.Matrix.M != 0 && !t.CPU {
		return w
	}
	for i, n := range g.Nodes {
		if !n.fitsWinograd() {
			continue
		}
		c := g.convShape(i, 1)
		best := c.cost(t)
		for _, m := range c.winogradTiles(t.Storage) {
			p := c.products(m, 1)
			values := int64(p.images*p.out.Pixels()) * int64(8*(p.in.C+p.out.C))
			if cost := p.cost(t) + values*transformCost; cost < best {
				w[n.Name], best = m, cost
			}
		}
	}
	return w
}

// cost estimates the time of a convolution in multiply-adds: those of whole tiles of pixels, and the
// reading of the weights.
func (c convShape) cost(t Target) int64 {
	_, tiling := chooseConv(t, c)
	pixels := int64(ceilDiv(c.out.Pixels(), tiling.pixels)*tiling.pixels) * int64(c.images/c.positions)
	return c.weights() * (pixels + weightCost)
}

// weights counts those of a convolution.
func (c convShape) weights() int64 {
	return int64(c.positions*c.kh*c.kw) * int64(8*c.in.C) * int64(8*c.out.C)
}

// winogradTiles lists the sides of tiles that there are. The rounding errors of all of them are within the
// bars, with some room (docs/accuracy.md).
func winogradTiles() []int { return []int{2, 4} }

// winogradTiles lists those of them whose weights take no more than mostWeights.
func (c convShape) winogradTiles(s shaders.Storage) []int {
	return slices.DeleteFunc(winogradTiles(), func(m int) bool { return c.products(m, 1).weights()*s.Size() > mostWeights })
}

// ChooseWinograd is what the target was tuned to for the layers of a graph, and elsewhere the default: what should take
// the least time for one image.
func ChooseWinograd(g *Graph, t Target) Winograd {
	w := defaultWinograd(g, t)
	for i, n := range g.Nodes {
		if !n.fitsWinograd() {
			continue
		}
		c := g.convShape(i, 1)
		if tuned := t.Tuning.winograd(c.layer(t.Storage), c.pixels()); tuned != nil && (tuned.Tile == 0 || slices.Contains(c.winogradTiles(t.Storage), tuned.Tile)) {
			w[n.Name] = tuned.Tile
		}
	}
	return w
}
