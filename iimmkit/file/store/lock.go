package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked is wrapped by Lock's error when another process holds the lock.
var ErrLocked = errors.New("in use by another process")

// Lock takes the lock file path, which is created with its folder when absent,
// without waiting. The lock ends with unlock or with the process, however that
// ends; the file stays.
func Lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	l := flock.New(path)
	ok, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !ok:
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return func() { l.Unlock() }, nil
}

// LockWithin is Lock that waits for another process, which is expected to be done
// soon, for so long.
func LockWithin(path string, wait time.Duration) (unlock func(), err error) {
	unlock, err = Lock(path)
	for deadline := time.Now().Add(wait); errors.Is(err, ErrLocked) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
		unlock, err = Lock(path)
	}
	return unlock, err
}
