package transformer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// TestProducts compares products and their gradients with loops: of sizes with
// and without remainders, small and large ones.
func TestProducts(t *testing.T) {
	engine, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Finalize()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][4]int{{1, 1, 1, 1}, {3, 5, 7, 2}, {2, 17, 24, 17}, {4, 17, 17, 24}, {2, 32, 32, 32}, {1, 10, 64, 33}, {1, 160, 160, 170}, {20, 60, 60, 60}} {
		batch, m, k, n := size[0], size[1], size[2], size[3]
		for _, transposed := range []bool{false, true} {
			t.Run(fmt.Sprint(size, transposed), func(t *testing.T) {
				random := func(length int) []float32 {
					v := make([]float32, length)
					for i := range v {
						v[i] = float32(rng.NormFloat64())
					}
					return v
				}
				a, b, dy := random(batch*m*k), random(batch*k*n), random(batch*m*n)
				y, da, db := make([]float64, batch*m*n), make([]float64, batch*m*k), make([]float64, batch*k*n)
				ib := func(i, q, j int) int { // where b[i, q, j] stands
					if transposed {
						return (i*n+j)*k + q
					}
					return (i*k+q)*n + j
				}
				for i := range batch {
					for p := range m {
						for q := range k {
							ia := (i*m+p)*k + q
							for j := range n {
								iy := (i*m+p)*n + j
								y[iy] += float64(a[ia]) * float64(b[ib(i, q, j)])
								da[ia] += float64(dy[iy]) * float64(b[ib(i, q, j)])
								db[ib(i, q, j)] += float64(dy[iy]) * float64(a[ia])
							}
						}
					}
				}
				shape := []int{batch, k, n}
				f := product
				if transposed {
					shape, f = []int{batch, n, k}, productT
				}
				got, err := CallOnceN(engine, func(in []*Node) []*Node {
					out := f(in[0], in[1])
					return append([]*Node{out}, Gradient(ReduceAllSum(Mul(out, in[2])), in[0], in[1])...)
				}, tensors.FromFlatDataAndDimensions(a, batch, m, k), tensors.FromFlatDataAndDimensions(b, shape...), tensors.FromFlatDataAndDimensions(dy, batch, m, n))
				if err != nil {
					t.Fatal(err)
				}
				for i, want := range [][]float64{y, da, db} {
					for j, v := range tensors.MustCopyFlatData[float32](got[i]) {
						if math.Abs(float64(v)-want[j]) > 1e-4 {
							t.Fatalf("%s[%d] = %g, want %g", []string{"y", "da", "db"}[i], j, v, want[j])
						}
					}
				}
			})
		}
	}
}
