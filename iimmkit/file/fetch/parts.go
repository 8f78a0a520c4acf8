package fetch

import (
	"errors"
	"io"
	"sync"
)

// Parts reads a Remote piece by piece and keeps the pieces, so that what is read
// twice, or a little at a time, is asked for once.
type Parts struct {
	remote *Remote
	block  int64 // bytes asked for at least where reading goes on

	mu      sync.Mutex
	pieces  []piece
	fetched int64
}

type piece struct {
	at   int64
	data []byte
}

// NewParts reads r with requests of at least block bytes, but for Fetch's.
func NewParts(r *Remote, block int) *Parts { return &Parts{remote: r, block: int64(max(block, 1))} }

// Size returns the length of the file in bytes.
func (p *Parts) Size() int64 { return p.remote.Size() }

// Fetched returns how many bytes were asked for.
func (p *Parts) Fetched() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

// Fetch makes the bytes of [off, off+n) be kept, with one request of no more than
// these when some are not.
func (p *Parts) Fetch(off, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if off < 0 || n < 0 || n > p.Size() || off > p.Size()-n {
		return errors.New("a part beyond the end of the file")
	}
	for have := p.from(off); have != nil && n > 0; have = p.from(off) {
		k := min(n, int64(len(have)))
		off, n = off+k, n-k
	}
	return p.ask(off, n)
}

// ask fetches a piece; the lock is held.
func (p *Parts) ask(off, n int64) error {
	if n == 0 {
		return nil
	}
	data := make([]byte, n)
	if _, err := p.remote.ReadAt(data, off); err != nil {
		return err
	}
	p.fetched += n
	p.pieces = append(p.pieces, piece{off, data})
	return nil
}

// from returns the bytes kept from off on, nil for none.
func (p *Parts) from(off int64) []byte {
	for _, x := range p.pieces {
		if x.at <= off && off < x.at+int64(len(x.data)) {
			return x.data[off-x.at:]
		}
	}
	return nil
}

// ReadAt reads from what is kept, and asks for blocks of what is not.
func (p *Parts) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read before the start of a file")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) {
		at := off + int64(n)
		if at >= p.Size() {
			return n, io.EOF
		}
		have := p.from(at)
		if have == nil {
			size := min(max(p.block, int64(len(b)-n)), p.Size()-at)
			for _, x := range p.pieces { // up to the next piece that is kept
				if x.at > at {
					size = min(size, x.at-at)
				}
			}
			if err := p.ask(at, size); err != nil {
				return n, err
			}
			have = p.from(at)
		}
		n += copy(b[n:], have)
	}
	return n, nil
}

// Forget drops what is kept.
func (p *Parts) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces = nil
}
