package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":3,"blobId":"0123456789abcdef0123456789abcdef01234567"},
{"rfilename":"model.safetensors","size":9,"lfs":{"sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":9}},{"rfilename":"../x"}]}`))
	f.Add([]byte(`{"sha":"main"}`))
	f.Add([]byte(`{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"a","size":-1,"blobId":"../../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		commit, files, err := parseListing(data)
		if err != nil {
			return
		}
		if !commitHash.MatchString(commit) {
			t.Errorf("commit %q", commit)
		}
		for name, file := range files {
			if file != (File{}) && file.check(name) != nil {
				t.Errorf("%q: %+v", name, file)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../../../etc/passwd"}}`))
	f.Add([]byte(`{"weight_map":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := shards("model.safetensors.index.json", data)
		if err == nil && len(names) == 0 {
			t.Error("no file and no error")
		}
		for _, n := range names {
			if !filepath.IsLocal(n) || strings.ContainsAny(n, `/\`) {
				t.Errorf("%q", n)
			}
		}
	})
}
