package measure

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Types of their own take the way without vectors: the bits must be the same.
type (
	plain32 float32
	plain64 float64
)

func TestVectorsGiveTheBitsOfPlainLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 140 {
		x, y := make([]float32, n), make([]float64, n)
		px, py := make([]plain32, n), make([]plain64, n)
		for i := range n {
			x[i], y[i] = float32(rng.NormFloat64()), rng.NormFloat64()
			px[i], py[i] = plain32(x[i]), plain64(y[i])
		}
		for name, v := range map[string][2]float64{
			"float32":             {dot(x, x), dot(px, px)},
			"float64":             {dot(y, y), dot(py, py)},
			"float32 and float64": {dot(x, y), dot(px, py)},
			"float64 and float32": {dot(y, x), dot(py, px)},
		} {
			if math.Float64bits(v[0]) != math.Float64bits(v[1]) {
				t.Fatalf("%d of %s: %v, plain %v", n, name, v[0], v[1])
			}
		}
		vector, plain := make([]float64, n), make([]float64, n)
		for range 3 {
			add(vector, x)
			add(vector, y)
			add(plain, px)
			add(plain, py)
		}
		for i := range n {
			if math.Float64bits(vector[i]) != math.Float64bits(plain[i]) {
				t.Fatalf("%d: %v, plain %v", n, vector[i], plain[i])
			}
		}
	}
}
