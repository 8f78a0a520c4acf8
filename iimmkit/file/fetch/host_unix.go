//go:build linux || darwin

package fetch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// EnoughSpace refuses a download that the disk of an existing directory cannot
// hold before it starts.
func EnoughSpace(dir string, need int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return nil // not known is no reason to refuse
	}
	if free := int64(s.Bavail) * int64(s.Bsize); free < need {
		return fmt.Errorf("%s has %d MB free, %d MB are needed", dir, free/megabyte, need/megabyte+1)
	}
	return nil
}

// tryLock takes the file for this process until it is closed, or reports that
// another has it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
