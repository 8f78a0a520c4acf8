package world

// Changes made to finished pictures by the tasks of group shift. None occurs in
// pretraining.

// grain adds strong noise.
func (c *canvas) grain(sigma float64) {
	for i := range c.pix {
		for k := range c.pix[i] {
			c.pix[i][k] += float32(c.rng.normal(sigma))
		}
	}
}

// invert turns the picture into its negative.
func (c *canvas) invert() {
	for i := range c.pix {
		for k, v := range c.pix[i] {
			c.pix[i][k] = 1 - v
		}
	}
}

// desaturate replaces colours by their mean.
func (c *canvas) desaturate() {
	for i, p := range c.pix {
		m := (p[0] + p[1] + p[2]) / 3
		c.pix[i] = color{m, m, m}
	}
}

// cast puts the picture under bluish light.
func (c *canvas) cast() {
	light := color{.55, .75, 1}
	for i := range c.pix {
		for k := range c.pix[i] {
			c.pix[i][k] *= light[k] * .8
		}
	}
}

// fade lowers the contrast and brightens.
func (c *canvas) fade() {
	for i := range c.pix {
		for k, v := range c.pix[i] {
			c.pix[i][k] = v*.6 + .35
		}
	}
}

// blur averages each pixel with its four neighbours, three times.
func (c *canvas) blur() {
	for range 3 {
		old := c.pix
		for y := range Size {
			up, down := max(y-1, 0)*Size, min(y+1, Size-1)*Size
			for x := range Size {
				left, right := max(x-1, 0), min(x+1, Size-1)
				for k := range 3 {
					c.pix[y*Size+x][k] = (old[y*Size+x][k] + old[up+x][k] + old[down+x][k] + old[y*Size+left][k] + old[y*Size+right][k]) / 5
				}
			}
		}
	}
}
