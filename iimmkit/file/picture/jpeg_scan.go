package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// zigzag maps the order of coefficients in a file to rows of a block.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// bitReader reads the entropy-coded bits of a scan. Behind a marker or the end
// it reads zeros and counts them.
type bitReader struct {
	data  []byte
	at    int
	acc   uint64 // its n low bits are not read yet
	n     uint
	faked uint
}

// fill makes at least 32 bits available.
func (r *bitReader) fill() {
	if r.n <= 32 && r.at+4 <= len(r.data) {
		w := binary.BigEndian.Uint32(r.data[r.at:])
		if noFF(w) {
			r.acc = r.acc<<32 | uint64(w)
			r.n += 32
			r.at += 4
			return
		}
	}
	for r.n <= 56 {
		b := byte(0)
		if r.at < len(r.data) {
			b = r.data[r.at]
		} else {
			r.faked += 8
		}
		if b == 0xff {
			next := r.at + 1
			for next < len(r.data) && r.data[next] == 0xff {
				next++
			}
			if next < len(r.data) && r.data[next] == 0 { // a stuffed byte
				r.at = next + 1
			} else {
				b = 0
				r.faked += 8
			}
		} else if r.at < len(r.data) {
			r.at++
		}
		r.acc = r.acc<<8 | uint64(b)
		r.n += 8
	}
}

// noFF reports whether no byte of w is 0xff, that is, none of ^w is 0.
func noFF(w uint32) bool { return (^w-0x01010101)&w&0x80808080 == 0 }

// exhausted reports whether bits were read that the scan does not have.
func (r *bitReader) exhausted() bool { return r.faked > r.n }

// short is the error of an exhausted reader.
func (r *bitReader) short() error {
	if r.at >= len(r.data) {
		return io.ErrUnexpectedEOF
	}
	return errors.New("coded data ends too early")
}

// take returns the next k <= 16 bits, which fill has made available.
func (r *bitReader) take(k uint) int32 {
	r.n -= k
	return int32(r.acc>>r.n) & (1<<k - 1)
}

// extend reads a signed value of k bits as the standard's EXTEND gives it.
func (r *bitReader) extend(k uint) int32 {
	return signed(r.take(k), k)
}

func (r *bitReader) bit() int32 {
	if r.n == 0 {
		r.fill()
	}
	return r.take(1)
}

// huffman is a table of codes.
type huffman struct {
	lookup  [512]uint16   // by the next 9 bits: length<<8 | symbol, 0 for longer codes
	limit   [18]int32     // largest code of each length plus 1, left-aligned in 16 bits
	delta   [17]int32     // from code to index of symbol
	symbols [256 + 1]byte // the last one for codes that do not exist

	// values is, by the next 9 bits, the code and the value behind it where both
	// fit in these: value<<16 | run of zeros<<8 | bits of both; else 0.
	values [512]int32
}

const lookupBits = 9

func newHuffman(counts, symbols []byte) (*huffman, error) {
	h := new(huffman)
	copy(h.symbols[:], symbols)
	code, index := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.delta[length] = index - code
		for range counts[length-1] {
			if code >= 1<<length {
				return nil, errors.New("a Huffman table with too many codes")
			}
			if length <= lookupBits {
				first := code << (lookupBits - length)
				for i := range int32(1) << (lookupBits - length) {
					h.lookup[first+i] = uint16(length)<<8 | uint16(symbols[index])
				}
			}
			code++
			index++
		}
		h.limit[length] = code << (16 - length)
		code <<= 1
	}
	for i, e := range h.lookup {
		length, run, size := int32(e>>8), int32(e>>4&15), int32(e&15)
		if rest := lookupBits - length; e != 0 && size > 0 && size <= rest {
			v := int32(i) >> (rest - size) & (1<<size - 1)
			h.values[i] = signed(v, uint(size))<<16 | run<<8 | (length + size)
		}
	}
	return h, nil
}

// signed is the standard's EXTEND of a value of k bits.
func signed(v int32, k uint) int32 {
	if k > 0 && v < 1<<(k-1) {
		v += -1<<k + 1
	}
	return v
}

// symbol reads a code. Up to 16 more bits can be taken afterwards.
func (r *bitReader) symbol(h *huffman) uint8 {
	if r.n < 32 {
		r.fill()
	}
	if e := h.lookup[r.acc>>(r.n-lookupBits)&(1<<lookupBits-1)]; e != 0 {
		r.n -= uint(e >> 8)
		return uint8(e)
	}
	next := int32(r.acc >> (r.n - 16) & 0xffff)
	for length := uint(lookupBits + 1); length <= 16; length++ {
		if next < h.limit[length] {
			r.n -= length
			return h.symbols[(next>>(16-length)+h.delta[length])&0xff]
		}
	}
	r.n -= 16 // no such code: libjpeg takes it for 0
	return 0
}

// scanRange says which part of the coefficients a scan brings.
type scanRange struct{ first, last, high, low int }

// scan reads the coded data behind a scan's header.
func (d *jpegDecoder) scan(b []byte) error {
	if d.components == nil {
		return errors.New("a scan before the frame")
	}
	if len(b) < 1 || len(b) < 4+2*int(b[0]) {
		return io.ErrUnexpectedEOF
	}
	n := int(b[0])
	p := b[1+2*n:]
	s := scanRange{int(p[0]), int(p[1]), int(p[2] >> 4), int(p[2] & 15)}
	if !d.progressive {
		s = scanRange{0, 63, 0, 0}
	}
	if n < 1 || n > 4 || s.first > s.last || s.last > 63 || s.low > 13 || s.first == 0 && s.last > 0 && d.progressive || s.first > 0 && n > 1 {
		return fmt.Errorf("a scan of %d components, coefficients %d to %d", n, s.first, s.last)
	}
	list := make([]*jpegComponent, n)
	blocks := 0
	for i := range list {
		for k := range d.components {
			if d.components[k].id == int(b[1+2*i]) {
				list[i] = &d.components[k]
			}
		}
		c := list[i]
		if c == nil {
			return fmt.Errorf("a scan of component %d, which the frame lacks", b[1+2*i])
		}
		for _, other := range list[:i] {
			if other == c {
				return fmt.Errorf("component %d twice in a scan", c.id)
			}
		}
		blocks += c.h * c.v
		dc, ac := b[2+2*i]>>4, b[2+2*i]&15
		if dc > 3 || ac > 3 {
			return fmt.Errorf("tables of Huffman codes %d and %d", dc, ac)
		}
		c.dcTab, c.acTab = d.huffman[0][dc], d.huffman[1][ac]
		if s.first == 0 && s.high == 0 && c.dcTab == nil || s.last > 0 && c.acTab == nil {
			return errors.New("a Huffman table is missing")
		}
		if err := d.allocate(c); err != nil {
			return err
		}
	}
	if n > 1 && blocks > 10 {
		return fmt.Errorf("%d blocks in an MCU", blocks)
	}
	return d.mcus(list, s)
}

func (d *jpegDecoder) mcus(list []*jpegComponent, s scanRange) error {
	across, down := d.mcusAcross, d.mcuRows
	if len(list) == 1 { // a scan of one component has no blocks beside the picture
		across, down = ceil(list[0].width, 8), ceil(list[0].height, 8)
	}
	reset := func() {
		for _, c := range list {
			c.dc = 0
		}
		d.eobRun = 0
	}
	reset()
	var block [64]int32
	for i := range across * down {
		if d.restart > 0 && i > 0 && i%d.restart == 0 {
			if err := d.bits.restartMarker(); err != nil {
				return err
			}
			reset()
		}
		x, y := i%across, i/across
		for _, c := range list {
			h, v := c.h, c.v
			if len(list) == 1 {
				h, v = 1, 1
			}
			for k := range h * v {
				bx, by := x*h+k%h, y*v+k/h
				var err error
				if d.progressive {
					o := 64 * (by*c.blocksAcross + bx)
					err = d.progressiveBlock(c, (*[64]int16)(c.coefficients[o:o+64]), s)
				} else {
					err = d.block(c, &block, bx, by)
				}
				if err != nil {
					return err
				}
			}
		}
		if d.bits.exhausted() {
			return d.bits.short()
		}
	}
	d.bits.align()
	return nil
}

// align drops the bits that are left of the scan and goes back to where the
// bytes that were read ahead begin.
func (r *bitReader) align() {
	for r.at < len(r.data)-1 && !(r.data[r.at] == 0xff && r.data[r.at+1] != 0 && r.data[r.at+1] != 0xff) {
		r.at++
	}
	r.n, r.acc, r.faked = 0, 0, 0
}

func (r *bitReader) restartMarker() error {
	r.align()
	if r.at+2 > len(r.data) {
		return io.ErrUnexpectedEOF
	}
	if m := r.data[r.at+1]; m < jpegRST0 || m > jpegRST7 {
		return fmt.Errorf("marker %#x where a restart belongs", m)
	}
	r.at += 2
	return nil
}

var errCoefficients = errors.New("a block of more than 64 coefficients")

// block reads and transforms a block of a sequential file. coefficients is
// zero before and after.
func (d *jpegDecoder) block(c *jpegComponent, coefficients *[64]int32, bx, by int) error {
	r, quant := &d.bits, c.quant
	size := uint(r.symbol(c.dcTab))
	if size > 15 {
		return errors.New("a difference of over 15 bits")
	}
	c.dc += r.extend(size)
	coefficients[0] = c.dc * quant[0]
	last := 0
	ac := c.acTab
	acc, n := r.acc, r.n
	for k := 1; k < 64; k++ {
		if n < 32 {
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		if e := ac.values[acc>>(n-lookupBits)&(1<<lookupBits-1)]; e != 0 {
			n -= uint(e & 0xff)
			if k += int(e >> 8 & 0xff); k > 63 {
				*coefficients = [64]int32{}
				return errCoefficients
			}
			coefficients[zigzag[k]&63] = e >> 16 * quant[k]
			last = k
			continue
		}
		r.acc, r.n = acc, n
		rs := r.symbol(ac)
		size := uint(rs & 15)
		if size == 0 {
			acc, n = r.acc, r.n
			if rs != 0xf0 {
				break
			}
			k += 15
			continue
		}
		if k += int(rs >> 4); k > 63 {
			*coefficients = [64]int32{}
			return errCoefficients
		}
		coefficients[zigzag[k]&63] = r.extend(size) * quant[k]
		acc, n = r.acc, r.n
		last = k
	}
	r.acc, r.n = acc, n
	c.inverse(coefficients, bx, by, last)
	return nil
}

// progressiveBlock reads what a scan says about a block; out is in zigzag order.
func (d *jpegDecoder) progressiveBlock(c *jpegComponent, out *[64]int16, s scanRange) error {
	r := &d.bits
	switch {
	case s.first == 0 && s.high == 0:
		size := uint(r.symbol(c.dcTab))
		if size > 15 {
			return errors.New("a difference of over 15 bits")
		}
		c.dc += r.extend(size)
		out[0] = int16(c.dc << s.low)
		return nil
	case s.first == 0:
		if r.bit() != 0 {
			out[0] |= 1 << s.low
		}
		return nil
	case s.high > 0:
		return d.refine(c, out, s)
	}
	if d.eobRun > 0 {
		d.eobRun--
		return nil
	}
	for k := s.first; k <= s.last; k++ {
		rs := r.symbol(c.acTab)
		run, size := uint(rs>>4), uint(rs&15)
		if size == 0 {
			if run < 15 {
				d.eobRun = 1<<run + r.take(run) - 1
				return nil
			}
			k += 15
			continue
		}
		k += int(run)
		if k > 63 {
			return errCoefficients
		}
		out[k] = int16(r.extend(size) << s.low)
	}
	return nil
}

// refine adds a bit to coefficients that are known already, and new ones
// between them (figure G.7 of the standard).
func (d *jpegDecoder) refine(c *jpegComponent, out *[64]int16, s scanRange) error {
	r := &d.bits
	bit := int16(1) << s.low
	improve := func(k int) {
		if r.bit() != 0 && out[k]&bit == 0 {
			if out[k] >= 0 {
				out[k] += bit
			} else {
				out[k] -= bit
			}
		}
	}
	k := s.first
	if d.eobRun == 0 {
		for ; k <= s.last; k++ {
			rs := r.symbol(c.acTab)
			run, size := int(rs>>4), rs&15
			var value int16
			switch {
			case size != 0: // libjpeg takes any size for 1
				value = -bit
				if r.bit() != 0 {
					value = bit
				}
			case run < 15:
				d.eobRun = 1<<run + r.take(uint(run))
			}
			if size == 0 && run < 15 {
				break
			}
			for ; k <= s.last; k++ {
				if out[k] != 0 {
					improve(k)
					continue
				}
				if run == 0 {
					break
				}
				run--
			}
			if value != 0 && k <= 63 {
				out[k] = value
			}
		}
	}
	if d.eobRun > 0 {
		for ; k <= s.last; k++ {
			if out[k] != 0 {
				improve(k)
			}
		}
		d.eobRun--
	}
	return nil
}
