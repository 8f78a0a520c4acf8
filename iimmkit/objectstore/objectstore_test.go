package main

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// bucket answers reads of objects as S3 does, by path: /BUCKET/KEY.
func bucket(t *testing.T, objects map[string][]byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, there := objects[r.URL.Path]
		if !there || !strings.Contains(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			if r.Method != http.MethodHead {
				w.Write([]byte(`<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>absent</Message></Error>`))
			}
			return
		}
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return "?region=us-east-1&use_path_style=true&disable_https=true&endpoint=" + s.URL
}

func TestShardsInABucketComeToTheGoldenValues(t *testing.T) {
	g := golden.Mid()
	objects := map[string][]byte{}
	encode := func(key string, lo, hi int) {
		y := make([]int64, hi-lo)
		for i := range y {
			y[i] = int64(g.Labels[lo+i])
		}
		var b bytes.Buffer
		if err := tensorfile.EncodeSafetensors(&b, []tensorfile.Tensor{
			tensorfile.FromFloat64("images", []int{hi - lo, golden.D}, g.Images[lo*golden.D:hi*golden.D]),
			tensorfile.FromInt64("labels", []int{hi - lo}, y)}, nil); err != nil {
			t.Fatal(err)
		}
		objects[key] = b.Bytes()
	}
	encode("/embeddings/in/a.safetensors", 0, 70)
	encode("/embeddings/in/b.safetensors", 70, 120)
	query := bucket(t, objects)
	dir := t.TempDir()
	stats, list := filepath.Join(dir, "all.stats"), filepath.Join(dir, "list")
	if err := os.WriteFile(list, []byte("s3://embeddings/in/b.safetensors"+query+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--classes", "6", "--out", stats, "--list", list, "s3://embeddings/in/a.safetensors" + query}, &out, &errs); code != 0 {
		t.Fatalf("exit %d, %s", code, errs.Bytes())
	}
	a, err := shard.Read(stats)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := measure.NewTexts(golden.Texts(), golden.D)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.IIMM-g.Values["iimm"]) > 1e-12 || math.Abs(*got.InterByClass-g.Values["inter_by_class"]) > 1e-12 || got.N != golden.N {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"absent": {[]string{"--classes", "6", "--out", stats, "s3://embeddings/in/c.safetensors" + query}, 1, "c.safetensors"},
		"no key": {[]string{"--classes", "6", "--out", stats, "s3://embeddings"}, 1, "want s3://BUCKET/KEY"},
		"no out": {[]string{"--classes", "6", "s3://embeddings/a"}, 2, "give --out"},
	} {
		errs.Reset()
		if code := run(t.Context(), c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit %d, %s", name, code, errs.Bytes())
		}
	}
}
