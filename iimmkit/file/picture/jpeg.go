package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
)

// A JPEG decoder that gives the samples of libjpeg-turbo 3 with its defaults,
// as Pillow uses it: the accurate integer inverse cosine transform, "fancy"
// upsampling of chroma, fixed-point conversion to RGB. image/jpeg rounds its
// transform otherwise and repeats chroma, which changes embeddings. What libjpeg
// only warns of, damaged or missing data, is an error here; its smoothing of
// progressive files that lack scans is left out.

// jpegComponent is one channel of a frame.
type jpegComponent struct {
	id, h, v      int // sampling factors
	table         int // of quantisation
	width, height int // of the samples that belong to the picture

	blocksAcross, blocksDown int // rounded up to whole MCUs
	quant                    *[64]int32
	coefficients             []int16 // of progressive files, 64 for each block
	samples                  []uint8 // rows of 8*blocksAcross

	dc    int32 // prediction
	dcTab *huffman
	acTab *huffman
}

type jpegDecoder struct {
	width, height       int
	progressive         bool
	components          []jpegComponent
	hMax, vMax          int
	mcusAcross, mcuRows int

	quant   [4]*[64]int32 // in zigzag order
	huffman [2][4]*huffman
	restart int // MCUs between restart markers, 0 for none
	jfif    bool
	adobe   int // colour transform of the Adobe segment, -1 without
	scans   int
	bits    bitReader
	eobRun  int32
}

// Markers.
const (
	jpegSOF0 = 0xc0 // baseline
	jpegSOF1 = 0xc1 // extended sequential
	jpegSOF2 = 0xc2 // progressive
	jpegDHT  = 0xc4
	jpegRST0 = 0xd0
	jpegRST7 = 0xd7
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegDQT  = 0xdb
	jpegDRI  = 0xdd
	jpegAPP0 = 0xe0
	jpegAPPE = 0xee
)

// maxScans bounds the work that a small progressive file can ask for.
const maxScans = 500

func jpegConfig(r io.Reader) (image.Config, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	d := jpegDecoder{adobe: -1}
	if err := d.segments(data, true); err != nil {
		return image.Config{}, err
	}
	return image.Config{Width: d.width, Height: d.height}, nil
}

func decodeJPEG(data []byte, _ image.Config) (*Stored, error) {
	d := jpegDecoder{adobe: -1}
	if err := d.segments(data, false); err != nil {
		return nil, err
	}
	for i := range d.components {
		c := &d.components[i]
		if c.quant == nil {
			return nil, fmt.Errorf("component %d has no data", c.id)
		}
		if d.progressive {
			c.transform()
		}
	}
	return d.picture()
}

// segments reads the file up to its end marker, or to the frame's header.
func (d *jpegDecoder) segments(data []byte, headerOnly bool) error {
	at := 2
	for {
		// Garbage between segments is skipped, as libjpeg does.
		for at < len(data) && data[at] != 0xff {
			at++
		}
		for at < len(data) && data[at] == 0xff {
			at++
		}
		if at >= len(data) {
			return io.ErrUnexpectedEOF
		}
		marker := data[at]
		at++
		switch {
		case marker == jpegEOI:
			if d.scans == 0 {
				return errors.New("no picture before the end marker")
			}
			return nil
		case marker == 0 || marker == 1 || marker >= jpegRST0 && marker <= jpegSOI:
			continue
		}
		if at+2 > len(data) {
			return io.ErrUnexpectedEOF
		}
		size := int(binary.BigEndian.Uint16(data[at:]))
		if size < 2 {
			return fmt.Errorf("a segment of %d bytes", size)
		}
		if at+size > len(data) {
			return io.ErrUnexpectedEOF
		}
		body := data[at+2 : at+size]
		at += size
		var err error
		switch marker {
		case jpegSOF0, jpegSOF1, jpegSOF2:
			d.progressive = marker == jpegSOF2
			err = d.frame(body)
			if headerOnly {
				return err
			}
		case 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf:
			return fmt.Errorf("coding process SOF%d (lossless, hierarchical or arithmetic) is not supported", marker-jpegSOF0)
		case jpegDHT:
			err = d.huffmanTables(body)
		case jpegDQT:
			err = d.quantTables(body)
		case jpegDRI:
			if len(body) < 2 {
				return io.ErrUnexpectedEOF
			}
			d.restart = int(binary.BigEndian.Uint16(body))
		case jpegAPP0:
			d.jfif = d.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
		case jpegAPPE:
			if len(body) >= 12 && string(body[:5]) == "Adobe" {
				d.adobe = int(body[11])
			}
		case jpegSOS:
			if d.scans++; d.scans > maxScans {
				return fmt.Errorf("over %d scans", maxScans)
			}
			d.bits = bitReader{data: data, at: at}
			err = d.scan(body)
			at = d.bits.at
		}
		if err != nil {
			return err
		}
	}
}

func (d *jpegDecoder) frame(b []byte) error {
	switch {
	case d.components != nil:
		return errors.New("two frames")
	case len(b) < 6 || len(b) < 6+3*int(b[5]):
		return io.ErrUnexpectedEOF
	case b[0] != 8:
		return fmt.Errorf("%d bits a sample are not supported", b[0])
	}
	d.height, d.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if err := checkSize(d.width, d.height); err != nil {
		return err
	}
	n := int(b[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("%d channels", n)
	}
	d.components = make([]jpegComponent, n)
	for i := range d.components {
		s := b[6+3*i:]
		c := jpegComponent{id: int(s[0]), h: int(s[1] >> 4), v: int(s[1] & 15), table: int(s[2])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return fmt.Errorf("component %d has sampling %dx%d, table %d", c.id, c.h, c.v, c.table)
		}
		d.components[i] = c
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	d.mcusAcross, d.mcuRows = ceil(d.width, 8*d.hMax), ceil(d.height, 8*d.vMax)
	for i := range d.components {
		c := &d.components[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("fractional sampling %dx%d of %dx%d is not supported", c.h, c.v, d.hMax, d.vMax)
		}
		c.width, c.height = ceil(d.width*c.h, d.hMax), ceil(d.height*c.v, d.vMax)
		c.blocksAcross, c.blocksDown = d.mcusAcross*c.h, d.mcuRows*c.v
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (d *jpegDecoder) quantTables(b []byte) error {
	for len(b) > 0 {
		wide, id, size := int(b[0]>>4), b[0]&15, 64
		if wide == 1 {
			size = 128
		}
		if wide > 1 || id > 3 {
			return fmt.Errorf("quantisation table %#x", b[0])
		}
		if len(b) < 1+size {
			return io.ErrUnexpectedEOF
		}
		t := new([64]int32)
		for i := range t {
			if wide == 1 {
				t[i] = int32(binary.BigEndian.Uint16(b[1+2*i:]))
			} else {
				t[i] = int32(b[1+i])
			}
		}
		d.quant[id] = t
		b = b[1+size:]
	}
	return nil
}

func (d *jpegDecoder) huffmanTables(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 {
			return io.ErrUnexpectedEOF
		}
		class, id := b[0]>>4, b[0]&15
		if class > 1 || id > 3 {
			return fmt.Errorf("table of Huffman codes %#x", b[0])
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 {
			return errors.New("a Huffman table of over 256 codes")
		}
		if len(b) < 17+n {
			return io.ErrUnexpectedEOF
		}
		t, err := newHuffman(b[1:17], b[17:17+n])
		if err != nil {
			return err
		}
		d.huffman[class][id] = t
		b = b[17+n:]
	}
	return nil
}

// allocate gives a component its memory when its first scan comes.
func (d *jpegDecoder) allocate(c *jpegComponent) error {
	if c.quant != nil {
		return nil
	}
	if c.quant = d.quant[c.table]; c.quant == nil {
		return fmt.Errorf("quantisation table %d is missing", c.table)
	}
	n := c.blocksAcross * c.blocksDown
	c.samples = make([]uint8, 64*n)
	if d.progressive {
		c.coefficients = make([]int16, 64*n)
	}
	return nil
}

// transform makes samples of the coefficients of a progressive file.
func (c *jpegComponent) transform() {
	var block [64]int32
	for i := range c.blocksAcross * c.blocksDown {
		coefficients := c.coefficients[64*i : 64*i+64]
		last := 0
		for k, v := range coefficients {
			if v != 0 {
				block[zigzag[k]] = int32(v) * c.quant[k]
				last = k
			}
		}
		c.inverse(&block, i%c.blocksAcross, i/c.blocksAcross, last)
	}
	c.coefficients = nil
}
