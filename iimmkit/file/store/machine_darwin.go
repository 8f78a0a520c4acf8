package store

import "golang.org/x/sys/unix"

// machine names this boot of this machine, "" when that is not known.
func machine() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
