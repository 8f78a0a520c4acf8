package transferability

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// KNN is the leave-one-out accuracy, in percent, of the nearest other image by
// Euclidean distance (k = 1), of the images as they are. Where several are
// exactly as near, the share of them that is of the right class counts, so that
// no order of the rows matters.
func KNN(s *Sample) (Result, error) {
	n := float64(s.n)
	if err := s.affordable(n*n*float64(s.d)/2, float64(s.d)); err != nil {
		return Result{}, err
	}
	near := make([]nearest, s.n)
	square := make([]float64, s.n)
	for i := range square {
		square[i] = dot(s.row(i), s.row(i))
		near[i].tolerance = eps * float64(8*s.d) * square[i]
	}
	s.pairBlocks(s.x, func(first, second int, product blas64.General) {
		for a := range product.Rows {
			i := first + a
			for b, p := range product.Data[a*product.Stride:][:product.Cols] {
				j := second + b
				if j <= i {
					continue
				}
				distance := square[i] + square[j] - 2*p
				near[i].consider(j, distance)
				near[j].consider(i, distance)
			}
		}
	})
	right := 0.0
	for i := range near {
		right += s.rightNeighbours(i, near[i].close())
	}
	return Result{Value: 100 * right / n}, nil
}

// pairBlocks calls f with products of rows of x, block by block, so that every
// pair i <= j is in one: product[a,b] = x_{first+a} . x_{second+b}.
func (s *Sample) pairBlocks(x blas64.General, f func(first, second int, product blas64.General)) {
	const block = 512
	part := func(from int) blas64.General {
		rows := min(block, x.Rows-from)
		return matrix(rows, x.Cols, x.Data[from*x.Cols:(from+rows)*x.Cols])
	}
	buffer := make([]float64, min(block, x.Rows)*min(block, x.Rows))
	for first := 0; first < x.Rows; first += block {
		for second := first; second < x.Rows; second += block {
			a, b := part(first), part(second)
			p := matrix(a.Rows, b.Rows, buffer[:a.Rows*b.Rows])
			matmul.Gemm(blas.NoTrans, blas.Trans, 1, a, b, 0, p)
			f(first, second, p)
		}
	}
}

// nearest keeps those of the images seen that may be the nearest: the squared
// distances come from dot products and are off by up to tolerance.
type nearest struct {
	tolerance float64
	best      float64
	image     []int
	distance  []float64
}

func (k *nearest) consider(j int, distance float64) {
	if len(k.image) > 0 && distance > k.best+k.slack() {
		return
	}
	if len(k.image) == 0 || distance < k.best {
		k.best = distance
	}
	k.image = append(k.image, j)
	k.distance = append(k.distance, distance)
	if len(k.image) >= 64 && len(k.image)&(len(k.image)-1) == 0 {
		k.close()
	}
}

// slack covers the rounding of the image and of a neighbour of about its size;
// a far larger neighbour would not be near.
func (k *nearest) slack() float64 { return 4*k.tolerance + 8*eps*k.best }

// close drops what has been outdone and returns the rest.
func (k *nearest) close() []int {
	kept := 0
	for a, d := range k.distance {
		if d <= k.best+k.slack() {
			k.image[kept], k.distance[kept] = k.image[a], d
			kept++
		}
	}
	k.image, k.distance = k.image[:kept], k.distance[:kept]
	return k.image
}

// rightNeighbours is the share, among the exactly nearest of the candidates, of
// those that have the class of image i.
func (s *Sample) rightNeighbours(i int, candidates []int) float64 {
	best, ties, right := 0.0, 0, 0
	x := s.row(i)
	for _, j := range candidates {
		distance := 0.0
		for l, v := range s.row(j) {
			distance += (x[l] - v) * (x[l] - v)
		}
		if ties == 0 || distance < best {
			best, ties, right = distance, 0, 0
		}
		if distance == best {
			ties++
			if s.y[j] == s.y[i] {
				right++
			}
		}
	}
	return float64(right) / float64(ties)
}
