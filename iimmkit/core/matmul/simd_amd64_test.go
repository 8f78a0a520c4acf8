//go:build goexperiment.simd && amd64

package matmul

import "simd/archsimd"

// kernels are those that this processor can run.
func kernels() []kernel {
	all := []kernel{plain}
	if archsimd.X86.AVX2() {
		all = append(all, narrow)
	}
	if archsimd.X86.AVX512() {
		all = append(all, wide)
	}
	return all
}
