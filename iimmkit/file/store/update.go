package store

import (
	"os"
	"time"
)

// ReadIfThere reads a file: nil when there is none.
func ReadIfThere(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	return data, ignoreGone(err)
}

// Update changes a small file that several processes write: change gets what it
// holds, nil when there is none, and returns what it is to hold. Meanwhile no other
// process updates it, which is waited for at most ten seconds.
func Update(path string, change func(data []byte) ([]byte, error)) error {
	unlock, err := LockWithin(path+".lock", 10*time.Second)
	if err != nil {
		return err
	}
	defer unlock()
	data, err := ReadIfThere(path)
	if err != nil {
		return err
	}
	if data, err = change(data); err != nil {
		return err
	}
	return WriteFile(path, data)
}
