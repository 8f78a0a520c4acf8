package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Document is a small answer held in memory.
type Document struct {
	Body        []byte
	ContentType string
	URL         *url.URL // where it came from after redirects: the base of relative links in it
}

// Read fetches a document of at most limit bytes, such as an index page, with
// the given Accept header ("" for any). It obeys the same rules as Get.
func Read(ctx context.Context, address, accept string, limit int64) (*Document, error) {
	return Default.Read(ctx, address, accept, limit)
}

// Read is the package's Read with c's patience.
func (c *Client) Read(ctx context.Context, address, accept string, limit int64) (*Document, error) {
	u, err := check(address)
	if err != nil {
		return nil, err
	}
	for failures := 0; ; {
		doc, after, err := c.readOnce(ctx, u, accept, limit)
		if err == nil {
			return doc, nil
		}
		var stop permanent
		failures++
		if ctx.Err() != nil || errors.As(err, &stop) || failures >= c.Attempts {
			return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", u.Redacted(), context.Cause(ctx))
		case <-time.After(max(min(c.Wait<<min(failures-1, 16), time.Minute), after)):
		}
	}
}

func (c *Client) readOnce(ctx context.Context, u *url.URL, accept string, limit int64) (*Document, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, permanent{err}
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, 0, redact(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, retryAfter(resp), statusError(resp)
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, io.LimitReader(resp.Body, limit+1)); err != nil {
		return nil, 0, redact(err)
	}
	if int64(body.Len()) > limit {
		return nil, 0, permanent{fmt.Errorf("answer larger than %d bytes", limit)}
	}
	return &Document{body.Bytes(), resp.Header.Get("Content-Type"), resp.Request.URL}, 0, nil
}
