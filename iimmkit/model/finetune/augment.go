package finetune

import "math/rand/v2"

// augment moves each of n images [3, side, side] in place by up to an eighth
// of its side in both directions, edges drawn out, and with flip mirrors every
// other one, as a function of seed and step.
func augment(pixels []float32, n, side int, flip bool, seed, step uint64) {
	random := rand.New(rand.NewPCG(seed, step<<8|0xa6))
	most := side / 8
	source := make([]float32, side*side)
	for i := range n {
		dy, dx := random.IntN(2*most+1)-most, random.IntN(2*most+1)-most
		mirror := random.IntN(2) == 1 && flip
		for c := range 3 {
			plane := pixels[(3*i+c)*side*side : (3*i+c+1)*side*side]
			copy(source, plane)
			for y := range side {
				from := source[clip(y+dy, side)*side:]
				for x := range side {
					at := x
					if mirror {
						at = side - 1 - x
					}
					plane[y*side+x] = from[clip(at+dx, side)]
				}
			}
		}
	}
}

// clip returns the nearest of 0..n-1.
func clip(i, n int) int { return min(max(i, 0), n-1) }
