// Package fetch downloads files that were asked for: over https, resumed after
// a broken connection or a killed process, checked against a SHA-256, under
// their final name only when whole. IIMM_OFFLINE=1 keeps it off the network.
package fetch

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// ErrOffline is what every request fails with when IIMM_OFFLINE=1.
var ErrOffline = errors.New("IIMM_OFFLINE=1 forbids network access")

// Unpinned stands in a record for a checksum that nobody published.
const Unpinned = "unpinned"

// Offline reports whether IIMM_OFFLINE keeps this process off the network.
func Offline() bool {
	v := os.Getenv("IIMM_OFFLINE")
	return v != "" && v != "0"
}

// Get downloads address to path.
//
// A non-empty sum, a SHA-256 in hex or md5: with an MD5 where nobody published
// better, pins the bytes: a file at path that has them is kept without asking the
// network, anything else is replaced, and a download that differs is deleted and
// an error. With an empty sum the file is always downloaded anew; take its
// checksum with SHA256 and record it.
//
// Bytes arrive in path.part. A broken connection is retried with a range
// request from where it broke, also (when pinned) by a later process; a server
// that ignores ranges, or whose file changed meanwhile, makes it start over.
// Two processes that want the same path wait for each other. Errors that will
// not go away by waiting (404, 403) are returned at once, others after Attempts
// tries in a row that brought no byte.
func Get(ctx context.Context, address, path, sum string, report progress.Reporter) error {
	return Default.Get(ctx, address, path, sum, report)
}

// Client says how patient downloads are, and who asks.
type Client struct {
	Attempts int               // tries in a row without a byte before giving up
	Wait     time.Duration     // before the second try; doubles with each, up to a minute
	Stall    time.Duration     // a connection silent for so long is given up
	Header   http.Header       // sent to the address asked for, not to another host it redirects to
	Note     func(text string) // nil, or told why a request is made again and when
}

// Default is the client of the package's functions.
var Default = &Client{Attempts: 6, Wait: time.Second, Stall: time.Minute}

// MaxRetryAfter is the longest wait that a server may ask for; one that asks
// for more is not waited for.
const MaxRetryAfter = 5 * time.Minute

// StatusError is wrapped by the error of a request that a server answered with
// something else than the file.
type StatusError struct {
	Code   int
	Header http.Header
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("server answered %d %s", e.Code, http.StatusText(e.Code))
}

// Get is the package's Get with c's patience.
func (c *Client) Get(ctx context.Context, address, path, sum string, report progress.Reporter) error {
	if report == nil {
		report = progress.Discard
	}
	want, err := parseChecksum(sum)
	if err != nil {
		return fmt.Errorf("download of %s: %w", path, err)
	}
	if want.is(path) {
		return nil
	}
	u, err := check(address)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part, err := lockPart(ctx, path+".part")
	if err != nil {
		return fmt.Errorf("download of %s: %w", path, err)
	}
	defer part.Close()
	if want.is(path) { // by the process we waited for
		os.Remove(part.Name())
		return nil
	}
	d := &download{client: c, url: u, want: want, file: part, hash: want.new()}
	if err := d.run(ctx, report, filepath.Base(path)); err != nil {
		return fmt.Errorf("download of %s: %w", u.Redacted(), err)
	}
	if err := part.Sync(); err != nil {
		return err
	}
	// Renamed under the lock, so that who waits for it finds the whole file;
	// Windows cannot rename an open one.
	if err := os.Rename(part.Name(), path); err == nil {
		return nil
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

// SHA256 returns the checksum of a file in hex.
func SHA256(path string) (string, error) { return hashFile(path, sha256.New()) }

func hashFile(path string, h hash.Hash) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// checksum is one that bytes must have; its hex is empty for any.
type checksum struct {
	kind, hex string
	new       func() hash.Hash
}

func parseChecksum(sum string) (checksum, error) {
	c := checksum{"sha256", strings.ToLower(sum), sha256.New}
	digits := 2 * sha256.Size
	if rest, ok := strings.CutPrefix(c.hex, "md5:"); ok {
		c, digits = checksum{"md5", rest, md5.New}, 2*md5.Size
	}
	if _, err := hex.DecodeString(c.hex); err != nil || sum != "" && len(c.hex) != digits {
		return c, fmt.Errorf("%q is neither a SHA-256 nor md5: with an MD5", sum)
	}
	return c, nil
}

// is reports whether the file at path has the checksum; none has that of any.
func (c checksum) is(path string) bool {
	if c.hex == "" {
		return false
	}
	got, err := hashFile(path, c.new())
	return err == nil && got == c.hex
}

// check parses an address and applies the rules that hold for all of them.
func check(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: not a URL", address)
	}
	if err := allowed(u); err != nil {
		return nil, err
	}
	if Offline() {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), ErrOffline)
	}
	return u, nil
}

// allowed accepts https, and http within this machine.
func allowed(u *url.URL) error {
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return fmt.Errorf("%s: only https addresses are fetched", u.Redacted())
	}
	return nil
}

// do sends a request with c's headers. Redirects to another host are followed
// without them, or, unless elsewhere, are themselves the answer.
func (c *Client) do(req *http.Request, elsewhere bool) (*http.Response, error) {
	for key, values := range c.Header {
		req.Header[key] = values
	}
	client := http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("more than 10 redirects")
		}
		// net/http would take them to a subdomain or another port.
		if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
			if !elsewhere {
				return http.ErrUseLastResponse
			}
			for key := range c.Header {
				r.Header.Del(key)
			}
		}
		return allowed(r.URL)
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, redact(err)
	}
	return resp, nil
}

// pause is what to wait after a failure: longer after each, and as long as the
// server asks. The error is permanent when that is too long.
func (c *Client) pause(failures int, asked time.Duration, failure error) (time.Duration, error) {
	if asked > MaxRetryAfter {
		return 0, permanent{fmt.Errorf("%w and asks to come back in %v", failure, asked)}
	}
	wait := max(asked, min(c.Wait<<min(failures-1, 16), time.Minute))
	if c.Note != nil {
		c.Note(fmt.Sprintf("%v; trying again in %s", failure, progress.FormatDuration(wait)))
	}
	return wait, nil
}

// lockPart opens the part file for this process alone, waiting for others.
func lockPart(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		locked, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if locked {
			// Whoever held the lock may have renamed the file that we opened.
			ours, err1 := f.Stat()
			now, err2 := os.Stat(path)
			if err1 == nil && err2 == nil && os.SameFile(ours, now) {
				return f, nil
			}
		}
		f.Close()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
