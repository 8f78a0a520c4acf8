package drift

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// The statistics of a division into reference R and batch B; the larger, the
// less alike. k is the kernel, pairs are of distinct images.
//
//	centroid   |mean(B) - mean(R)|²
//	mmd        mean of k over pairs in B + over pairs in R - 2 mean of k between them
//	           (Gretton et al., JMLR 13:723, 2012, equation 3; unbiased, may be negative)
//	intra      | Intra(B) - Intra(R) |, see package measure
//	matched    | mean(B) - mean(R) | of the cosine with the most similar caption
//	confidence   mean(R) - mean(B) of the softmax probability of that caption
const (
	centroid = iota
	mmd
	intra
	matched
	confidence
	tests
)

var testNames = [tests]string{"centroid", "mmd", "intra", "matched", "confidence"}

// statistics are of one division. In reference and in batch are the values whose
// difference the last three are.
type statistics struct {
	value            [tests]float64
	reference, batch [tests]float64
}

// rounding is below which a statistic of unit rows is taken as zero: divisions
// of equal images are then equal, not ranked by how their sums were rounded.
const rounding = 1e-13

// pool is the images of reference and batch together: what is known of them
// whatever the division.
type pool struct {
	m, batch, d         int       // the last batch images are the batch
	rows                []float64 // [m,d]
	q                   []float64 // squared norms
	matched, confidence []float64
	kernel              []float64 // [m,m]
	kernelSum           []float64 // of each row, without the diagonal
	bandwidth           float64
	// totals over all images
	sum                    []float64
	sumQ, sumM, sumC, sumK float64
}

func newPool(ctx context.Context, parts ...chosen) (*pool, error) {
	p := &pool{d: parts[0].view.images.Cols, batch: len(parts[len(parts)-1].rows)}
	for _, part := range parts {
		p.m += len(part.rows)
	}
	p.rows = make([]float64, p.m*p.d)
	at := 0
	for _, part := range parts {
		for _, i := range part.rows {
			row := p.row(at)
			if err := part.view.row(i, row); err != nil {
				return nil, err // seen before, when the view was made
			}
			p.q = append(p.q, dot(row, row))
			p.matched = append(p.matched, part.view.matched[i])
			p.confidence = append(p.confidence, part.view.confidence[i])
			at++
		}
	}
	p.sum = make([]float64, p.d)
	for i := range p.m {
		for j, v := range p.row(i) {
			p.sum[j] += v
		}
		p.sumQ += p.q[i]
		p.sumM += p.matched[i]
		p.sumC += p.confidence[i]
	}
	return p, p.compare(ctx)
}

func (p *pool) row(i int) []float64 { return p.rows[i*p.d : (i+1)*p.d] }

// compare fills the kernel.
func (p *pool) compare(ctx context.Context) error {
	p.kernel = make([]float64, p.m*p.m)
	parallel(p.m, func(i int) {
		if ctx.Err() != nil {
			return
		}
		for k := range i {
			squared := max(0, p.q[i]+p.q[k]-2*dot(p.row(i), p.row(k)))
			p.kernel[i*p.m+k], p.kernel[k*p.m+i] = squared, squared
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	apart := make([]float64, 0, p.m*(p.m-1)/2)
	for i := range p.m {
		for _, squared := range p.kernel[i*p.m : i*p.m+i] {
			if squared > rounding {
				apart = append(apart, squared)
			}
		}
	}
	if len(apart) == 0 {
		return errors.New("all images, of the reference and of the batch, have the same embedding: there is nothing to compare")
	}
	slices.Sort(apart)
	median := apart[(len(apart)-1)/2] // the lower one of two
	p.bandwidth = math.Sqrt(median)
	p.kernelSum = make([]float64, p.m)
	parallel(p.m, func(i int) {
		for k := range p.m {
			if k == i {
				continue
			}
			v := math.Exp(-p.kernel[i*p.m+k] / (2 * median))
			p.kernel[i*p.m+k] = v
			p.kernelSum[i] += v
		}
	})
	for _, v := range p.kernelSum {
		p.sumK += v
	}
	return nil
}

// statistics of the division whose batch is the images in, ascending. sum is
// scratch, [d].
func (p *pool) statistics(in []int32, sum []float64) (s statistics) {
	clear(sum)
	var q, sumM, sumC, rowsOfK, within float64
	for a, i := range in {
		for j, v := range p.row(int(i)) {
			sum[j] += v
		}
		q += p.q[i]
		sumM += p.matched[i]
		sumC += p.confidence[i]
		rowsOfK += p.kernelSum[i]
		k := p.kernel[int(i)*p.m : (int(i)+1)*p.m]
		for _, other := range in[:a] {
			within += k[other]
		}
	}
	n, rest := float64(len(in)), float64(p.m-len(in))
	var squaredB, squaredR, apart float64
	for j, v := range sum {
		w := p.sum[j] - v
		squaredB += v * v
		squaredR += w * w
		e := v/n - w/rest
		apart += e * e
	}
	within *= 2
	between := rowsOfK - within
	others := p.sumK - within - 2*between
	s.value[centroid] = apart
	s.value[mmd] = within/(n*(n-1)) + others/(rest*(rest-1)) - 2*between/(n*rest)

	s.reference[intra], s.batch[intra] = (squaredR-(p.sumQ-q))/(rest*(rest-1)), (squaredB-q)/(n*(n-1))
	s.reference[matched], s.batch[matched] = (p.sumM-sumM)/rest, sumM/n
	s.reference[confidence], s.batch[confidence] = (p.sumC-sumC)/rest, sumC/n
	s.value[intra] = math.Abs(s.batch[intra] - s.reference[intra])
	s.value[matched] = math.Abs(s.batch[matched] - s.reference[matched])
	s.value[confidence] = s.reference[confidence] - s.batch[confidence]
	for t, v := range s.value {
		if math.Abs(v) < rounding {
			s.value[t] = 0
		}
	}
	return s
}

// division draws n of the images, ascending, each such choice as likely as any
// other. Draw number k of a seed is the same whoever makes it.
func (p *pool) division(n int, seed, k uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, k))
	// Selection sampling: image i is taken with the odds of those still wanted.
	in := make([]int32, 0, n)
	for i := 0; len(in) < n; i++ {
		if rng.IntN(p.m-i) < n-len(in) {
			in = append(in, int32(i))
		}
	}
	return in
}

// there is the division that is there.
func (p *pool) there() []int32 {
	in := make([]int32, 0, p.batch)
	for i := p.m - p.batch; i < p.m; i++ {
		in = append(in, int32(i))
	}
	return in
}
