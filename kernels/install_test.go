package kernels

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func TestCellsOnXLAHaveTheEnvironmentOfTheCommand(t *testing.T) {
	for _, v := range variants {
		if !v.cgo {
			continue
		}
		var env []string
		for name, value := range v.spec("", toolchain{}, "", "").Env {
			env = append(env, name+"="+value)
		}
		want, _ := backend.Environment(nil)
		for _, setting := range want {
			if !slices.Contains(env, setting) {
				t.Errorf("kernel %s: %q lacks %s", v.name, env, setting)
			}
		}
	}
}

// built returns the folder of the real tools, built when they are not in the
// cache; where they cannot be had the test is skipped, or fails when
// IIMM_REQUIRE names gonb.
func built(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: gonb and goimports are not built")
	}
	dir, err := Tools(t.Context(), progress.Discard)
	if err != nil {
		if strings.Contains(os.Getenv("IIMM_REQUIRE"), "gonb") {
			t.Fatalf("IIMM_REQUIRE names gonb, but: %v", err)
		}
		t.Skipf("GoNB cannot be had here: %v", err)
	}
	return dir
}

func TestInstallIsFoundByJupyter(t *testing.T) {
	tools := built(t)
	prefix := t.TempDir()
	t.Setenv("JUPYTER_PATH", filepath.Join(prefix, "share", "jupyter"))
	for range 2 { // the second replaces the first
		specs, err := Install(t.Context(), Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		if len(specs) != 1 || specs[0].Name != "iimm-go" {
			t.Fatalf("%+v", specs)
		}
	}
	spec, err := Find("iimm-go")
	if err != nil {
		t.Fatal(err)
	}
	if spec.Env["IIMM_TOOLS"] != tools || !isModule(spec.Env["IIMM_INSTALLED_MODULE"]) || !strings.HasPrefix(spec.Dir, prefix) {
		t.Errorf("%+v", spec)
	}
	for _, f := range Doctor(t.Context(), ".", "") {
		if f.Level == Error {
			t.Errorf("after installation: %s", f)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	prefix := t.TempDir()
	if _, err := Install(t.Context(), Options{Prefix: prefix, Backends: []string{"tpu"}}); err == nil || !strings.Contains(err.Error(), "xla:cpu") {
		t.Errorf("unknown backend: %v", err)
	}
	t.Setenv("IIMM_MODULE", "")
	outside := t.TempDir()
	t.Chdir(outside)
	if _, err := Install(t.Context(), Options{Prefix: prefix}); err == nil || !strings.Contains(err.Error(), "IIMM_MODULE") {
		t.Errorf("outside of a clone: %v", err)
	}
	if left, _ := os.ReadDir(prefix); len(left) > 0 {
		t.Errorf("a refused installation left %v", left)
	}
}

func TestXLAKernelsNeedACompiler(t *testing.T) {
	t.Setenv("CC", "/no/such/compiler")
	_, err := Install(t.Context(), Options{Prefix: t.TempDir(), Backends: []string{Go, XLACPU}})
	if err == nil || !strings.Contains(err.Error(), "C compiler") {
		t.Errorf("without a compiler: %v", err)
	}
}

func TestOfflineDoesNotReachForTheNetwork(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw")
	t.Setenv("IIMM_OFFLINE", "1")
	_, err := Tools(t.Context(), progress.Discard)
	if err == nil || !strings.Contains(err.Error(), "GOPROXY=off") {
		t.Errorf("offline, with empty caches: %v", err)
	}
	cache := os.Getenv("IIMM_CACHE")
	if left, _ := filepath.Glob(filepath.Join(cache, "bin", "*")); len(left) > 0 {
		t.Errorf("a failed build left %v", left)
	}
	hidden, _ := filepath.Glob(filepath.Join(cache, "bin", ".*"))
	if len(hidden) > 0 {
		t.Errorf("a failed build left %v", hidden)
	}
}
