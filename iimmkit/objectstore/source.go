// Command iimm-map is iimm map for shards in object stores: s3://BUCKET/KEY,
// gs://BUCKET/KEY, with the credentials that their own tools use. It is a module of
// its own because it links the stores' libraries.
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

// object is a file in a bucket.
type object struct {
	ctx     context.Context
	bucket  *blob.Bucket
	key     string
	size    int64
	changed time.Time
}

// openObject opens scheme://BUCKET/KEY; the query goes to the library, as
// ?region= or ?endpoint= (see gocloud.dev/blob/s3blob).
func openObject(ctx context.Context, address string) (embedding.Source, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address", address)
	}
	key := strings.TrimPrefix(u.Path, "/")
	if u.Host == "" || key == "" {
		return nil, fmt.Errorf("%s: want %s://BUCKET/KEY", address, u.Scheme)
	}
	bucket, err := blob.OpenBucket(ctx, (&url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery}).String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	about, err := bucket.Attributes(ctx, key)
	if err != nil {
		bucket.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &object{ctx, bucket, key, about.Size, about.ModTime}, nil
}

// Size returns the length in bytes.
func (o *object) Size() int64 { return o.size }

// Close gives the connection back.
func (o *object) Close() error { return o.bucket.Close() }

// ReadAt reads a part by one request.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off >= o.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), o.size-off)
	r, err := o.bucket.NewRangeReader(o.ctx, o.key, off, n, nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if r.Size() != o.size || !r.ModTime().Equal(o.changed) {
		return 0, fmt.Errorf("%s changed while it was read", o.key)
	}
	read, err := io.ReadFull(r, p[:n])
	if err == nil && n < int64(len(p)) {
		err = io.EOF
	}
	return read, err
}
