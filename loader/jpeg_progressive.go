// This file owns progressive coding, T.81 annex G: scans that bring bands of
// coefficients and further bits of them, gathered in jpegComponent.coeffs
// until the file is complete.

package loader

// progressiveBlock returns the decoder of this kind of scan.
func (s *jpegScan) progressiveBlock() func(c *scanComponent, x, y int) {
	switch {
	case s.first == 0 && s.high == 0:
		return s.firstDC
	case s.first == 0:
		return s.refineDC
	case s.high == 0:
		return s.firstAC
	}
	return s.refineAC
}

// block returns the coefficients of block x, y in the file's order.
func (c *jpegComponent) block(x, y int) *[64]int16 {
	return (*[64]int16)(c.coeffs[(y*c.wide+x)*64:])
}

func (s *jpegScan) firstDC(c *scanComponent, x, y int) {
	s.bits.fill()
	c.prediction += s.bits.extend(s.bits.symbol(c.dc) & 15)
	c.block(x, y)[0] = int16(c.prediction << s.low)
}

func (s *jpegScan) refineDC(c *scanComponent, x, y int) {
	s.bits.fill()
	c.block(x, y)[0] |= int16(s.bits.receive(1) << s.low)
}

// firstAC is G.1.2.2.
func (s *jpegScan) firstAC(c *scanComponent, x, y int) {
	if s.eobRun > 0 {
		s.eobRun--
		return
	}
	b, block := &s.bits, c.block(x, y)
	for k := s.first; k <= s.last; k++ {
		if b.n < 32 {
			b.fill()
		}
		run := b.symbol(c.ac)
		size := run & 15
		run >>= 4
		switch {
		case size == 0 && run < 15:
			s.eobRun = 1<<run + int(b.receive(run)) - 1
			return
		case size == 0:
			k += 15
		default:
			k += run
			if k > 63 {
				b.bad = true
				return
			}
			block[k] = int16(b.extend(size) << s.low)
		}
	}
}

// refineAC is G.1.2.3: every coefficient with a history gets one more bit as
// it is passed; runs count those without.
func (s *jpegScan) refineAC(c *scanComponent, x, y int) {
	b, block := &s.bits, c.block(x, y)
	k := s.first
	if s.eobRun == 0 {
		for ; k <= s.last; k++ {
			if b.n < 32 {
				b.fill()
			}
			run := b.symbol(c.ac)
			size := run & 15
			run >>= 4
			value := int16(0)
			if size == 0 && run < 15 {
				s.eobRun = 1<<run + int(b.receive(run))
				break
			}
			if size != 0 {
				value = int16(2*b.receive(1)-1) << s.low
			}
			k = s.refine(block, k, run)
			if value != 0 {
				if k > s.last {
					b.bad = true
					return
				}
				block[k] = value
			}
		}
	}
	if s.eobRun > 0 {
		s.eobRun--
		s.refine(block, k, 64)
	}
}

// refine passes coefficients from k on until it has passed run of those
// without history; it returns the place of the next one of them.
func (s *jpegScan) refine(block *[64]int16, k, run int) int {
	bit := int16(1) << s.low
	b := &s.bits
	bits, n, last := b.bits, b.n, min(s.last, 63) // in registers
	for ; k <= last; k++ {
		v := block[k]
		if v == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if n < 1 {
			b.bits, b.n = bits, n
			b.fill()
			bits, n = b.bits, b.n
		}
		// A bit that is there already came from a damaged file.
		if bits>>63 != 0 && v&bit == 0 {
			if v > 0 {
				block[k] = v + bit
			} else {
				block[k] = v - bit
			}
		}
		bits <<= 1
		n--
	}
	b.bits, b.n = bits, n
	return k
}

// finishProgressive transforms all blocks.
func (c *jpegComponent) finishProgressive() {
	for y := range c.high {
		for x := range c.wide {
			var block [64]int32
			used := 0
			coeffs := c.block(x, y)
			for first := 0; first < 64; first += 8 {
				eight := (*[8]int16)(coeffs[first:])
				if eight[0]|eight[1]|eight[2]|eight[3]|eight[4]|eight[5]|eight[6]|eight[7] == 0 {
					continue // as most are
				}
				for i, v := range eight {
					if v != 0 {
						used = first + i
						block[zigzag[used]] = int32(v) * int32(c.quant[used])
					}
				}
			}
			c.store(x, y, &block, used)
		}
	}
}
