//go:build !(goexperiment.simd && amd64)

package measure

func dotSIMD[F, G Float](x []F, y []G, sums *[4]float64) int { return 0 }

func addSIMD[F Float](sum []float64, x []F) int { return 0 }
