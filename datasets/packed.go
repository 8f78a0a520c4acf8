package datasets

import (
	"fmt"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// packed holds equally large pictures as bytes, one after the other.
type packed struct {
	name                    string // what IDs begin with
	width, height, channels int    // channels is 1 (grey) or 3 (RGB)
	pix                     []uint8
	labels                  []int
}

func (p *packed) Len() int        { return len(p.labels) }
func (p *packed) Label(i int) int { return p.labels[i] }
func (p *packed) ID(i int) string { return p.name + "#" + strconv.Itoa(i) }

func (p *packed) Image(i int) (*picture.RGB, error) {
	if i < 0 || i >= len(p.labels) {
		return nil, fmt.Errorf("%s holds %d images, there is no number %d", p.name, len(p.labels), i)
	}
	n := p.width * p.height * p.channels
	pix := p.pix[i*n : (i+1)*n]
	m := picture.New(p.width, p.height)
	if p.channels == 3 {
		copy(m.Pix, pix)
		return m, nil
	}
	for j, v := range pix {
		m.Pix[3*j], m.Pix[3*j+1], m.Pix[3*j+2] = v, v, v
	}
	return m, nil
}
