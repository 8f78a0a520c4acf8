package token

import "sync"

// cache remembers the ids of short words, which come again and again. It is
// safe for concurrent use.
type cache struct {
	mu  sync.RWMutex
	ids map[string][]int32
}

const (
	maxCached     = 1 << 16 // words
	maxCachedWord = 64      // bytes
)

func newCache() *cache { return &cache{ids: map[string][]int32{}} }

// encode appends the ids of word, by f when they are not known.
func (c *cache) encode(dst []int32, word string, f func(dst []int32, word string) []int32) []int32 {
	if len(word) > maxCachedWord {
		return f(dst, word)
	}
	c.mu.RLock()
	ids, ok := c.ids[word]
	full := len(c.ids) >= maxCached
	c.mu.RUnlock()
	if !ok {
		ids = f(nil, word)
		if !full {
			c.mu.Lock()
			// A copy of word does not hold the caption in memory.
			c.ids[string([]byte(word))] = ids
			c.mu.Unlock()
		}
	}
	return append(dst, ids...)
}
