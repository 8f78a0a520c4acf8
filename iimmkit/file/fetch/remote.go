package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Remote is a file on a server, of which parts are read by range requests.
type Remote struct {
	client  *Client
	ctx     context.Context
	address string
	size    int64
	version string // of the file, where the server tells it
}

// Open asks a server for the size of a file, to read parts of it by ReadAt. It
// obeys the same rules as Get, and fails for a server that gives whole files only.
// Nothing is kept; ctx ends the reading.
func Open(ctx context.Context, address string) (*Remote, error) { return Default.Open(ctx, address) }

// Open is the package's Open with c's patience and headers.
func (c *Client) Open(ctx context.Context, address string) (*Remote, error) {
	r := &Remote{client: c, ctx: ctx, address: address, size: -1}
	// Not HEAD: addresses signed for a request are signed for GET.
	return r, r.get(make([]byte, 1), 0)
}

// Size returns the length of the file in bytes.
func (r *Remote) Size() int64 { return r.size }

// Close does nothing: no connection is held.
func (r *Remote) Close() error { return nil }

// ReadAt reads part of the file with one request, again where it breaks off. It is
// an error when the file is no longer the one that was opened.
func (r *Remote) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, errors.New("read before the start of a file")
	case len(p) == 0:
		return 0, nil
	case off >= r.size:
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.size-off)]
	if err := r.get(want, off); err != nil {
		return 0, err
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// get fills p from byte off on; the first time it learns size and version.
func (r *Remote) get(p []byte, off int64) error {
	asked := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1)}}
	return r.client.ask(r.ctx, http.MethodGet, r.address, asked, func(resp *http.Response) error {
		start, size, ok := parseContentRange(resp.Header.Get("Content-Range"))
		switch {
		case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && size == 0,
			resp.StatusCode == http.StatusOK && resp.ContentLength == 0: // servers differ on parts of nothing
			r.size = 0
			return nil
		case resp.StatusCode == http.StatusOK:
			return permanent{errors.New("the server gives whole files only, no parts: download the file first")}
		case resp.StatusCode != http.StatusPartialContent:
			return statusError(resp)
		case !ok || start != off || size < 0:
			return permanent{fmt.Errorf("asked for bytes from %d on, got %q", off, resp.Header.Get("Content-Range"))}
		}
		version := resp.Header.Get("ETag")
		if version == "" {
			version = resp.Header.Get("Last-Modified")
		}
		if r.size < 0 {
			r.size, r.version = size, version
		} else if size != r.size || version != r.version {
			return permanent{errors.New("the file changed while it was read")}
		}
		if _, err := io.ReadFull(resp.Body, p); err != nil {
			return redact(err)
		}
		return nil
	})
}
