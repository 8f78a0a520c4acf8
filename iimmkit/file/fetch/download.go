package fetch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// download is one file on its way.
type download struct {
	client *Client
	url    *url.URL
	want   checksum
	file   *os.File
	hash   hash.Hash // of the bytes in file
	have   int64
	joined bool   // the bytes in file came in more than one answer
	etag   string // of the bytes in file; "" when the server names none
	bar    progress.Bar
	shown  int64 // megabytes told to bar
}

const megabyte = 1 << 20

// permanent marks an error that no retry mends.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

func (d *download) run(ctx context.Context, report progress.Reporter, name string) error {
	if d.want.hex == "" {
		// Nothing would tell that the bytes of an earlier process and those of
		// this one are of the same file.
		if err := d.restart(); err != nil {
			return err
		}
	} else {
		n, err := io.Copy(d.hash, d.file)
		if err != nil {
			return err
		}
		d.have, d.joined = n, n > 0
		if d.joined && d.sum() == d.want.hex { // killed between the last byte and the name
			return nil
		}
	}
	defer func() {
		if d.bar != nil {
			d.bar.Done()
		}
	}()
	mended := false
	for failures := 0; ; {
		before := d.have
		after, err := d.attempt(ctx, report, name)
		if err == nil {
			got := d.sum()
			if d.want.hex == "" || got == d.want.hex {
				return nil
			}
			// Parts of two files joined at a broken connection may explain it.
			again := d.joined && !mended
			if err := d.restart(); err != nil {
				return err
			}
			if again {
				mended = true
				continue
			}
			os.Remove(d.file.Name())
			return fmt.Errorf("wrong bytes: %s %s instead of %s; nothing kept", d.want.kind, got, d.want.hex)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var stop permanent
		if errors.As(err, &stop) {
			return err
		}
		if d.have > before {
			failures = 0
		}
		if failures++; failures >= d.client.Attempts {
			return fmt.Errorf("given up after %d tries: %w", failures, err)
		}
		wait, refused := d.client.pause(failures, after, err)
		if refused != nil {
			return refused
		}
		if d.bar != nil {
			d.bar.Note(fmt.Sprintf("%v; trying again", err))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (d *download) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// restart forgets the bytes so far.
func (d *download) restart() error {
	d.hash.Reset()
	d.have, d.joined, d.etag = 0, false, ""
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// attempt asks for what is missing and appends what comes. It returns how long
// the server wants to be left alone.
func (d *download) attempt(ctx context.Context, report progress.Reporter, name string) (after time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(d.client.Stall, func() {
		cancel(fmt.Errorf("no byte for %v", d.client.Stall))
	})
	defer stall.Stop()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url.String(), nil)
	if err != nil {
		return 0, permanent{err}
	}
	// Offsets and checksums are of the file, not of a compressed copy.
	req.Header.Set("Accept-Encoding", "identity")
	if d.have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
		if d.etag != "" {
			req.Header.Set("If-Range", d.etag)
		}
	}
	resp, err := d.client.do(req, true)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()

	total := int64(-1)
	switch resp.StatusCode {
	case http.StatusOK:
		if d.have > 0 {
			if err := d.restart(); err != nil {
				return 0, permanent{err}
			}
		}
		total = resp.ContentLength
	case http.StatusPartialContent:
		start, size, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || start != d.have {
			if err := d.restart(); err != nil {
				return 0, permanent{err}
			}
			return 0, fmt.Errorf("asked from a byte on, got %q", resp.Header.Get("Content-Range"))
		}
		total, d.joined = size, true
	case http.StatusRequestedRangeNotSatisfiable:
		// All there already, or more than the file has.
		_, size, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if ok && size == d.have {
			return 0, nil
		}
		if d.have == 0 {
			return 0, permanent{errors.New(resp.Status)}
		}
		if err := d.restart(); err != nil {
			return 0, permanent{err}
		}
		return 0, errors.New(resp.Status)
	default:
		return retryAfter(resp), statusError(resp)
	}
	if tag := resp.Header.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		d.etag = tag
	}
	if total > 0 {
		if err := EnoughSpace(filepath.Dir(d.file.Name()), total-d.have); err != nil {
			return 0, permanent{err}
		}
	}
	if d.bar == nil {
		d.bar = report.Start("fetching "+name+" (MB)", int(max(total, 0)/megabyte))
	}
	d.tell()
	buf := make([]byte, 256<<10)
	for {
		n, rerr := resp.Body.Read(buf)
		if n > 0 {
			stall.Reset(d.client.Stall)
			if _, err := d.file.WriteAt(buf[:n], d.have); err != nil {
				return 0, permanent{err}
			}
			d.hash.Write(buf[:n])
			d.have += int64(n)
			d.tell()
		}
		switch {
		case rerr == io.EOF && total >= 0 && d.have != total:
			return 0, fmt.Errorf("%d bytes of %d came: %w", d.have, total, io.ErrUnexpectedEOF)
		case rerr == io.EOF:
			return 0, nil
		case rerr != nil:
			return 0, redact(rerr)
		}
	}
}

// tell moves the bar to the megabytes that are there; after a restart it
// stands until they are reached again.
func (d *download) tell() {
	if mb := d.have / megabyte; mb > d.shown {
		d.bar.Add(int(mb - d.shown))
		d.shown = mb
	}
}

// parseContentRange reads "bytes 5-9/10" and "bytes */10"; size is -1 for "*".
func parseContentRange(s string) (start, size int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, 0, false
	}
	size = -1
	if total != "*" {
		n, err := strconv.ParseUint(total, 10, 63)
		if err != nil {
			return 0, 0, false
		}
		size = int64(n)
	}
	if span == "*" {
		return 0, size, true
	}
	first, last, ok := strings.Cut(span, "-")
	a, err1 := strconv.ParseUint(first, 10, 63)
	b, err2 := strconv.ParseUint(last, 10, 63)
	if !ok || err1 != nil || err2 != nil || b < a || size >= 0 && int64(b) >= size {
		return 0, 0, false
	}
	return int64(a), size, true
}

func statusError(resp *http.Response) error {
	err := &StatusError{resp.StatusCode, resp.Header}
	switch code := resp.StatusCode; {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return err
	}
	return permanent{err}
}

// retryAfter is how long the server asks to wait: Retry-After, in seconds or
// until a date, else the reset time of a RateLimit field (as Hugging Face sends
// it: "api";r=0;t=55), which counts only with a refusal.
func retryAfter(resp *http.Response) time.Duration {
	asked := resp.Header.Get("Retry-After")
	if t, err := http.ParseTime(asked); err == nil {
		return max(0, time.Until(t).Round(time.Second))
	}
	if asked == "" && resp.StatusCode == http.StatusTooManyRequests {
		for field := range strings.SplitSeq(resp.Header.Get("RateLimit"), ";") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(field), "t="); ok {
				asked = t
			}
		}
	}
	s, err := strconv.ParseUint(asked, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}

// redact removes the address, which may hold a password, from the errors of
// net/http; Get names it once, redacted. Refusals of ours stay permanent.
func redact(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if err != nil && strings.Contains(err.Error(), "only https addresses are fetched") {
		return permanent{err}
	}
	return err
}
