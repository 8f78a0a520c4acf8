//go:build !(cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64)))

package backend

import (
	"errors"

	"github.com/gomlx/compute"
)

const xlaMissing = "this binary was built without XLA (it needs cgo, a C compiler, and no -tags noxla)"

func openXLA(string, string) (compute.Backend, error) { return nil, errors.New(xlaMissing) }

const cpuVersion = ""

func gomlxInstall(string, string) error { return errors.New(xlaMissing) }
