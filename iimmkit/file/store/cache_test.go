package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCacheKeepsValuesAndFindsDamage(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	key := NewKey("test", "one")
	if _, err := Get("things", key); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty cache gave %v", err)
	}
	for _, value := range []string{"", "some bytes"} {
		if err := Put("things", key, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := Get("things", key); err != nil || string(got) != value {
			t.Fatalf("%q, %v", got, err)
		}
	}
	dir, kinds, err := Kinds()
	if err != nil || len(kinds) != 1 || kinds[0] != (Kind{"things", 1, 32 + 10}) {
		t.Fatalf("%+v, %v", kinds, err)
	}
	path := filepath.Join(dir, "things", key.String()[:2], key.String())
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { b[40] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { return b[:5] },
	} {
		if err := Put("things", key, []byte("some bytes")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Get("things", key); !errors.Is(err, ErrCorrupt) {
			t.Errorf("damage gave %v", err)
		}
		if _, err := Get("things", key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a damaged entry stayed: %v", err)
		}
	}
	if err := Clean("things"); err != nil {
		t.Fatal(err)
	}
	if err := Clean("things"); err == nil {
		t.Error("what is not there was cleaned")
	}
	if err := Clean(".."); err == nil {
		t.Error("a folder outside the cache was cleaned")
	}
}

func TestKeysTellPartsApart(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"ab"}, {"a", "b"}, {"", "ab"}, {"b", "a"}} {
		k := NewKey(parts...).String()
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[k] = parts
	}
}
