package transferability

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// NLEEP is LEEP with the components of a Gaussian mixture in place of a source
// model's outcomes (Li et al., "Ranking Neural Checkpoints", CVPR 2021), in
// nats, at most 0. The convention is this project's: coordinates on the
// principal axes that hold 80 % of the variance; 5 components per class (fewer
// per class where there would be one for each image), with DIAGONAL covariance,
// a floor of 1e-6 on variances; from k-means (k-means++ with a fixed seed, 10
// rounds), until the mean log-likelihood moves by less than 1e-3, 100 rounds at
// most. Published code has full covariances, for which most sets have too few
// images, and its random starts: its values are not comparable.
func NLEEP(s *Sample) (Result, error) {
	a, err := s.axes()
	if err != nil {
		return Result{}, err
	}
	q := a.holding(.8)
	k := 5 * s.classes
	for k >= s.n {
		k -= s.classes
	}
	if err := s.affordable(100*float64(s.n)*float64(2*q*k), float64(s.n)*float64(k+3*q)); err != nil {
		return Result{}, err
	}
	z := s.project(a, q)
	m := newMixture(z, kMeans(z, k), k)
	return s.leep(m.fit())
}

// holding returns how many of the first axes it takes to hold a share of the variance.
func (a *principalAxes) holding(share float64) int {
	total, part, k := 0.0, 0.0, 0
	for _, v := range a.values {
		total += v
	}
	for k < len(a.values) && part < share*total {
		part += a.values[k]
		k++
	}
	return k
}

// kMeans assigns each row of z to one of k clusters.
func kMeans(z blas64.General, k int) []int {
	const rounds = 10
	n, q := z.Rows, z.Cols
	row := func(i int) []float64 { return z.Data[i*q : (i+1)*q] }
	rng := rand.New(rand.NewPCG(0, 0x6b2b2b))
	centers := zeros(k, q)
	center := func(c int) []float64 { return centers.Data[c*q : (c+1)*q] }
	// k-means++: each further centre is drawn by squared distance to the nearest so far.
	distance := make([]float64, n)
	for i := range distance {
		distance[i] = math.Inf(1)
	}
	at := rng.IntN(n)
	for c := range k {
		copy(center(c), row(at))
		sum := 0.0
		for i := range distance {
			d := 0.0
			for j, v := range row(i) {
				e := v - centers.Data[c*q+j]
				d += e * e
			}
			distance[i] = min(distance[i], d)
			sum += distance[i]
		}
		left := rng.Float64() * sum
		for at = 0; at < n-1 && left >= distance[at]; at++ {
			left -= distance[at]
		}
	}
	cluster, products := make([]int, n), zeros(n, k)
	half := make([]float64, k) // |center|^2/2
	for range rounds {
		for c := range k {
			half[c] = dot(center(c), center(c)) / 2
		}
		for i := range n {
			for c := range k {
				products.Data[i*k+c] = -half[c]
			}
		}
		matmul.Gemm(blas.NoTrans, blas.Trans, 1, z, centers, 1, products)
		moved := false
		count := make([]float64, k)
		for i := range n {
			c := argmax(products.Data[i*k : (i+1)*k])
			moved = moved || c != cluster[i]
			cluster[i] = c
			count[c]++
		}
		if !moved {
			break
		}
		for c := range k {
			if count[c] > 0 {
				clear(center(c))
			}
		}
		for i, c := range cluster {
			to := center(c)
			for j, v := range row(i) {
				to[j] += v / count[c]
			}
		}
	}
	return cluster
}

// mixture is a Gaussian mixture with diagonal covariances that is being fitted
// to the rows of z [n,q].
type mixture struct {
	q, k  int
	both  blas64.General // [n,2q]: squares of z, z
	share blas64.General // [n,k], how far each row belongs to each component
	some  int            // how many of them are not 0
	// Of each component: density = exp(constant + squares.slope[:q] + z.slope[q:]).
	constant []float64
	slope    blas64.General // [k,2q]
}

const (
	varianceFloor = 1e-6
	mixtureRounds = 100
	mixtureChange = 1e-3
	// A component that a row is e^-70 less likely to be of than of its likeliest
	// is left out: in many dimensions that is most of them.
	leastShare = -70
)

// newMixture starts with each row belonging to its cluster, as k-means left it.
func newMixture(z blas64.General, cluster []int, k int) *mixture {
	n, q := z.Rows, z.Cols
	m := &mixture{q: q, k: k, some: n, both: zeros(n, 2*q), share: zeros(n, k), constant: make([]float64, k), slope: zeros(k, 2*q)}
	for i := range n {
		m.share.Data[i*k+cluster[i]] = 1
		for j, v := range z.Data[i*q : (i+1)*q] {
			m.both.Data[i*2*q+j] = v * v
			m.both.Data[i*2*q+q+j] = v
		}
	}
	return m
}

// fit returns the probabilities [n,k] of the components for each row.
func (m *mixture) fit() blas64.General {
	m.maximise()
	likelihood := math.Inf(-1)
	for range mixtureRounds {
		now := m.expect()
		m.maximise()
		change := now - likelihood
		likelihood = now
		if math.Abs(change) < mixtureChange {
			break
		}
	}
	m.expect()
	return m.share
}

// maximise fits the components to the shares.
func (m *mixture) maximise() {
	n, q, k := m.both.Rows, m.q, m.k
	moments := zeros(k, 2*q)
	if sparse := 16; m.some < n*k/sparse {
		for i := range n {
			row := m.both.Data[i*2*q : (i+1)*2*q]
			for c, v := range m.share.Data[i*k : (i+1)*k] {
				if v > 0 {
					to := moments.Data[c*2*q : (c+1)*2*q]
					for j, x := range row {
						to[j] += v * x
					}
				}
			}
		}
	} else {
		matmul.Gemm(blas.Trans, blas.NoTrans, 1, m.share, m.both, 0, moments)
	}
	total := make([]float64, k)
	for i := range n {
		for c, v := range m.share.Data[i*k : (i+1)*k] {
			total[c] += v
		}
	}
	for c := range k {
		if total[c] <= 10*eps { // nothing belongs to it: it stays away
			m.constant[c] = math.Inf(-1)
			continue
		}
		m.constant[c] = math.Log(total[c]/float64(n)) - float64(q)/2*math.Log(2*math.Pi)
		slope := m.slope.Data[c*2*q : (c+1)*2*q]
		for j := range q {
			mean := moments.Data[c*2*q+q+j] / total[c]
			variance := max(0, moments.Data[c*2*q+j]/total[c]-mean*mean) + varianceFloor
			slope[j] = -1 / (2 * variance)
			slope[q+j] = mean / variance
			m.constant[c] -= math.Log(variance)/2 + mean*mean/(2*variance)
		}
	}
}

// expect gives the rows their shares and returns the mean log-likelihood.
func (m *mixture) expect() float64 {
	n, k := m.both.Rows, m.k
	for i := range n {
		copy(m.share.Data[i*k:], m.constant)
	}
	matmul.Gemm(blas.NoTrans, blas.Trans, 1, m.both, m.slope, 1, m.share)
	sum := 0.0
	m.some = 0
	for i := range n {
		row := m.share.Data[i*k : (i+1)*k]
		top := row[argmax(row)]
		e := 0.0
		for c, v := range row {
			row[c] = 0
			if v-top > leastShare {
				row[c] = math.Exp(v - top)
				e += row[c]
				m.some++
			}
		}
		for c := range row {
			row[c] /= e
		}
		sum += top + math.Log(e)
	}
	return sum / float64(n)
}
