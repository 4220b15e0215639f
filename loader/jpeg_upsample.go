// This file owns pictures as planes and the way from there to RGB: the triangle
// filters for subsampled chroma of libjpeg-turbo (jdsample.c) and the 9-3-3-1
// filter of libwebp (dsp/upsampling.c), which is one of those with another
// rounding. All work row by row, with integers, and repeat the border samples
// outward.

package loader

// plane is w x h samples, rows stride apart.
type plane struct {
	pix          []uint8
	stride, w, h int
}

// row returns row y, or the nearest one there is.
func (p plane) row(y int) []uint8 {
	y = min(max(y, 0), p.h-1)
	return p.pix[y*p.stride : y*p.stride+p.w]
}

// component is a plane with one sample for each hRatio x vRatio pixels. left
// and top (less than the ratios) are the pixels of its first sample that lie
// outside the picture.
type component struct {
	plane
	hRatio, vRatio int
	left, top      int
}

// planar is a picture as 1 to 4 components.
type planar struct {
	width, height int
	components    []component
}

// upsampler writes row y of a component at full resolution, counted from the
// top of its first sample, to dst, which holds c.w*c.hRatio samples; or it
// returns a row that needs no work.
type upsampler func(dst []uint8, c *component, y int) []uint8

// rowConverter brings a row of full-resolution components to RGB.
type rowConverter func(rgb []uint8, components *[4][]uint8)

// toRGB converts p with the upsampler chosen for each component.
func (p *planar) toRGB(choose func(*component) upsampler, convert rowConverter) *Image {
	m := newImage(p.width, p.height)
	var (
		ups  [4]upsampler
		bufs [4][]uint8
		rows [4][]uint8
	)
	for i := range p.components {
		c := &p.components[i]
		ups[i], bufs[i] = choose(c), make([]uint8, c.w*c.hRatio)
	}
	for y := range p.height {
		for i := range p.components {
			c := &p.components[i]
			rows[i] = ups[i](bufs[i], c, c.top+y)[c.left:][:p.width]
		}
		convert(m.row(y), &rows)
	}
	return m
}

// jpegUpsampling is libjpeg-turbo's choice (jdsample.c, jinit_upsampler).
func jpegUpsampling(c *component) upsampler {
	wide := c.w > 2
	switch {
	case c.hRatio == 1 && c.vRatio == 1:
		return fullSize
	case c.hRatio == 2 && c.vRatio == 1 && wide:
		return upsampleH2V1
	case c.hRatio == 1 && c.vRatio == 2:
		return upsampleH1V2
	case c.hRatio == 2 && c.vRatio == 2 && wide:
		return upsampleH2V2(7)
	}
	return replicate
}

// fullSize is for components that are not subsampled.
func fullSize(_ []uint8, c *component, y int) []uint8 { return c.row(y) }

// replicate repeats every sample.
func replicate(dst []uint8, c *component, y int) []uint8 {
	for x, v := range c.row(y / c.vRatio) {
		d := dst[x*c.hRatio : (x+1)*c.hRatio]
		for i := range d {
			d[i] = v
		}
	}
	return dst
}

// upsampleH2V1 weighs the nearer sample 3/4, the farther 1/4; the roundings
// alternate. jdsample.c: h2v1_fancy_upsample.
func upsampleH2V1(dst []uint8, c *component, y int) []uint8 {
	src := c.row(y)
	last := len(src) - 1
	dst = dst[:2*len(src)]
	this := uint32(src[0])
	prev := this
	for x := range last {
		next := uint32(src[x+1])
		d := dst[2*x : 2*x+2]
		d[0] = uint8((3*this + prev + 1) >> 2)
		d[1] = uint8((3*this + next + 2) >> 2)
		prev, this = this, next
	}
	dst[2*last] = uint8((3*this + prev + 1) >> 2)
	dst[2*last+1] = uint8(this)
	return dst
}

// farRow is the second nearest row to row y of a picture whose chroma has half
// the rows; the nearest is y/2.
func farRow(y int) int { return y/2 - 1 + y%2*2 }

// upsampleH1V2 is upsampleH2V1 turned: jdsample.c, h1v2_fancy_upsample.
func upsampleH1V2(dst []uint8, c *component, y int) []uint8 {
	near, far := c.row(y/2), c.row(farRow(y))
	bias := 1 + uint32(y&1)
	dst, far = dst[:len(near)], far[:len(near)]
	for x := range dst {
		dst[x] = uint8((3*uint32(near[x]) + uint32(far[x]) + bias) >> 2)
	}
	return dst
}

// upsampleH2V2 weighs the four nearest samples 9, 3, 3 and 1 sixteenths: first
// the columns, unrounded, then along the row. Even pixels round by 8, odd ones
// by oddBias: 7 in jdsample.c (h2v2_fancy_upsample), 8 in libwebp.
func upsampleH2V2(oddBias uint32) upsampler {
	return func(dst []uint8, c *component, y int) []uint8 {
		near, far := c.row(y/2), c.row(farRow(y))
		last := len(near) - 1
		dst, far = dst[:2*len(near)], far[:len(near)]
		this := 3*uint32(near[0]) + uint32(far[0])
		prev := this
		for x := range last {
			next := 3*uint32(near[x+1]) + uint32(far[x+1])
			d := dst[2*x : 2*x+2]
			d[0] = uint8((3*this + prev + 8) >> 4)
			d[1] = uint8((3*this + next + oddBias) >> 4)
			prev, this = this, next
		}
		dst[2*last] = uint8((3*this + prev + 8) >> 4)
		dst[2*last+1] = uint8((4*this + oddBias) >> 4)
		return dst
	}
}
