package measure

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// dot returns the inner product in float64. Four sums hide the latency of the
// additions; their order is fixed.
func dot[F, G Float](x []F, y []G) float64 {
	y = y[:len(x)]
	var s [4]float64
	j := dotSIMD(x, y, &s)
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	for ; j+4 <= len(x); j += 4 {
		a, b := x[j:j+4:j+4], y[j:j+4:j+4]
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
	}
	for ; j < len(x); j++ {
		s0 += float64(x[j]) * float64(y[j])
	}
	return (s0 + s1) + (s2 + s3)
}

// add adds x to sum.
func add[F Float](sum []float64, x []F) {
	sum = sum[:len(x)]
	j := addSIMD(sum, x)
	for ; j+4 <= len(x); j += 4 {
		s, a := sum[j:j+4:j+4], x[j:j+4:j+4]
		s[0] += float64(a[0])
		s[1] += float64(a[1])
		s[2] += float64(a[2])
		s[3] += float64(a[3])
	}
	for ; j < len(x); j++ {
		sum[j] += float64(x[j])
	}
}

// addScaled adds w*x to sum.
func addScaled[F Float](sum []float64, x []F, w float64) {
	sum = sum[:len(x)]
	for j, v := range x {
		sum[j] += w * float64(v)
	}
}

// parallel calls f(0) .. f(n-1) from as many goroutines as there are
// processors. What f does for one number must not depend on the others.
func parallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
