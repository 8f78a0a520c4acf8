package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

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
