package huggingface

import (
	"path/filepath"
	"testing"
)

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":3,"blobId":"0123456789abcdef0123456789abcdef01234567"},
{"rfilename":"model.safetensors","size":9,"lfs":{"sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":9}},{"rfilename":"../x"},{"rfilename":"data/a.parquet","size":2,"blobId":"0123456789abcdef0123456789abcdef01234567"}]}`))
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
			if file != (File{}) && file.Check(name) != nil {
				t.Errorf("%q: %+v", name, file)
			}
			if file != (File{}) && !filepath.IsLocal(name) {
				t.Errorf("%q leaves its folder", name)
			}
		}
	})
}
