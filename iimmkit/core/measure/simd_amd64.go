//go:build goexperiment.simd && amd64

package measure

import "simd/archsimd"

var hasAVX2 = archsimd.X86.AVX2()

// shortRow entries are summed as fast without vectors.
const shortRow = 32

// dotSIMD adds to the four sums of dot those of the first entries, and returns of
// how many. A vector's lanes are those sums: the bits are the same.
func dotSIMD[F, G Float](x []F, y []G, sums *[4]float64) int {
	if !hasAVX2 || len(x) < shortRow {
		return 0
	}
	n := len(x) &^ 3
	switch x := any(x).(type) {
	case []float32:
		switch y := any(y).(type) {
		case []float32:
			dot32and32(x[:n], y[:n], sums)
			return n
		case []float64:
			dot32and64(x[:n], y[:n], sums)
			return n
		}
	case []float64:
		if y, ok := any(y).([]float64); ok {
			dot64and64(x[:n], y[:n], sums)
			return n
		}
	}
	return 0
}

func dot32and32(x, y []float32, sums *[4]float64) {
	s := archsimd.LoadFloat64x4(sums)
	for len(x) >= 4 && len(y) >= 4 {
		a := archsimd.LoadFloat32x4((*[4]float32)(x)).ConvertToFloat64()
		s = s.Add(a.Mul(archsimd.LoadFloat32x4((*[4]float32)(y)).ConvertToFloat64()))
		x, y = x[4:], y[4:]
	}
	s.Store(sums)
	archsimd.ClearAVXUpperBits()
}

func dot32and64(x []float32, y []float64, sums *[4]float64) {
	s := archsimd.LoadFloat64x4(sums)
	for len(x) >= 4 && len(y) >= 4 {
		a := archsimd.LoadFloat32x4((*[4]float32)(x)).ConvertToFloat64()
		s = s.Add(a.Mul(archsimd.LoadFloat64x4((*[4]float64)(y))))
		x, y = x[4:], y[4:]
	}
	s.Store(sums)
	archsimd.ClearAVXUpperBits()
}

func dot64and64(x, y []float64, sums *[4]float64) {
	s := archsimd.LoadFloat64x4(sums)
	for len(x) >= 4 && len(y) >= 4 {
		s = s.Add(archsimd.LoadFloat64x4((*[4]float64)(x)).Mul(archsimd.LoadFloat64x4((*[4]float64)(y))))
		x, y = x[4:], y[4:]
	}
	s.Store(sums)
	archsimd.ClearAVXUpperBits()
}

// addSIMD adds the first entries of x to sum and returns how many.
func addSIMD[F Float](sum []float64, x []F) int {
	if !hasAVX2 || len(x) < shortRow {
		return 0
	}
	n := len(x) &^ 3
	switch x := any(x).(type) {
	case []float32:
		add32(sum[:n], x[:n])
		return n
	case []float64:
		add64(sum[:n], x[:n])
		return n
	}
	return 0
}

func add32(sum []float64, x []float32) {
	for len(x) >= 4 && len(sum) >= 4 {
		to := (*[4]float64)(sum)
		archsimd.LoadFloat64x4(to).Add(archsimd.LoadFloat32x4((*[4]float32)(x)).ConvertToFloat64()).Store(to)
		sum, x = sum[4:], x[4:]
	}
	archsimd.ClearAVXUpperBits()
}

func add64(sum, x []float64) {
	for len(x) >= 4 && len(sum) >= 4 {
		to := (*[4]float64)(sum)
		archsimd.LoadFloat64x4(to).Add(archsimd.LoadFloat64x4((*[4]float64)(x))).Store(to)
		sum, x = sum[4:], x[4:]
	}
	archsimd.ClearAVXUpperBits()
}
