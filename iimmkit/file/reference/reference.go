// Package reference finds the data and fixtures that tests compare with.
// They are not part of the repository: a test that needs them is skipped, and
// says so, where they are absent, and fails where they were promised.
package reference

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Data returns the path of a file or folder below IIMM_DATA, by default
// ../shared/data seen from the module's root.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	return find(t, "IIMM_DATA", "data", elem)
}

// Fixtures is Data for IIMM_FIXTURES, by default ../shared/fixtures.
func Fixtures(t testing.TB, elem ...string) string {
	t.Helper()
	return find(t, "IIMM_FIXTURES", "fixtures", elem)
}

func find(t testing.TB, variable, folder string, elem []string) string {
	t.Helper()
	root, promised := os.LookupEnv(variable)
	if !promised || root == "" {
		promised = false
		_, file, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "..", "..", "..", "..", "shared", folder)
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		if promised {
			t.Fatalf("%s is set, but %v", variable, err)
		}
		t.Skipf("reference %s absent (%s not set): %s", folder, variable, filepath.Join(elem...))
	}
	return path
}
