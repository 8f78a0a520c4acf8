//go:build !(goexperiment.simd && amd64)

package picture

func columnSIMD([]uint8, raster, int, []int32, *[][8]int32) int { return 0 }

type fours struct{}

func (w *weights) fours() *fours { return nil }

func rowOf3SIMD(*weights, *fours, []uint8, []uint8) int { return 0 }

func inverseSIMD(*[64]int32, []uint8, int) bool { return false }
