package store

import (
	"os"
	"strings"
)

// machine names this boot of this machine, "" when that is not known.
func machine() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
