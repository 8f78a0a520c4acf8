package nb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// File returns where cells keep a file for the cells after them, which are
// programs of their own and share nothing else: in iimm's cache, in a folder of
// its own for each value of what the file depends on (parameters, versions).
func File(name string, dependsOn ...any) string {
	path, err := sharedFile(name, dependsOn)
	Check(err)
	return path
}

func sharedFile(name string, dependsOn []any) (string, error) {
	if name != filepath.Base(name) || name == "." || name == ".." {
		return "", fmt.Errorf("nb.File: %q is not the name of a file", name)
	}
	cache, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, v := range dependsOn {
		fmt.Fprintf(h, "%T %q\n", v, fmt.Sprint(v))
	}
	dir := filepath.Join(cache, "notebooks", hex.EncodeToString(h.Sum(nil))[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}
