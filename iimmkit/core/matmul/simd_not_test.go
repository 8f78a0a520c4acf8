//go:build !(goexperiment.simd && amd64)

package matmul

func kernels() []kernel { return []kernel{plain} }
