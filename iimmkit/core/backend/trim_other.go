//go:build !(cgo && !noxla && linux && (amd64 || arm64))

package backend

// Trim does nothing where there is no XLA with glibc.
func Trim() {}
