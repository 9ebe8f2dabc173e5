package archive

import (
	order "container/list"

	"github.com/varve-db/varve/segment"
)

// maxCachedRuns bounds the headers that an archive remembers, by the runs of their
// sets, which are nearly all of their memory: 24 MiB.
const maxCachedRuns = 1 << 20

// headerKey names a segment of a store.
type headerKey struct {
	store segment.UUID
	ref   segment.Ref
}

// headerCache remembers the headers that were used last. Its zero value is empty.
type headerCache struct {
	entries map[headerKey]*order.Element
	recent  order.List // of *cachedHeader, the latest first
	runs    int        // cost of all entries
}

type cachedHeader struct {
	key headerKey
	h   *segment.Header
}

// cost is what an entry counts against maxCachedRuns. Even an output's header
// takes the memory of some runs.
func (c *cachedHeader) cost() int { return 16 + len(c.h.Live.Runs()) + len(c.h.Retired.Runs()) }

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
	c.runs += n.cost()
	for c.runs > maxCachedRuns && c.recent.Len() > 1 {
		old := c.recent.Remove(c.recent.Back()).(*cachedHeader)
		delete(c.entries, old.key)
		c.runs -= old.cost()
	}
}
