package backend

import (
	"os"
	"sync"
)

var stdoutMu sync.Mutex

// silently drops what f prints to the standard output: some of what GoMLX
// calls prints there, where only results belong.
func silently(f func() error) error {
	stdoutMu.Lock()
	defer stdoutMu.Unlock()
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		old := os.Stdout
		os.Stdout = null
		defer func() { os.Stdout = old; null.Close() }()
	}
	return f()
}
