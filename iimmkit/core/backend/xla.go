//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import (
	"errors"
	"io"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"k8s.io/klog/v2"
)

// xlaMissing says why this binary has no XLA; here it has.
const xlaMissing = ""

var openMu sync.Mutex

// openXLA loads a plugin by its absolute path, which keeps GoMLX from
// installing plugins by itself.
func openXLA(path, config string) (compute.Backend, error) {
	openMu.Lock()
	defer openMu.Unlock()
	// go-xla logs what it returns as an error as well, over several lines.
	state := klog.CaptureState()
	defer state.Restore()
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	b, err := xla.New(config)
	if err != nil {
		return nil, err
	}
	if b.NumDevices() == 0 {
		b.Finalize()
		return nil, errors.New("the plugin loads but sees no device")
	}
	return b, nil
}
