// This file owns the scans of a JPEG: their headers, the order of blocks, and
// the coding of coefficients in sequential files. Progressive coding is in
// jpeg_progressive.go.

package loader

import (
	"errors"
	"fmt"
)

// jpegScan is the state of one scan.
type jpegScan struct {
	bits       bitReader
	components []scanComponent
	// Progressive parameters, B.2.3: the band of coefficients and the bit
	// positions before and after this scan.
	first, last int
	high, low   int
	eobRun      int // blocks still to come that have nothing in this band
}

type scanComponent struct {
	*jpegComponent
	dc, ac     *huffmanTable
	prediction int32
}

// scan reads the scan whose header is body and whose data starts at d.pos.
func (d *jpegDecoder) scan(body []byte) error {
	if d.components == nil {
		return errors.New("scan before the frame header")
	}
	s, err := d.scanHeader(body)
	if err != nil {
		return err
	}
	for _, c := range s.components {
		d.allocate(c.jpegComponent)
	}
	decode := s.sequentialBlock
	if d.progressive {
		decode = s.progressiveBlock()
	}
	// The blocks of a scan of one component have their own order, without
	// padding: A.2.2.
	mcusWide, mcusHigh := ceilDiv(d.width, 8*d.hMax), ceilDiv(d.height, 8*d.vMax)
	if len(s.components) == 1 {
		c := s.components[0]
		mcusWide, mcusHigh = ceilDiv(c.width, 8), ceilDiv(c.height, 8)
	}
	for mcu := range mcusWide * mcusHigh {
		if d.restartInterval > 0 && mcu > 0 && mcu%d.restartInterval == 0 {
			if err := s.restart(mcu/d.restartInterval - 1); err != nil {
				return err
			}
		}
		x, y := mcu%mcusWide, mcu/mcusWide
		if len(s.components) == 1 {
			decode(&s.components[0], x, y)
		} else {
			for i := range s.components {
				c := &s.components[i]
				for v := range c.v {
					for h := range c.h {
						decode(c, x*c.h+h, y*c.v+v)
					}
				}
			}
		}
		if err := s.bits.overrun(); err != nil {
			return err
		}
	}
	d.pos = s.bits.pos
	return nil
}

// scanHeader reads a scan header, B.2.3.
func (d *jpegDecoder) scanHeader(body []byte) (*jpegScan, error) {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) || body[0] < 1 || int(body[0]) > len(d.components) {
		return nil, errors.New("bad scan header")
	}
	n := int(body[0])
	s := &jpegScan{bits: bitReader{data: d.data, pos: d.pos}, last: 63}
	blocks := 0
	for i := range n {
		id, tables := body[1+2*i], body[2+2*i]
		c, err := d.scanComponent(id, tables)
		if err != nil {
			return nil, err
		}
		for _, other := range s.components {
			if other.jpegComponent == c.jpegComponent {
				return nil, errors.New("component twice in a scan")
			}
		}
		s.components = append(s.components, c)
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return nil, errors.New("scan with more than 10 blocks in an MCU")
	}
	if d.progressive {
		spec := body[1+2*n:]
		s.first, s.last, s.high, s.low = int(spec[0]), int(spec[1]), int(spec[2]>>4), int(spec[2]&15)
		bandOK := s.first == 0 && s.last == 0 || s.first > 0 && s.first <= s.last && s.last < 64 && n == 1
		if !bandOK || s.low > 13 || s.high != 0 && s.high != s.low+1 {
			return nil, errors.New("bad progressive parameters")
		}
	}
	return s, s.checkTables(d.progressive)
}

// scanComponent finds the component and its tables.
func (d *jpegDecoder) scanComponent(id, tables uint8) (scanComponent, error) {
	dc, ac := tables>>4, tables&15
	if dc > 3 || ac > 3 {
		return scanComponent{}, errors.New("bad table number in a scan header")
	}
	for i := range d.components {
		c := &d.components[i]
		if c.id != id {
			continue
		}
		if c.quant == nil {
			c.quant = d.quant[c.table]
		}
		if c.quant == nil {
			return scanComponent{}, fmt.Errorf("no quantization table %d", c.table)
		}
		for class, number := range [2]uint8{dc, ac} {
			if d.huffman[class][number] == nil && !d.progressive {
				d.huffman[class][number] = standardHuffman(uint8(class), number)
			}
		}
		return scanComponent{jpegComponent: c, dc: d.huffman[0][dc], ac: d.huffman[1][ac]}, nil
	}
	return scanComponent{}, fmt.Errorf("scan of an unknown component %d", id)
}

// checkTables makes sure of the Huffman tables that the scan will use.
func (s *jpegScan) checkTables(progressive bool) error {
	needDC := !progressive || s.first == 0 && s.high == 0
	needAC := !progressive || s.first > 0
	for _, c := range s.components {
		if needDC && c.dc == nil || needAC && c.ac == nil {
			return errors.New("scan without its Huffman table")
		}
	}
	return nil
}

// allocate makes a component's memory when its first scan comes.
func (d *jpegDecoder) allocate(c *jpegComponent) {
	c.scanned = true
	if d.progressive && c.coeffs == nil {
		c.coeffs = make([]int16, c.wide*c.high*64)
	}
	if c.pix == nil {
		c.pix = make([]uint8, c.wide*8*c.high*8)
	}
}

// restart handles restart marker number n (they count from 0), E.2.4.
func (s *jpegScan) restart(n int) error {
	for i := range s.components {
		s.components[i].prediction = 0
	}
	s.eobRun = 0
	return s.bits.restart(n)
}

// sequentialBlock decodes block x, y of a component to samples, F.2.2.
func (s *jpegScan) sequentialBlock(c *scanComponent, x, y int) {
	b := &s.bits
	b.fill()
	c.prediction += b.extend(b.symbol(c.dc) & 15)
	var block [64]int32
	block[0] = c.prediction * int32(c.quant[0])
	used := 0
	quick, quant := &c.ac.quick, c.quant
	for k := 1; k < 64; k++ {
		if b.n < 32 {
			b.fill()
		}
		e := quick[b.bits>>(64-fastBits)]
		if e == 0 {
			symbol := b.symbol(c.ac)
			run, size := symbol>>4, symbol&15
			if size == 0 {
				if run != 15 {
					break
				}
				k += 15
				continue
			}
			e = quickCode(b.extend(size), run, 0)
		}
		b.bits <<= e & 15
		b.n -= int(e & 15)
		if k += int(e >> 4 & 15); k > 63 {
			b.bad = true
			break
		}
		block[zigzag[k]] = e >> 8 * int32(quant[k])
		used = k
	}
	c.store(x, y, &block, used)
}

// store transforms a block and puts it in its place. The coefficients are
// dequantized, in row-major order; none after number used (in the file's
// order) differs from 0.
func (c *jpegComponent) store(x, y int, block *[64]int32, used int) {
	stride := c.wide * 8
	dst := c.pix[y*8*stride+x*8:]
	if used == 0 {
		flatBlock(dst, stride, block[0])
	} else {
		inverseDCT(dst, stride, block)
	}
}
