package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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

// Read is the package's Read with c's patience and headers.
func (c *Client) Read(ctx context.Context, address, accept string, limit int64) (*Document, error) {
	var doc *Document
	header := http.Header{}
	if accept != "" {
		header.Set("Accept", accept)
	}
	err := c.ask(ctx, http.MethodGet, address, header, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return statusError(resp)
		}
		var body bytes.Buffer
		if _, err := io.Copy(&body, io.LimitReader(resp.Body, limit+1)); err != nil {
			return redact(err)
		}
		if int64(body.Len()) > limit {
			return permanent{fmt.Errorf("answer larger than %d bytes", limit)}
		}
		doc = &Document{body.Bytes(), resp.Header.Get("Content-Type"), resp.Request.URL}
		return nil
	})
	return doc, err
}

// Head asks for the headers of an address. Redirects within its host are
// followed; one to another host is not, its headers are the answer.
func (c *Client) Head(ctx context.Context, address string) (http.Header, error) {
	var header http.Header
	// The length is wanted of the file, not of a compressed copy.
	asked := http.Header{"Accept-Encoding": {"identity"}}
	err := c.ask(ctx, http.MethodHead, address, asked, func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK && resp.StatusCode/100 != 3 {
			return statusError(resp)
		}
		header = resp.Header
		return nil
	})
	return header, err
}

// ask sends a request until an answer is taken or waiting does not help.
func (c *Client) ask(ctx context.Context, method, address string, header http.Header, take func(*http.Response) error) error {
	u, err := check(address)
	if err != nil {
		return err
	}
	for failures := 1; ; failures++ {
		after, err := c.askOnce(ctx, method, u, header, take)
		if err == nil {
			return nil
		}
		var wait time.Duration
		var stop permanent
		final := ctx.Err() != nil || errors.As(err, &stop) || failures >= c.Attempts
		if !final {
			var refused error
			if wait, refused = c.pause(failures, after, err); refused != nil {
				final, err = true, refused
			}
		}
		if final {
			return fmt.Errorf("%s: %w", u.Redacted(), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", u.Redacted(), context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

func (c *Client) askOnce(ctx context.Context, method string, u *url.URL, header http.Header, take func(*http.Response) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return 0, permanent{err}
	}
	maps.Copy(req.Header, header)
	resp, err := c.do(req, method != http.MethodHead)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return retryAfter(resp), take(resp)
}
