package nb

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// drain waits until the kernel has read what the program has printed: a pipe
// tells how much is left in it.
func drain() {
	const patience, pause = 2 * time.Second, 200 * time.Microsecond
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
			if left, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ); err != nil || left == 0 {
				break
			}
		}
	}
}
