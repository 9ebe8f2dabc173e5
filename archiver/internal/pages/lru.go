package pages

import (
	order "container/list"
	"sync"
)

// LRU keeps the values that were used last, in bounded memory. Its methods may be called
// from several goroutines.
type LRU[K comparable, V any] struct {
	most int64 // bytes

	mu      sync.Mutex // guards what follows
	entries map[K]*order.Element
	recent  order.List // of *lruEntry[K, V], the latest first
	size    int64      // of all values
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
	size  int64
}

// NewLRU returns an empty cache of most bytes at most.
func NewLRU[K comparable, V any](most int64) *LRU[K, V] {
	return &LRU[K, V]{most: most, entries: map[K]*order.Element{}}
}

// Get returns the value of a key, if it is there.
func (c *LRU[K, V]) Get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return v, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(*lruEntry[K, V]).value, true
}

// Put keeps a value of so many bytes, unless one of its key is there.
func (c *LRU[K, V]) Put(k K, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[k]; ok {
		return
	}
	c.entries[k] = c.recent.PushFront(&lruEntry[K, V]{k, v, size})
	c.size += size
	for c.size > c.most {
		old := c.recent.Remove(c.recent.Back()).(*lruEntry[K, V])
		delete(c.entries, old.key)
		c.size -= old.size
	}
}
