package archiver

import (
	"maps"
	"slices"

	"github.com/varve-db/varve/segment"
)

// Shipped is what an archiver knows that has just shipped.
type Shipped struct {
	Listing *Listing      // of the store's folder, as it was shipped
	Target  string        // the ID of an archive
	Refs    []segment.Ref // the segments that have receipts of it, in no order
}

// Shipped returns what the archiver knows of the store and of one archive. Where it has not
// reached the archive, Target is empty.
func (a *Archiver) Shipped(targetID string) *Shipped {
	s := &Shipped{Listing: a.newest()}
	for _, l := range a.lanes {
		l.mu.Lock()
		if l.id.ID == targetID {
			s.Target, s.Refs = targetID, slices.Collect(maps.Keys(l.done))
		}
		l.mu.Unlock()
	}
	return s
}

// newest returns the newest listing.
func (a *Archiver) newest() *Listing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listing
}
