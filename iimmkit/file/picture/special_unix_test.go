//go:build unix

package picture_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Reading a pipe would wait for a writer, reading a device never ends.
func TestPipesAndDevicesAreNotRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.png")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip("no pipes here: ", err)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := picture.Open(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
