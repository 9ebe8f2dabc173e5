package archiver

import (
	order "container/list"

	"github.com/varve-db/varve/segment"
)

// maxCachedRefs bounds the headers that an archive remembers, by the refs in their
// sets, which are nearly all of their memory: 16 MiB.
const maxCachedRefs = 1 << 20

type headerKey struct {
	store segment.UUID
	ref   segment.Ref
}

// headerCache remembers the headers that were used last. Its zero value is empty.
type headerCache struct {
	entries map[headerKey]*order.Element
	recent  order.List // of *cachedHeader, the latest first
	refs    int        // cost of all entries
}

type cachedHeader struct {
	key headerKey
	h   *segment.Header
}

// cost is what an entry counts against maxCachedRefs. Even an output's header
// takes the memory of some refs.
func (c *cachedHeader) cost() int { return 32 + len(c.h.Live) + len(c.h.Retired) }

func (c *headerCache) get(k headerKey) (*segment.Header, bool) {
	e, ok := c.entries[k]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cachedHeader).h, true
}

func (c *headerCache) put(k headerKey, h *segment.Header) {
	if _, ok := c.entries[k]; ok {
		return
	}
	if c.entries == nil {
		c.entries = map[headerKey]*order.Element{}
	}
	n := &cachedHeader{k, h}
	c.entries[k] = c.recent.PushFront(n)
	c.refs += n.cost()
	for c.refs > maxCachedRefs && c.recent.Len() > 1 {
		old := c.recent.Remove(c.recent.Back()).(*cachedHeader)
		delete(c.entries, old.key)
		c.refs -= old.cost()
	}
}
