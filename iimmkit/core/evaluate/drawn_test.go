package evaluate

// drawn makes n features of width d in classes classes by an integer generator,
// so that other languages make the same bits: noise of three uniforms and a class
// pattern of size separation. Uneven leaves some classes without images.
func drawn(n, d, classes int, separation float64, uneven bool) ([]float32, []int) {
	state := uint64(12345)
	x := make([]float32, 0, n*d)
	y := make([]int, n)
	for i := range n {
		c := i % classes
		if uneven {
			c = min(classes-1, i*i%(2*classes))
		}
		y[i] = c
		for j := range d {
			u := 0.0
			for range 3 {
				state = state*6364136223846793005 + 1442695040888963407
				u += float64(state>>40) / 16777216
			}
			pattern := float64(37*(j+1)*(c+1)%101)/101 - .5
			x = append(x, float32(u-1.5+float64(separation*pattern)))
		}
	}
	return x, y
}
