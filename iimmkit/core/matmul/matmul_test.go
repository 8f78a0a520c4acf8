package matmul

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

func random(rng *rand.Rand, rows, cols, stride int) blas64.General {
	m := blas64.General{Rows: rows, Cols: cols, Stride: stride, Data: make([]float64, max(0, (rows-1)*stride+cols))}
	for i := range m.Data {
		m.Data[i] = rng.NormFloat64()
	}
	return m
}

func clone(m blas64.General) blas64.General {
	m.Data = append([]float64(nil), m.Data...)
	return m
}

// shapes have edges of tiles, bands and packed parts on both sides.
var shapes = [][3]int{{1, 1, 1}, {3, 5, 2}, {8, 16, 4}, {9, 17, 3}, {64, 16, 256}, {65, 33, 257}, {130, 40, 600}, {7, 1100, 5}, {70, 3, 300}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}}

// The loop that defines the result, in its order of summation.
func reference(ta, tb blas.Transpose, alpha float64, a, b blas64.General, beta float64, c blas64.General) {
	x, y := viewOf(ta, a), viewOf(tb, b)
	for i := range c.Rows {
		for j := range c.Cols {
			s := 0.0
			if beta != 0 {
				s = beta * c.Data[i*c.Stride+j]
			}
			for l := range x.cols {
				s += float64(float64(alpha*x.data[i*x.rowStep+l*x.colStep]) * y.data[l*y.rowStep+j*y.colStep])
			}
			c.Data[i*c.Stride+j] = s
		}
	}
}

func TestEveryKernelGivesTheBitsOfTheDefinition(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range kernels() {
		for _, s := range shapes {
			for _, ta := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				for _, tb := range []blas.Transpose{blas.NoTrans, blas.Trans} {
					for _, ab := range [][2]float64{{1, 0}, {-.5, 1}, {2, .3}} {
						side := func(t blas.Transpose, rows, cols int) blas64.General {
							if t == blas.Trans {
								rows, cols = cols, rows
							}
							return random(rng, rows, cols, cols+2)
						}
						a, b, c := side(ta, s[0], s[2]), side(tb, s[2], s[1]), random(rng, s[0], s[1], s[1]+1)
						if ab[1] == 0 {
							for i := range c.Data {
								c.Data[i] = math.NaN()
							}
						}
						want, keepA, keepB := clone(c), clone(a), clone(b)
						reference(ta, tb, ab[0], a, b, ab[1], want)
						k.gemm(ta, tb, ab[0], a, b, ab[1], c)
						same := func(x, y []float64) bool {
							for i := range x {
								if math.Float64bits(x[i]) != math.Float64bits(y[i]) {
									return false
								}
							}
							return true
						}
						if !same(c.Data, want.Data) {
							t.Errorf("%dx%d kernel, %v, %c%c, alpha %v, beta %v: not the bits of the definition", k.rows, k.cols, s, ta, tb, ab[0], ab[1])
						}
						if !same(a.Data, keepA.Data) || !same(b.Data, keepB.Data) {
							t.Error("a factor was changed")
						}
					}
				}
			}
		}
	}
}

func TestGemmAgreesWithGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	a, b, c := random(rng, 150, 70, 70), random(rng, 90, 70, 75), random(rng, 150, 90, 90)
	want := clone(c)
	blas64.Gemm(blas.NoTrans, blas.Trans, 2, a, b, -1, want)
	Gemm(blas.NoTrans, blas.Trans, 2, a, b, -1, c)
	for i, v := range c.Data {
		if math.Abs(v-want.Data[i]) > 1e-12 {
			t.Fatalf("element %d: %v, gonum %v", i, v, want.Data[i])
		}
	}
}

func TestGemmPanicsOnShapesThatDoNotFit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	rng := rand.New(rand.NewPCG(3, 4))
	Gemm(blas.NoTrans, blas.NoTrans, 1, random(rng, 2, 3, 3), random(rng, 2, 3, 3), 0, random(rng, 2, 3, 3))
}

// BenchmarkGemm compares with gonum on the products of the scores: a matrix of
// similarities, and a probe's gradient.
func BenchmarkGemm(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	x, y := random(rng, 2000, 512, 512), random(rng, 2000, 100, 100)
	sim, grad := random(rng, 2000, 2000, 2000), random(rng, 512, 100, 100)
	for _, impl := range []struct {
		name string
		gemm func(ta, tb blas.Transpose, alpha float64, a, b blas64.General, beta float64, c blas64.General)
	}{{"gonum", blas64.Gemm}, {"matmul", Gemm}} {
		b.Run(impl.name+"/similarities", func(b *testing.B) {
			for b.Loop() {
				impl.gemm(blas.NoTrans, blas.Trans, 1, x, x, 0, sim)
			}
			b.ReportMetric(2*2000*2000*512*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFlop/s")
		})
		b.Run(impl.name+"/gradient", func(b *testing.B) {
			for b.Loop() {
				impl.gemm(blas.Trans, blas.NoTrans, 1, x, y, 0, grad)
			}
			b.ReportMetric(2*2000*100*512*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFlop/s")
		})
	}
}
