//go:build cgo && !noxla && ((linux && arm64) || (darwin && arm64) || (windows && amd64))

package backend

import "errors"

func cudaInstall(string) error { return errors.New("there is no CUDA plugin for this platform") }
